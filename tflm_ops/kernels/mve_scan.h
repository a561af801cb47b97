// SPDX-License-Identifier: Apache-2.0
// The recurrence of one channel with four states at a time.
#ifndef SCANLET_KERNELS_MVE_SCAN_H_
#define SCANLET_KERNELS_MVE_SCAN_H_

#include <stdint.h>

#include "mve.h"

#if SCANLET_MVE

// As scanlet_scan_channel, for N a multiple of four; the sum over n has four lanes.
SCANLET_INLINE void scanlet_mve_scan_channel(float* const h, const float* const a, const float* b,
                                             const float* c, const float* const delta,
                                             float* const u, const float d, const int32_t N,
                                             const int32_t stride, const int32_t steps) {
  for (int32_t t = 0; t < steps; ++t) {
    const float step = delta[t];
    const float input = step * u[t];
    float32x4_t sum = vdupq_n_f32(0.0f);
    SCANLET_UNROLL(4)
    for (int32_t n = 0; n < N; n += 4) {
      const float32x4_t decay = scanlet_mve_exp2(vmulq_n_f32(vldrwq_f32(a + n), step));
      const float32x4_t driven = vmulq_n_f32(vldrwq_f32(b + n), input);
      const float32x4_t state = vfmaq_f32(driven, decay, vldrwq_f32(h + n));
      vstrwq_f32(h + n, state);
      sum = vfmaq_f32(sum, state, vldrwq_f32(c + n));
    }
    const float low = vgetq_lane_f32(sum, 0) + vgetq_lane_f32(sum, 1);
    const float high = vgetq_lane_f32(sum, 2) + vgetq_lane_f32(sum, 3);
    u[t] = SCANLET_MADD(low + high, d, u[t]);
    b += stride;
    c += stride;
  }
}

#endif  // SCANLET_MVE

#endif  // SCANLET_KERNELS_MVE_SCAN_H_
