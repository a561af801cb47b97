// SPDX-License-Identifier: Apache-2.0
// The recurrence of a diagonal time-invariant state-space model over the steps of a tile.
#ifndef SCANLET_KERNELS_DIAGONAL_SCAN_H_
#define SCANLET_KERNELS_DIAGONAL_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"

// 2^-100 joins each input of a state, so that a state fades to about that and not through the
// subnormal numbers; it changes no input above 2^-76.
#define SCANLET_DIAGONAL_LIFT 7.88860905e-31f

// Steps that are scanned together; as many as the float registers hold (Xtensa has 16).
#if defined(__XTENSA__)
#define SCANLET_DIAGONAL_STEPS 2
#else
#define SCANLET_DIAGONAL_STEPS 4
#endif

// `steps` steps of one channel with real states; see scanlet_diagonal_scan. steps is a literal.
SCANLET_INLINE void scanlet_diagonal_real(float* const h, const float* const a,
                                          const float* const c, const float d, float* const u,
                                          const int32_t N, const int32_t steps) {
  float input[SCANLET_DIAGONAL_STEPS];
  float sum[SCANLET_DIAGONAL_STEPS];
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    input[t] = u[t] + SCANLET_DIAGONAL_LIFT;
    sum[t] = d * u[t];
  }
  for (int32_t n = 0; n < N; ++n) {
    const float rate = a[n];
    const float out = c[n];
    float state = h[n];
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < steps; ++t) {
      state += SCANLET_MADD(input[t], rate, state);
      sum[t] = SCANLET_MADD(sum[t], out, state);
    }
    h[n] = state;
  }
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) u[t] = sum[t];
}

// The same with complex states: h, a and c are pairs.
SCANLET_INLINE void scanlet_diagonal_complex(float* const h, const float* const a,
                                             const float* const c, const float d, float* const u,
                                             const int32_t N, const int32_t steps) {
  float input[SCANLET_DIAGONAL_STEPS];
  float sum[SCANLET_DIAGONAL_STEPS];
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    input[t] = u[t] + SCANLET_DIAGONAL_LIFT;
    sum[t] = d * u[t];
  }
  for (int32_t n = 0; n < 2 * N; n += 2) {
    const float a_re = a[n];
    const float a_im = a[n + 1];
    const float c_re = c[n];
    const float c_im = -c[n + 1];
    float re = h[n];
    float im = h[n + 1];
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < steps; ++t) {
      const float turned = SCANLET_MADD(input[t], -a_im, im);
      im += SCANLET_MADD(a_im * re, a_re, im);
      re += SCANLET_MADD(turned, a_re, re);
      sum[t] = SCANLET_MADD(sum[t], c_re, re);
      sum[t] = SCANLET_MADD(sum[t], c_im, im);
    }
    h[n] = re;
    h[n + 1] = im;
  }
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) u[t] = sum[t];
}

// The first `steps` of the columns of a tile: h += a h + u; y = Re(c h) + d u, n sequential. h, a
// (the transition less one) and c are (channels, N), or (channels, N, 2) where `complex` is 1; d
// (channels,); u (channels, T) in, y out. T and complex are literals.
SCANLET_INLINE void scanlet_diagonal_scan(float* const h, const float* const a,
                                          const float* const c, const float* const d,
                                          float* const u, const int32_t channels, const int32_t N,
                                          const int32_t T, const int32_t steps,
                                          const int32_t complex) {
  const ptrdiff_t states = complex ? 2 * (ptrdiff_t)N : N;
  for (int32_t i = 0; i < channels; ++i) {
    float* const own = h + i * states;
    const float* const rates = a + i * states;
    const float* const out = c + i * states;
    float* const row = u + (ptrdiff_t)i * T;
    int32_t t = 0;
    for (; t + SCANLET_DIAGONAL_STEPS <= steps; t += SCANLET_DIAGONAL_STEPS) {
      if (complex != 0) {
        scanlet_diagonal_complex(own, rates, out, d[i], row + t, N, SCANLET_DIAGONAL_STEPS);
      } else {
        scanlet_diagonal_real(own, rates, out, d[i], row + t, N, SCANLET_DIAGONAL_STEPS);
      }
    }
    for (; t < steps; ++t) {
      if (complex != 0) {
        scanlet_diagonal_complex(own, rates, out, d[i], row + t, N, 1);
      } else {
        scanlet_diagonal_real(own, rates, out, d[i], row + t, N, 1);
      }
    }
  }
}

#endif  // SCANLET_KERNELS_DIAGONAL_SCAN_H_
