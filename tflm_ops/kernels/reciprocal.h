// SPDX-License-Identifier: Apache-2.0
// 1 / x.
#ifndef SCANLET_KERNELS_RECIPROCAL_H_
#define SCANLET_KERNELS_RECIPROCAL_H_

#include "bits.h"
#include "madd.h"

// x from 1 to 2^126. The result is rounded correctly, except in fused builds for Xtensa: there
// a division is a library call of 170 instructions, and an integer estimate (relative error 5 %)
// with three Newton steps, of which the last rounds wrongly once in 6000 times, takes 15.
SCANLET_INLINE float scanlet_reciprocal(const float x) {
#if SCANLET_FUSED_MADD && defined(__XTENSA__)
  float y = scanlet_from_bits(0x7ef311c7u - scanlet_bits(x));
  y = SCANLET_MADD(y, y, SCANLET_MADD(1.0f, -x, y));
  y = SCANLET_MADD(y, y, SCANLET_MADD(1.0f, -x, y));
  return SCANLET_MADD(y, y, SCANLET_MADD(1.0f, -x, y));
#else
  return 1.0f / x;
#endif
}

#endif  // SCANLET_KERNELS_RECIPROCAL_H_
