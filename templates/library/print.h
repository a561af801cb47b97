// SPDX-License-Identifier: Apache-2.0
// Text and numbers through scanlet_board_write: no stdio, no heap, no double.
#ifndef SCANLET_PRINT_H_
#define SCANLET_PRINT_H_

#include <stdint.h>

void print_text(const char* text);
void print_unsigned(uint32_t value);
void print_hex(uint32_t value);

// Three significant digits: 1.25e-5.
void print_float(float value);

#endif  // SCANLET_PRINT_H_
