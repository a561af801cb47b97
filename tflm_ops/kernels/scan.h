// SPDX-License-Identifier: Apache-2.0
// The recurrence of one channel over the steps of a tile: decay, input and output in one pass.
#ifndef SCANLET_KERNELS_SCAN_H_
#define SCANLET_KERNELS_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "exp2.h"
#include "madd.h"
#include "mve_scan.h"

// Adding and subtracting 2^-102 leaves every state above 2^-77 as it is and turns what falls
// below 2^-126 into zero, so no subnormal ever stays in the state: two additions instead of a
// comparison. (Between the two a state is rounded to a multiple of 2^-125.)
#define SCANLET_TINY 1.9721522630525295e-31f

// Steps that are scanned together, so that a state stays in a register from one to the next; as
// many as the float registers hold (Xtensa has 16).
#if defined(__XTENSA__)
#define SCANLET_SCAN_STEPS 2
#define SCANLET_SCAN static __attribute__((noinline, unused))
#else
#define SCANLET_SCAN_STEPS 4
#define SCANLET_SCAN SCANLET_INLINE
#endif

// `steps` (a literal) of the steps of scanlet_scan_channel.
SCANLET_INLINE void scanlet_scan_steps(float* restrict const h, const float* restrict const a,
                                       const float* restrict const b, const float* restrict const c,
                                       const float* const delta, float* const u, const float d,
                                       const int32_t N, const int32_t stride, const int32_t steps) {
  float input[SCANLET_SCAN_STEPS];
  float sum[SCANLET_SCAN_STEPS];
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    input[t] = delta[t] * u[t];
    sum[t] = d * u[t];
  }
  for (int32_t n = 0; n < N; ++n) {
    const float rate = a[n];
    float state = h[n];
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < steps; ++t) {
      const float decay = scanlet_exp2(delta[t] * rate);
      const float driven = SCANLET_MADD(input[t] * b[t * stride + n], decay, state);
      state = (driven + SCANLET_TINY) - SCANLET_TINY;
      sum[t] = SCANLET_MADD(sum[t], state, c[t * stride + n]);
    }
    h[n] = state;
  }
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) u[t] = sum[t];
}

// h (N,) in and out; a (N,) = A * log2(e); b, c: row t at t * stride; delta (T,); u (T,)
// in, y out: h = 2^(delta a) h + delta u b; y = d u + c h, n sequential. N is a literal.
SCANLET_SCAN void scanlet_scan_channel(float* restrict const h, const float* restrict const a,
                                       const float* restrict const b, const float* restrict const c,
                                       const float* const delta, float* const u, const float d,
                                       const int32_t N, const int32_t stride, const int32_t steps) {
#if SCANLET_MVE
  if (N % 4 == 0) {
    scanlet_mve_scan_channel(h, a, b, c, delta, u, d, N, stride, steps);
    return;
  }
#endif
  int32_t t = 0;
  for (; t + SCANLET_SCAN_STEPS <= steps; t += SCANLET_SCAN_STEPS) {
    scanlet_scan_steps(h, a, b + t * stride, c + t * stride, delta + t, u + t, d, N, stride,
                       SCANLET_SCAN_STEPS);
  }
  for (; t < steps; ++t) {
    scanlet_scan_steps(h, a, b + t * stride, c + t * stride, delta + t, u + t, d, N, stride, 1);
  }
}

#endif  // SCANLET_KERNELS_SCAN_H_
