// SPDX-License-Identifier: Apache-2.0
// 2^x and e^x: exponent arithmetic and a short polynomial.
#ifndef SCANLET_KERNELS_EXP2_H_
#define SCANLET_KERNELS_EXP2_H_

#include <stdint.h>

#include "bits.h"
#include "madd.h"

// Adding 1.5 * 2^23 rounds to an integer (ties to even), which then sits in the low bits.
#define SCANLET_ROUND 12582912.0f

// 2^x for x <= 127; below -126 the result stays 2^-126. Relative error 1.5e-7.
// A NaN gives an arbitrary number: callers multiply the result with what held the NaN.
SCANLET_INLINE float scanlet_exp2(const float x) {
  const float clamped = x < -126.0f ? -126.0f : x;
  const float shifted = clamped + SCANLET_ROUND;
  const float f = clamped - (shifted - SCANLET_ROUND);  // in [-0.5, 0.5]
  float p = 1.3264724e-03f;
  p = SCANLET_MADD(9.671513e-03f, p, f);
  p = SCANLET_MADD(5.5507336e-02f, p, f);
  p = SCANLET_MADD(2.4022242e-01f, p, f);
  p = SCANLET_MADD(6.93147e-01f, p, f);
  p = SCANLET_MADD(1.0f, p, f);
  return scanlet_from_bits(scanlet_bits(p) + (scanlet_bits(shifted) << 23));
}

// e^x for -87 <= x <= 88, clamped to that range. The argument is reduced in two parts (Cody and
// Waite 1980), so the relative error stays at 1.2e-7 however large x is.
SCANLET_INLINE float scanlet_exp(const float x) {
  const float low = x < -87.0f ? -87.0f : x;
  const float clamped = low > 88.0f ? 88.0f : low;
  const float shifted = SCANLET_MADD(SCANLET_ROUND, clamped, 1.44269504f);
  const float n = shifted - SCANLET_ROUND;
  float r = SCANLET_MADD(clamped, n, -0.693359375f);  // exact: the factor has ten bits
  r = SCANLET_MADD(r, n, 2.12194440e-4f);             // 0.693359375 - ln 2
  float p = 1.38146e-03f;
  p = SCANLET_MADD(8.368716e-03f, p, r);
  p = SCANLET_MADD(4.166839e-02f, p, r);
  p = SCANLET_MADD(1.6666521e-01f, p, r);
  p = SCANLET_MADD(4.9999994e-01f, p, r);
  const float square = r * r;
  p = SCANLET_MADD(r, p, square) + 1.0f;
  return scanlet_from_bits(scanlet_bits(p) + (scanlet_bits(shifted) << 23));
}

#endif  // SCANLET_KERNELS_EXP2_H_
