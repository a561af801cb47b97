// SPDX-License-Identifier: Apache-2.0
// The recurrence of one head of Mamba-2 over the steps of a tile: one decay for all its states.
#ifndef SCANLET_KERNELS_SSD_SCAN_H_
#define SCANLET_KERNELS_SSD_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "exp2.h"
#include "madd.h"
#include "scan_lift.h"

// Steps that are scanned together; as many as the float registers hold (Xtensa has 16).
#if defined(__XTENSA__)
#define SCANLET_SSD_STEPS 2
#else
#define SCANLET_SSD_STEPS 4
#endif

// `steps` of the steps of a head; see scanlet_ssd_scan. T and steps are literals.
SCANLET_INLINE void scanlet_ssd_steps(float* restrict h, const float rate, const float* const bc,
                                      const float* const dt, float* u, const float* const d,
                                      const int32_t channels, const int32_t N, const int32_t T,
                                      const int32_t steps) {
  float decay[SCANLET_SSD_STEPS];
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) decay[t] = scanlet_exp2(dt[t] * rate);
  for (int32_t p = 0; p < channels; ++p) {
    float input[SCANLET_SSD_STEPS];
    float sum[SCANLET_SSD_STEPS];
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < steps; ++t) {
      input[t] = SCANLET_MADD(SCANLET_LIFT, dt[t], u[t]);
      sum[t] = d[p] * u[t];
    }
    const float* b = bc;
    for (const float* const end = h + N; h != end; ++h) {
      const float* const c = b + T;
      float state = *h;
      SCANLET_UNROLL(4)
      for (int32_t t = 0; t < steps; ++t) {
        state = SCANLET_MADD(input[t] * b[t], decay[t], state);
        sum[t] = SCANLET_MADD(sum[t], state, c[t]);
      }
      *h = state;
      b += 2 * T;
    }
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < steps; ++t) u[t] = sum[t];
    u += T;
  }
}

// The first `steps` <= T steps of one head: h = 2^(dt rate) h + dt u b; y = d u + c h, n
// sequential. h (channels, N) in and out; rate = A * log2(e); bc (N, 2, T) = rows of B, lifted
// (scan_lift.h), and C; dt (T,) >= 0; u (channels, T) in, y out; d (channels,). T is a literal.
SCANLET_INLINE void scanlet_ssd_scan(float* const h, const float rate, const float* const bc,
                                     const float* const dt, float* const u, const float* const d,
                                     const int32_t channels, const int32_t N, const int32_t T,
                                     const int32_t steps) {
  int32_t t = 0;
  for (; t + SCANLET_SSD_STEPS <= steps; t += SCANLET_SSD_STEPS) {
    scanlet_ssd_steps(h, rate, bc + t, dt + t, u + t, d, channels, N, T, SCANLET_SSD_STEPS);
  }
  for (; t < steps; ++t) {
    scanlet_ssd_steps(h, rate, bc + t, dt + t, u + t, d, channels, N, T, 1);
  }
}

// Heads of a group one after the other: h (heads, channels, N), rates (heads,), dt (heads, T),
// u (heads, channels, T), d (heads, channels).
SCANLET_NOINLINE void scanlet_ssd_group(float* h, const float* const rates, const float* const bc,
                                        const float* dt, float* u, const float* d,
                                        const int32_t heads, const int32_t channels,
                                        const int32_t N, const int32_t T, const int32_t steps) {
  for (int32_t i = 0; i < heads; ++i) {
    scanlet_ssd_scan(h, rates[i], bc, dt, u, d, channels, N, T, steps);
    h += (ptrdiff_t)channels * N;
    dt += T;
    u += (ptrdiff_t)channels * T;
    d += channels;
  }
}

#endif  // SCANLET_KERNELS_SSD_SCAN_H_
