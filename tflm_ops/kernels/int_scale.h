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
#include "xtensa_int.h"

_Static_assert(-1 >> 1 == -1, "arithmetic right shift");

// value * factor / 2^32, to nearest, halves up; 0 <= factor < 2^31, or |factor| < 2^31 where 2^16
// divides value. The result is within +-2^30.
SCANLET_INLINE int32_t scanlet_scale(const int32_t value, const int32_t factor) {
#if defined(__ARM_FEATURE_DSP)
  int32_t result;
  __asm__("smmulr %0, %1, %2" : "=r"(result) : "r"(value), "r"(factor));
  return result;
#elif defined(__XTENSA__) && !SCANLET_XTENSA_MULSH
  return scanlet_xtensa_scale(value, ((value >> 15) + 1) >> 1, factor);
#else
  const int32_t upper = (int32_t)((int64_t)value * factor >> 32);
  return upper + (int32_t)((uint32_t)value * (uint32_t)factor >> 31);
#endif
}

// The same for |value| < 2^31 - 2^15.
SCANLET_INLINE int32_t scanlet_scale_small(const int32_t value, const int32_t factor) {
#if defined(__XTENSA__) && !SCANLET_XTENSA_MULSH
  return scanlet_xtensa_scale(value, (value + scanlet_xtensa_half()) >> 16, factor);
#else
  return scanlet_scale(value, factor);
#endif
}

// To the range of a signed integer of `bits` bits; a literal.
SCANLET_INLINE int32_t scanlet_saturate(const int32_t value, const int32_t bits) {
#if defined(__ARM_FEATURE_SAT)
  int32_t result;
  __asm__("ssat %0, %2, %1" : "=r"(result) : "r"(value), "i"(bits));
  return result;
#elif SCANLET_XTENSA_MAC16
  int32_t result;
  __asm__("clamps %0, %1, %2" : "=r"(result) : "r"(value), "i"(bits - 1));
  return result;
#else
  const int32_t limit = 1 << (bits - 1);
  if (value >= limit) return limit - 1;
  return value < -limit ? -limit : value;
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
