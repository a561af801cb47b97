// SPDX-License-Identifier: Apache-2.0
// Input of eight features at a time, and the limits of C.
#ifndef SCANLET_KERNELS_MVE_INT_LOAD_H_
#define SCANLET_KERNELS_MVE_INT_LOAD_H_

#include <stddef.h>
#include <stdint.h>

#include "mve_int.h"

#if SCANLET_INT_MVE

// scanlet_int_load; tile (features / 8, T, 8). What fills the last octet is -zero_point.
SCANLET_INLINE void scanlet_mve_int_load(const void* const x, const int32_t bytes,
                                         const ptrdiff_t first, const ptrdiff_t row,
                                         const int32_t zero_point, int16_t* const tile,
                                         const int32_t features, const int32_t steps,
                                         const int32_t k_stride) {
  for (int32_t t = 0; t < steps; ++t) {
    const ptrdiff_t from = first + t * row;
    for (int32_t k = 0; k < features; k += 8) {
      const mve_pred16_t there = vctp16q((uint32_t)(features - k));
      const int16x8_t value = bytes == 1 ? vldrbq_z_s16((const int8_t*)x + from + k, there)
                                         : vldrhq_z_s16((const int16_t*)x + from + k, there);
      vstrhq_s16(tile + k * k_stride + 8 * t, vsubq_n_s16(value, (int16_t)zero_point));
    }
  }
}

// scanlet_int_clip.
SCANLET_INLINE void scanlet_mve_int_clip(int16_t* const bc, const int32_t N, const int32_t steps,
                                         const int32_t limit) {
  const int32_t states = (N + 7) / 8 * 8;
  const int16x8_t most = vdupq_n_s16((int16_t)limit);
  for (int32_t t = 0; t < steps; ++t) {
    int16_t* const c = bc + (2 * t + 1) * states;
    for (int32_t n = 0; n < N; n += 8) {
      vstrhq_s16(c + n, vmaxq_s16(vminq_s16(vldrhq_s16(c + n), most), vnegq_s16(most)));
    }
  }
}

#endif  // SCANLET_INT_MVE

#endif  // SCANLET_KERNELS_MVE_INT_LOAD_H_
