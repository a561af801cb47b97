// SPDX-License-Identifier: Apache-2.0
// Four channels and four steps of an octet in real numbers, and back.
#ifndef SCANLET_KERNELS_MVE_REAL_SCAN_H_
#define SCANLET_KERNELS_MVE_REAL_SCAN_H_

#include <stdint.h>

#include "mve.h"
#include "mve_int.h"

#if SCANLET_MVE && SCANLET_INT_MVE
#define SCANLET_MVE_REALS 1
#else
#define SCANLET_MVE_REALS 0
#endif

#if SCANLET_MVE_REALS

// A field of four channels; each has three (scanlet_reals). `field` is that of the first one.
SCANLET_INLINE float32x4_t scanlet_mve_real_field(const float* const field) {
  return vldrwq_gather_shifted_offset_f32(field, vmulq_n_u32(vidupq_n_u32(0, 1), 3));
}

// from (4, 8), of each eight the first four, times `unit`: to (4 channels, 4 steps).
SCANLET_INLINE void scanlet_mve_to_reals(const int16_t* const from, const float32x4_t unit,
                                         float* const to) {
  const uint32x4_t channel = vidupq_n_u32(0, 4);
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < 4; ++t) {
    const float32x4_t column = vmulq_f32(vcvtq_f32_s32(vldrhq_s32(from + 8 * t)), unit);
    vstrwq_scatter_shifted_offset_f32(to + t, channel, column);
  }
}

// The way back, to nearest.
SCANLET_INLINE void scanlet_mve_from_reals(const float* const from, const float32x4_t per_unit,
                                           int16_t* const to) {
  const uint32x4_t channel = vidupq_n_u32(0, 4);
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < 4; ++t) {
    const float32x4_t column = vldrwq_gather_shifted_offset_f32(from + t, channel);
    const int32x4_t rounded = vcvtnq_s32_f32(vmulq_f32(column, per_unit));
    const int32x4_t most = vminq_s32(rounded, vdupq_n_s32(32767));
    vstrhq_s32(to + 8 * t, vmaxq_s32(most, vdupq_n_s32(-32768)));
  }
}

#endif  // SCANLET_MVE_REALS

#endif  // SCANLET_KERNELS_MVE_REAL_SCAN_H_
