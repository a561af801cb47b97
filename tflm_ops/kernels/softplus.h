// SPDX-License-Identifier: Apache-2.0
// log(1 + e^x) without overflow.
#ifndef SCANLET_KERNELS_SOFTPLUS_H_
#define SCANLET_KERNELS_SOFTPLUS_H_

#include "exp2.h"
#include "madd.h"
#include "reciprocal.h"

// log(1 + e) for 0 <= e <= 1, as 2 atanh(e / (2 + e)): accurate however small e is.
SCANLET_INLINE float scanlet_log1p_unit(const float e) {
  const float s = e * scanlet_reciprocal(2.0f + e);
  const float q = s * s;
  float p = 1.21534236e-01f;
  p = SCANLET_MADD(1.07131064e-01f, p, q);
  p = SCANLET_MADD(1.4308503e-01f, p, q);
  p = SCANLET_MADD(1.9999437e-01f, p, q);
  p = SCANLET_MADD(3.3333337e-01f, p, q);
  const float twice = s + s;
  return SCANLET_MADD(twice, twice * q, p);
}

// Relative error 3.3e-7 down to x = -87 (e^-87 below that). NaN in, NaN out.
SCANLET_INLINE float scanlet_softplus(const float x) {
  const float magnitude = x < 0.0f ? -x : x;
  const float positive = x < 0.0f ? 0.0f : x;
  return positive + scanlet_log1p_unit(scanlet_exp(-magnitude));
}

#endif  // SCANLET_KERNELS_SOFTPLUS_H_
