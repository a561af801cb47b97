// SPDX-License-Identifier: Apache-2.0
// What the server needs of the machine beside board.h: a line to the host, as bytes. The
// application provides it.
#ifndef SCANLET_PORT_H_
#define SCANLET_PORT_H_

#include <stdint.h>

// Waits for the first byte, `timeout_ms` at most, and returns how many bytes there are now, at most
// `capacity`; 0 after a silence, -1 if the line is closed for good.
int32_t scanlet_port_receive(uint8_t* data, uint32_t capacity, uint32_t timeout_ms);

void scanlet_port_send(const uint8_t* data, uint32_t count);

#endif  // SCANLET_PORT_H_
