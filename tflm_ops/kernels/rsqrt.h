// SPDX-License-Identifier: Apache-2.0
// 1 / sqrt(x) without libm.
#ifndef SCANLET_KERNELS_RSQRT_H_
#define SCANLET_KERNELS_RSQRT_H_

#include "bits.h"
#include "madd.h"

// x > 0 and normal. An integer estimate (relative error 3.5 %), then three Newton steps; the last
// one corrects by the residual, which leaves a relative error of 1.4e-7.
SCANLET_INLINE float scanlet_rsqrt(const float x) {
  const float half = 0.5f * x;
  float y = scanlet_from_bits(0x5f375a86u - (scanlet_bits(x) >> 1));
  y = y * (1.5f - half * y * y);
  y = y * (1.5f - half * y * y);
  const float residual = SCANLET_MADD(0.5f, -half * y, y);
  return SCANLET_MADD(y, y, residual);
}

#endif  // SCANLET_KERNELS_RSQRT_H_
