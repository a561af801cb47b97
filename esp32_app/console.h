// SPDX-License-Identifier: Apache-2.0
// The IDF console as a stream of bytes: UART or USB-Serial-JTAG, as chosen in menuconfig.
#ifndef CONSOLE_H_
#define CONSOLE_H_

#include <cstddef>
#include <cstdint>

namespace console {

// Installs the interrupt-driven driver, so that bytes that arrive during an inference are kept.
// Returns false, after a message, if that fails.
bool Open();

// Waits until at least one byte is there and returns how many were read (at most `capacity`);
// 0 after `timeout_ms` of silence. The task sleeps meanwhile, which feeds the watchdog.
size_t Read(uint8_t* data, size_t capacity, uint32_t timeout_ms);

// Writes all bytes as they are (no line-ending conversion), after any text printed before.
void Write(const uint8_t* data, size_t count);

}  // namespace console

#endif  // CONSOLE_H_
