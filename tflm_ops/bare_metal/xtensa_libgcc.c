// SPDX-License-Identifier: Apache-2.0
// What Debian's compiler library for Xtensa lacks: there the core's ROM has it, here the float
// unit.

#include <stdint.h>

float __addsf3(float a, float b);
float __subsf3(float a, float b);
float __mulsf3(float a, float b);
float __floatsisf(int32_t a);
float __floatunsisf(uint32_t a);
float __addsf3(float a, float b) { return a + b; }
float __subsf3(float a, float b) { return a - b; }
float __mulsf3(float a, float b) { return a * b; }
float __floatsisf(int32_t a) { return (float)a; }
float __floatunsisf(uint32_t a) { return (float)a; }

// 64-bit products: the emulated core has no instruction for the upper half of a product, which an
// ESP32 has.
int64_t __muldi3(int64_t a, int64_t b);
int64_t __muldi3(int64_t a, int64_t b) {
  const uint32_t a_low = (uint32_t)a;
  const uint32_t b_low = (uint32_t)b;
  const uint32_t a0 = a_low & 0xffffu;
  const uint32_t a1 = a_low >> 16;
  const uint32_t b0 = b_low & 0xffffu;
  const uint32_t b1 = b_low >> 16;
  const uint32_t low = a0 * b0;
  const uint32_t middle = a1 * b0 + (low >> 16);
  const uint32_t other = a0 * b1 + (middle & 0xffffu);
  uint32_t high = a1 * b1 + (middle >> 16) + (other >> 16);
  high += (uint32_t)((uint64_t)a >> 32) * b_low + a_low * (uint32_t)((uint64_t)b >> 32);
  return (int64_t)((uint64_t)high << 32 | (other << 16 | (low & 0xffffu)));
}
