// SPDX-License-Identifier: Apache-2.0
// The recurrence of four channels over the steps of a tile: decay, input and output in one pass.
#ifndef SCANLET_KERNELS_SCAN_H_
#define SCANLET_KERNELS_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "arm_scan.h"
#include "exp2.h"
#include "madd.h"
#include "mve_scan.h"
#include "scan_excess.h"
#include "scan_lift.h"

// Steps that are scanned together, so that a state stays in a register from one to the next; as
// many as the float registers hold (Xtensa has 16).
#if defined(__XTENSA__)
#define SCANLET_SCAN_STEPS 2
#else
#define SCANLET_SCAN_STEPS 4
#endif

// `steps` of the steps of one channel; see scanlet_scan. With `clamp` 0 no delta may be above the
// channel's limit. T, N, steps and clamp are literals.
SCANLET_INLINE void scanlet_scan_steps(float* restrict const h, const float* restrict const a,
                                       const float* restrict const bc, const float* const delta,
                                       float* const u, const float d, const int32_t N,
                                       const int32_t T, const int32_t steps, const int32_t clamp) {
#if defined(__XTENSA__)
  // Read from memory, once: constants that LLVM knows it loads anew in every iteration.
  static const volatile float constants[2] = {SCANLET_ROUND, SCANLET_LN2};
  const float round = constants[0];
  const float ln2 = constants[1];
#else
  const float round = SCANLET_ROUND;
  const float ln2 = SCANLET_LN2;
#endif
  float input[SCANLET_SCAN_STEPS];
  float sum[SCANLET_SCAN_STEPS];
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    input[t] = SCANLET_MADD(SCANLET_LIFT, delta[t], u[t]);
    sum[t] = d * u[t];
  }
  for (int32_t n = 0; n < N; ++n) {
    const float* const b = bc + (ptrdiff_t)2 * n * T;
    const float* const c = b + T;
    const float rate = a[n];
    float state = h[n];
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < steps; ++t) {
      const float x = delta[t] * rate;
      const float decay = clamp ? scanlet_exp2(x) : scanlet_exp2_with(x, round, ln2);
      state = SCANLET_MADD(input[t] * b[t], decay, state);
      sum[t] = SCANLET_MADD(sum[t], state, c[t]);
    }
    h[n] = state;
  }
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) u[t] = sum[t];
}

SCANLET_INLINE void scanlet_scan_channel(float* restrict const h, const float* restrict const a,
                                         const float* restrict const bc, const float* const delta,
                                         float* const u, const float* const d, const int32_t N,
                                         const int32_t T, const int32_t steps) {
  int32_t t = 0;
  if (scanlet_scan_excess(delta, d[1], steps) >> 31 == 0u) {
    for (; t + SCANLET_SCAN_STEPS <= steps; t += SCANLET_SCAN_STEPS) {
      scanlet_scan_steps(h, a, bc + t, delta + t, u + t, d[0], N, T, SCANLET_SCAN_STEPS, 0);
    }
    for (; t < steps; ++t) scanlet_scan_steps(h, a, bc + t, delta + t, u + t, d[0], N, T, 1, 0);
  }
  for (; t < steps; ++t) scanlet_scan_steps(h, a, bc + t, delta + t, u + t, d[0], N, T, 1, 1);
}

SCANLET_NOINLINE void scanlet_scan_channels(float* const h, const float* const a,
                                            const float* const bc, const float* const delta,
                                            float* const u, const float* const d,
                                            const int32_t channels, const int32_t N,
                                            const int32_t T, const int32_t steps) {
  for (int32_t i = 0; i < channels; ++i) {
    scanlet_scan_channel(h + (ptrdiff_t)i * N, a + (ptrdiff_t)i * N, bc, delta + (ptrdiff_t)i * T,
                         u + (ptrdiff_t)i * T, d + 2 * i, N, T, steps);
  }
}

// `channels` <= 4 channels and `steps` <= T steps: h = 2^(delta a) h + delta u b; y = d u + c h,
// n sequential. h (channels, N) in and out; a (channels, N) = A * log2(e); bc (N, 2, T) = rows of
// B, lifted, and C; delta (channels, T) >= 0; u (channels, T) in, y out; d (channels, 2) = D and
// the largest delta for which no 2^(delta a) needs a clamp. delta and u are arbitrary afterwards
// beyond `steps`. T and N are literals.
SCANLET_INLINE void scanlet_scan(float* restrict const h, const float* restrict const a,
                                 const float* restrict const bc, float* const delta, float* const u,
                                 const float* const d, const int32_t channels, const int32_t N,
                                 const int32_t T, const int32_t steps) {
#if SCANLET_MVE
  if (T == 4 && channels == 4) {
    if (steps == T ? scanlet_mve_scan(h, a, bc, delta, u, d, N)
                   : scanlet_mve_scan_part(h, a, bc, delta, u, d, N, steps)) {
      return;
    }
  }
#elif SCANLET_ARM
  if (T == 4) {
    if (steps == T ? scanlet_arm_scan(h, a, bc, delta, u, d, channels, N)
                   : scanlet_arm_scan_part(h, a, bc, delta, u, d, channels, N, steps)) {
      return;
    }
  }
#endif
  scanlet_scan_channels(h, a, bc, delta, u, d, channels, N, T, steps);
}

#endif  // SCANLET_KERNELS_SCAN_H_
