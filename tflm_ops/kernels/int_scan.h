// SPDX-License-Identifier: Apache-2.0
// The recurrence of a few channels over the steps of a tile: decay, input and output in one pass.
//
// Bounds: delta * rate < 2^30; |decay * h| + |du * b| + rounding < 2^30 - 2^15 + 2^30 + 2^15 =
// 2^31; |sum over n of h * c| < 2^31 by the limit of c (scanlet_int_clip); each of y's two terms is
// below 2^30 in magnitude but for -2^31 times a negative D, which is 2^30 and meets 2^30 - 1 at
// most.
#ifndef SCANLET_KERNELS_INT_SCAN_H_
#define SCANLET_KERNELS_INT_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "arm_int_scan.h"
#include "int_decay.h"
#include "int_layout.h"
#include "int_scale.h"
#include "madd.h"
#include "mve_int_load.h"
#include "mve_int_scan.h"
#include "xtensa_int_scan.h"

// Steps that are scanned together, so that a state stays in a register from one to the next.
#if defined(__riscv)
#define SCANLET_INT_SCAN_STEPS 4
#else
#define SCANLET_INT_SCAN_STEPS 2
#endif

// B and C of a step: pairs (b, c) for n after n, or all of B ahead of all of C (each padded to a
// multiple of 8 for MVE, of 2 for DSP). Element n of B, of C, and the distance from step to step.
//
// A channel's state and rates take SCANLET_INT_KEPT elements: whole words for DSP.
#if SCANLET_INT_LAYOUT == SCANLET_ROWS_DSP
#define SCANLET_INT_KEPT(N) (((N) + 1) / 2 * 2)
#else
#define SCANLET_INT_KEPT(N) (N)
#endif
#if SCANLET_INT_LAYOUT == SCANLET_OCTETS || SCANLET_INT_LAYOUT == SCANLET_ROWS_DSP
#if SCANLET_INT_LAYOUT == SCANLET_OCTETS
#define SCANLET_INT_STATES(N) (((N) + 7) / 8 * 8)
#else
#define SCANLET_INT_STATES(N) (((N) + 1) / 2 * 2)
#endif
#define SCANLET_INT_B(n, N) (n)
#define SCANLET_INT_C(n, N) (SCANLET_INT_STATES(N) + (n))
#define SCANLET_INT_C_STRIDE 1
#else
#define SCANLET_INT_STATES(N) (N)
#define SCANLET_INT_B(n, N) (2 * (n))
#define SCANLET_INT_C(n, N) (2 * (n) + 1)
#define SCANLET_INT_C_STRIDE 2
#endif
#define SCANLET_INT_BC_STEP(N) (2 * SCANLET_INT_STATES(N))

// What is added before a state's 15 fractional bits are dropped, `step` steps after the start: the
// last eight bits reversed (a van der Corput sequence), 2^6 to 2^15 - 2^6, a half over time. A
// constant half would hold slowly decaying states above zero.
SCANLET_INLINE int32_t scanlet_int_rounding(const int32_t step) {
  uint32_t bits = (uint32_t)step & 255u;
  bits = (bits & 0x0fu) << 4 | bits >> 4;
  bits = (bits & 0x33u) << 2 | (bits >> 2 & 0x33u);
  bits = (bits & 0x55u) << 1 | (bits >> 1 & 0x55u);
  return (int32_t)(bits * 128u + 64u);
}

// C of the first `steps` steps of bc to -limit..limit: N of its products with an int16 then stay
// below 2^31.
SCANLET_INLINE void scanlet_int_clip(int16_t* const bc, const int32_t N, const int32_t steps,
                                     const int32_t limit) {
#if SCANLET_INT_MVE
  scanlet_mve_int_clip(bc, N, steps, limit);
#else
  for (int32_t t = 0; t < steps; ++t) {
    int16_t* c = bc + t * SCANLET_INT_BC_STEP(N) + SCANLET_INT_C(0, N);
    for (int32_t n = 0; n < N; ++n) {
      const int32_t value = *c;
      const int32_t raised = value < -limit ? -limit : value;
      *c = (int16_t)(raised > limit ? limit : raised);
      c += SCANLET_INT_C_STRIDE;
    }
  }
#endif
}

// `steps` steps of one channel; see scanlet_int_scan. Literal: N, steps.
SCANLET_INLINE void scanlet_int_scan_steps(int16_t* restrict const h,
                                           const int16_t* restrict const rates,
                                           const int16_t* restrict const bc,
                                           const int16_t* const delta,
                                           const int32_t* const rounding, int16_t* const u,
                                           const int32_t u_t, const scanlet_channel* const channel,
                                           const int32_t N, const int32_t steps) {
  int32_t size[SCANLET_INT_SCAN_STEPS];
  int32_t du[SCANLET_INT_SCAN_STEPS];
  int32_t sum[SCANLET_INT_SCAN_STEPS];
  int32_t round[SCANLET_INT_SCAN_STEPS];
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    size[t] = delta[t];
    du[t] = scanlet_saturate16(scanlet_scale(size[t] * u[t * u_t], channel->du_factor));
    sum[t] = 0;
    round[t] = rounding[t];
  }
  const int32_t down = channel->rate_shift - 8;
  for (int32_t n = 0; n < N; ++n) {
    const int32_t rate = rates[n];
    int32_t state = h[n];
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < steps; ++t) {
      const int32_t b = bc[t * SCANLET_INT_BC_STEP(N) + SCANLET_INT_B(n, N)];
      const int32_t c = bc[t * SCANLET_INT_BC_STEP(N) + SCANLET_INT_C(n, N)];
      const int32_t decay = scanlet_int_decay(size[t] * rate, down);
      state = scanlet_saturate16((decay * state + du[t] * b + round[t]) >> 15);
      sum[t] += state * c;
    }
    h[n] = (int16_t)state;
  }
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    const int32_t skip = scanlet_scale(u[t * u_t] * 65536, channel->d_factor);
    u[t * u_t] = (int16_t)scanlet_saturate16(scanlet_scale(sum[t], channel->y_factor) + skip);
  }
}

#if SCANLET_XTENSA_MAC16
// One channel; see scanlet_int_scan. `step`: T of them, with their rounding. Literal: N.
SCANLET_INLINE void scanlet_int_scan_channel(int16_t* const h, const int16_t* const rates,
                                             const int16_t* const bc, const int16_t* const delta,
                                             scanlet_xtensa_step* const step, int16_t* const u,
                                             const int32_t u_t,
                                             const scanlet_channel* const channel, const int32_t N,
                                             const int32_t steps) {
  const int32_t down = channel->rate_shift - 8;
  const int32_t du_factor = channel->du_factor;
  const int32_t d_factor = channel->d_factor;
  const int32_t y_factor = channel->y_factor;
  int32_t all = 0;
  int16_t* at = u;
  for (int32_t t = 0; t < steps; ++t) {
    const int32_t size = delta[t];
    all |= size;
    step[t].delta = size;
    step[t].du = scanlet_saturate16(scanlet_scale_small(size * *at, du_factor));
    at += u_t;
  }
  scanlet_xtensa_int_scan(h, rates, bc, step, steps, down, all * 32767 >> down > 0x7ffff, N);
  at = u;
  for (int32_t t = 0; t < steps; ++t) {
    const int32_t skip = scanlet_scale(*at * 65536, d_factor);
    *at = (int16_t)scanlet_saturate16(scanlet_scale(step[t].sum, y_factor) + skip);
    at += u_t;
  }
}
#endif

// `count` channels over the first `steps` steps of a tile: y takes the place of u.
//   h (count, KEPT(N)): the state, updated    rates (count, KEPT(N)): int16, >= 0
//   bc: B and C of each step, see above       delta (count, T): int16, >= 0
//   rounding (T,): of each step               channel: the first one's constants
//   u: element (i, t) at i * u_k + t * u_t    work (count, T): free, for octets, else NULL
// Literal: N, T, the strides.
SCANLET_INLINE void scanlet_int_scan(int16_t* const h, const int16_t* const rates,
                                     const int16_t* const bc, const int16_t* const delta,
                                     const int32_t* const rounding, int16_t* const u,
                                     const scanlet_channel* const channel, const int32_t count,
                                     const int32_t N, const int32_t T, const int32_t steps,
                                     const int32_t u_k, const int32_t u_t, int32_t* const work) {
  (void)work;
#if SCANLET_INT_MVE
  scanlet_mve_int_scan(h, rates, bc, delta, rounding, u, channel, count, N, steps, work);
  (void)T;
  (void)u_k;
  (void)u_t;
#else
#if SCANLET_ARM_DSP
  scanlet_arm_int_step step[SCANLET_INT_MAX_T + 1];
  for (int32_t t = 0; t < steps; ++t) step[t].rounding = rounding[t];
#elif SCANLET_XTENSA_MAC16
  scanlet_xtensa_step step[SCANLET_INT_MAX_T];
  for (int32_t t = 0; t < steps; ++t) step[t].rounding = rounding[t];
#endif
  for (int32_t i = 0; i < count; ++i) {
    int16_t* const state = h + (ptrdiff_t)i * SCANLET_INT_KEPT(N);
    const int16_t* const rate = rates + (ptrdiff_t)i * SCANLET_INT_KEPT(N);
#if SCANLET_ARM_DSP
    scanlet_arm_int_channel(state, rate, bc, delta + i * T, step, u + scanlet_int_place(i, u_k),
                            u_t, channel + i, N, SCANLET_INT_STATES(N), steps);
#else
#if SCANLET_XTENSA_MAC16
    if (N <= 64) {
      scanlet_int_scan_channel(state, rate, bc, delta + i * T, step, u + scanlet_int_place(i, u_k),
                               u_t, channel + i, N, steps);
      continue;
    }
#endif
    int32_t t = 0;
    for (; t + SCANLET_INT_SCAN_STEPS <= steps; t += SCANLET_INT_SCAN_STEPS) {
      scanlet_int_scan_steps(state, rate, bc + t * SCANLET_INT_BC_STEP(N), delta + i * T + t,
                             rounding + t, u + scanlet_int_place(i, u_k) + t * u_t, u_t,
                             channel + i, N, SCANLET_INT_SCAN_STEPS);
    }
    for (; t < steps; ++t) {
      scanlet_int_scan_steps(state, rate, bc + t * SCANLET_INT_BC_STEP(N), delta + i * T + t,
                             rounding + t, u + scanlet_int_place(i, u_k) + t * u_t, u_t,
                             channel + i, N, 1);
    }
#endif
  }
#endif
}

#endif  // SCANLET_KERNELS_INT_SCAN_H_
