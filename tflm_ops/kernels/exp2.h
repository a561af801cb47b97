// SPDX-License-Identifier: Apache-2.0
// 2^x and e^x: exponent arithmetic, a table of 1024 powers, and a straight line between them.
#ifndef SCANLET_KERNELS_EXP2_H_
#define SCANLET_KERNELS_EXP2_H_

#include <stdint.h>

#include "bits.h"
#include "exp2_table.h"
#include "madd.h"

// Adding 1.5 * 2^13 rounds to a multiple of 1 / 1024 (ties to even), whose number then sits in the
// low bits.
#define SCANLET_ROUND 12288.0f
#define SCANLET_EXP2_MASK 1023u
#define SCANLET_EXP2_SHIFT 13
#define SCANLET_LN2 0.69314718f

// 2^k for the k that `shifted` = SCANLET_ROUND + k holds, -126 <= k <= 127.
SCANLET_INLINE float scanlet_exp2_of(const float shifted) {
  const uint32_t number = scanlet_bits(shifted);
  return scanlet_from_bits(scanlet_exp2_table[number & SCANLET_EXP2_MASK] +
                           (number << SCANLET_EXP2_SHIFT));
}

// 2^x as below, with the constants SCANLET_ROUND and SCANLET_LN2 from where the caller has them.
SCANLET_INLINE float scanlet_exp2_with(const float x, const float round, const float ln2) {
  const float shifted = x + round;
  const float f = x - (shifted - round);  // exact, in [-1 / 2048, 1 / 2048]
  const float power = scanlet_exp2_of(shifted);
  return SCANLET_MADD(power, power * f, ln2);
}

// 2^x for -126 <= x <= 127, beyond that an arbitrary number. Relative error 1.9e-7.
SCANLET_INLINE float scanlet_exp2_within(const float x) {
  return scanlet_exp2_with(x, SCANLET_ROUND, SCANLET_LN2);
}

// 2^x clamped to what is possible: the result is never below 2^-126 nor above 2^127.
// A NaN gives an arbitrary number: callers multiply the result with what held the NaN.
SCANLET_INLINE float scanlet_exp2(const float x) {
  const float low = SCANLET_MAX(x, -126.0f);
  return scanlet_exp2_within(SCANLET_MIN(low, 127.0f));
}

// e^x for -87 <= x <= 87, clamped to that range. The argument is reduced in two parts (Cody and
// Waite 1980), so the relative error stays at 1.9e-7 however large x is.
SCANLET_INLINE float scanlet_exp(const float x) {
  const float low = SCANLET_MAX(x, -87.0f);
  const float clamped = SCANLET_MIN(low, 87.0f);
  const float shifted = SCANLET_MADD(SCANLET_ROUND, clamped, 1.44269504f);
  const float k = shifted - SCANLET_ROUND;
  float r = SCANLET_MADD(clamped, k, -0.6953125f);  // exact: seven bits times seventeen
  r = SCANLET_MADD(r, k, 2.16531940e-3f);           // 0.6953125 - ln 2
  const float power = scanlet_exp2_of(shifted);
  return SCANLET_MADD(power, power, r);
}

#endif  // SCANLET_KERNELS_EXP2_H_
