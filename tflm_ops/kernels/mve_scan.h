// SPDX-License-Identifier: Apache-2.0
// The recurrence of four channels at a time, one in each lane.
#ifndef SCANLET_KERNELS_MVE_SCAN_H_
#define SCANLET_KERNELS_MVE_SCAN_H_

#include <stdint.h>

#include "mve.h"
#include "scan_lift.h"

#if SCANLET_MVE

// scanlet_scan for four channels and T = 4; does nothing and returns 0 if a delta is beyond its
// limit. The sum over n is sequential, as in scan.h. `steps` is a literal.
SCANLET_INLINE int32_t scanlet_mve_scan_steps(float* restrict h, const float* restrict a,
                                              const float* restrict bc, const float* const delta,
                                              float* const u, const float* const d, const int32_t N,
                                              const int32_t steps) {
  // By step, a channel in each lane. Single vectors: structs of four cost copies and stack.
  const uint32x4_t rows = vidupq_n_u32(0, 4);
  const float32x4x2_t skip = vld2q_f32(d);
  float32x4_t step[4];
  float32x4_t input[4];
  float32x4_t sum[4];
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    step[t] = vldrwq_gather_shifted_offset_f32(delta + t, rows);
    if (vcmpgtq_f32(step[t], skip.val[1])) return 0;
  }
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    const float32x4_t x = vldrwq_gather_shifted_offset_f32(u + t, rows);
    input[t] = vfmaq_f32(vdupq_n_f32(SCANLET_LIFT), step[t], x);
    sum[t] = vmulq_f32(skip.val[0], x);
  }
  const uint32x4_t lanes = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)N);
  for (int32_t n = 0; n < N; ++n) {
    const float32x4_t rate = vldrwq_gather_shifted_offset_f32(a + n, lanes);
    float32x4_t state = vldrwq_gather_shifted_offset_f32(h + n, lanes);
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < steps; ++t) {
      const float32x4_t decay = scanlet_mve_exp2_within(vmulq_f32(rate, step[t]));
      state = vfmaq_f32(vmulq_n_f32(input[t], bc[t]), decay, state);
      sum[t] = vfmaq_n_f32(sum[t], state, bc[4 + t]);
    }
    vstrwq_scatter_shifted_offset_f32(h + n, lanes, state);
    bc += 8;
  }
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) vstrwq_scatter_shifted_offset_f32(u + t, rows, sum[t]);
  return 1;
}

SCANLET_NOINLINE int32_t scanlet_mve_scan(float* const h, const float* const a,
                                          const float* const bc, const float* const delta,
                                          float* const u, const float* const d, const int32_t N) {
  return scanlet_mve_scan_steps(h, a, bc, delta, u, d, N, 4);
}

// The first `steps` < 4 steps.
SCANLET_NOINLINE int32_t scanlet_mve_scan_part(float* const h, const float* const a,
                                               const float* const bc, const float* const delta,
                                               float* const u, const float* const d,
                                               const int32_t N, const int32_t steps) {
  if (steps == 1) return scanlet_mve_scan_steps(h, a, bc, delta, u, d, N, 1);
  if (steps == 2) return scanlet_mve_scan_steps(h, a, bc, delta, u, d, N, 2);
  return scanlet_mve_scan_steps(h, a, bc, delta, u, d, N, 3);
}

#endif  // SCANLET_MVE

#endif  // SCANLET_KERNELS_MVE_SCAN_H_
