// SPDX-License-Identifier: Apache-2.0
// x * sigmoid(x).
#ifndef SCANLET_KERNELS_SILU_H_
#define SCANLET_KERNELS_SILU_H_

#include "exp2.h"
#include "madd.h"
#include "reciprocal.h"

// Relative error 2.8e-7; below -87 the result is zero. NaN in, NaN out.
SCANLET_INLINE float scanlet_silu(const float x) {
  const float y = x * scanlet_reciprocal(1.0f + scanlet_exp(-x));
  return x < -87.0f ? 0.0f : y;
}

#endif  // SCANLET_KERNELS_SILU_H_
