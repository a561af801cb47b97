// SPDX-License-Identifier: Apache-2.0
// What the self-test needs of the machine that it runs on. The application provides it.
#ifndef SCANLET_BOARD_H_
#define SCANLET_BOARD_H_

#include <stdint.h>

// Writes text where a person reads it: a UART, a debugger's channel, standard output.
void scanlet_board_write(const char* text, uint32_t length);

// A counter for latencies that wraps around at 2^32, and how often it counts in a second.
uint32_t scanlet_board_cycles(void);
uint32_t scanlet_board_hertz(void);

#endif  // SCANLET_BOARD_H_
