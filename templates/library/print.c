// SPDX-License-Identifier: Apache-2.0
#include "print.h"

#include "board.h"

void print_text(const char* text) {
  uint32_t length = 0;
  while (text[length] != '\0') ++length;
  scanlet_board_write(text, length);
}

void print_unsigned(uint32_t value) {
  char digits[10];
  uint32_t first = sizeof digits;
  do {
    digits[--first] = (char)('0' + value % 10u);
    value /= 10u;
  } while (value != 0u);
  scanlet_board_write(digits + first, (uint32_t)sizeof digits - first);
}

void print_hex(uint32_t value) {
  char digits[8];
  for (uint32_t i = 0; i < 8u; ++i) {
    digits[i] = "0123456789abcdef"[value >> (28u - 4u * i) & 15u];
  }
  print_text("0x");
  scanlet_board_write(digits, sizeof digits);
}

void print_float(float value) {
  if (value != value) {
    print_text("nan");
    return;
  }
  if (value < 0.0f) print_text("-");
  float rest = value < 0.0f ? -value : value;
  if (rest > 3.4028235e38f) {
    print_text("inf");
    return;
  }
  int32_t exponent = 0;
  while (rest >= 10.0f) {
    rest *= 0.1f;
    ++exponent;
  }
  while (rest > 0.0f && rest < 1.0f) {
    rest *= 10.0f;
    --exponent;
  }
  uint32_t digits = (uint32_t)(rest * 100.0f + 0.5f);
  if (digits >= 1000u) {  // 9.999 rounds to 10.0
    digits /= 10u;
    ++exponent;
  }
  print_unsigned(digits / 100u);
  print_text(".");
  print_unsigned(digits / 10u % 10u);
  print_unsigned(digits % 10u);
  print_text(exponent < 0 ? "e-" : "e");
  print_unsigned((uint32_t)(exponent < 0 ? -exponent : exponent));
}
