// SPDX-License-Identifier: Apache-2.0
// The one rescaling step of the integer kernels, and saturation.
//
// All integer kernels rely on two's complement and on >> of a negative value rounding down, which
// gcc and clang promise for every core.
#ifndef SCANLET_KERNELS_INT_SCALE_H_
#define SCANLET_KERNELS_INT_SCALE_H_

#include <stdint.h>

#include "int_layout.h"
#include "madd.h"

_Static_assert(-1 >> 1 == -1, "arithmetic right shift");

// Without a 32-bit multiplication that gives the upper half, four of 16 bits are cheaper than a
// library's 64-bit one.
#ifndef SCANLET_INT_PARTS
#if defined(__XTENSA__) && !(defined(__XCHAL_HAVE_MUL32_HIGH) && __XCHAL_HAVE_MUL32_HIGH)
#define SCANLET_INT_PARTS 1
#else
#define SCANLET_INT_PARTS 0
#endif
#endif

// The lower half, without a sign.
SCANLET_INLINE int32_t scanlet_low16(const int32_t value) {
#if defined(__XTENSA__)  // where LLVM loads the mask
  int32_t result;
  __asm__("extui %0, %1, 0, 16" : "=r"(result) : "r"(value));
  return result;
#else
  return value & 0xffff;
#endif
}

// value * factor / 2^32, to nearest, halves up; |factor| < 2^31. The result is within +-2^30.
SCANLET_INLINE int32_t scanlet_scale(const int32_t value, const int32_t factor) {
#if defined(__ARM_FEATURE_DSP)
  int32_t result;
  __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(value), "r"(factor));
  return result;
#elif SCANLET_INT_PARTS
  // Each is 2^16 times a signed upper half plus an unsigned lower one. v1 * f0 is at most 2^31 -
  // 2^16 - 2^15 + 1, and what is added to it 2^16 + 2^15 - 2; v0 * f1 + 2^16 is below 2^31 too.
  const int32_t v1 = value >> 16;
  const int32_t v0 = scanlet_low16(value);
  const int32_t f1 = factor >> 16;
  const int32_t f0 = scanlet_low16(factor);
  const int32_t first = v1 * f0 + ((int32_t)((uint32_t)v0 * (uint32_t)f0 >> 16) + 0x8000);
  const int32_t second = v0 * f1 + scanlet_low16(first);
  return v1 * f1 + (first >> 16) + (second >> 16);
#else
  return (int32_t)(((int64_t)value * factor + ((int64_t)1 << 31)) >> 32);
#endif
}

// To the range of a signed integer of `bits` bits; a literal.
SCANLET_INLINE int32_t scanlet_saturate(const int32_t value, const int32_t bits) {
#if defined(__ARM_FEATURE_SAT)
  int32_t result;
  __asm__("ssat %0, %2, %1" : "=r"(result) : "r"(value), "i"(bits));
  return result;
#elif defined(__XTENSA__) && SCANLET_INT_LAYOUT == SCANLET_ROWS_PAIRS
  int32_t result;
  __asm__("clamps %0, %1, %2" : "=r"(result) : "r"(value), "i"(bits - 1));
  return result;
#else
  const int32_t limit = 1 << (bits - 1);
  return value >= limit ? limit - 1 : (value < -limit ? -limit : value);
#endif
}

SCANLET_INLINE int32_t scanlet_saturate16(const int32_t value) {
  return scanlet_saturate(value, 16);
}

SCANLET_INLINE int32_t scanlet_saturate8(const int32_t value) { return scanlet_saturate(value, 8); }

// Entries of the tables over -16 to 16: -512 to 511.
SCANLET_INLINE int32_t scanlet_int_entry(const int32_t value) {
  return scanlet_saturate(value, 10);
}

#endif  // SCANLET_KERNELS_INT_SCALE_H_
