// SPDX-License-Identifier: Apache-2.0
// The recurrence of one channel over the steps of a tile: decay, input and output in one pass.
#ifndef SCANLET_KERNELS_SCAN_H_
#define SCANLET_KERNELS_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "exp2.h"
#include "madd.h"

// Adding and subtracting 2^-102 leaves every state of at least 2^-78 as it is and turns what
// falls below 2^-126 into zero, so no subnormal ever stays in the state: two additions instead of
// a comparison. (Between the two a state is rounded to a multiple of 2^-125.)
#define SCANLET_TINY 1.9721522630525295e-31f

// h (N,) in and out; a (N,) = A * log2(e); b, c: row t at t * stride; delta (T,); u (T,)
// in, y out: h = 2^(delta a) h + delta u b; y = c h + d u, n sequential. N is a literal.
SCANLET_INLINE void scanlet_scan_channel(float* restrict const h, const float* restrict const a,
                                         const float* restrict b, const float* restrict c,
                                         const float* const delta, float* const u, const float d,
                                         const int32_t N, const int32_t stride,
                                         const int32_t steps) {
  for (int32_t t = 0; t < steps; ++t) {
    const float step = delta[t];
    const float input = step * u[t];
    float sum = d * u[t];
    for (int32_t n = 0; n < N; ++n) {
      const float decay = scanlet_exp2(step * a[n]);
      const float driven = SCANLET_MADD(input * b[n], decay, h[n]);
      const float state = (driven + SCANLET_TINY) - SCANLET_TINY;
      h[n] = state;
      sum = SCANLET_MADD(sum, state, c[n]);
    }
    u[t] = sum;
    b += stride;
    c += stride;
  }
}

#endif  // SCANLET_KERNELS_SCAN_H_
