// SPDX-License-Identifier: Apache-2.0
// Sums over time of eight features at a time.
#ifndef SCANLET_KERNELS_MVE_INT_POOL_H_
#define SCANLET_KERNELS_MVE_INT_POOL_H_

#include <stddef.h>
#include <stdint.h>

#include "mve_int.h"

#if SCANLET_INT_MVE

// scanlet_int_pool; x (count / 8, T, 8).
SCANLET_INLINE void scanlet_mve_int_pool(const int16_t* const x, int32_t* const sums,
                                         const int32_t count, const int32_t steps,
                                         const int32_t x_k) {
  for (int32_t i = 0; i < count; i += 4) {
    const mve_pred16_t there = vctp32q((uint32_t)(count - i));
    const int16_t* at = x + scanlet_int_place(i, x_k);
    int32x4_t sum = vldrwq_z_s32(sums + i, there);
    for (int32_t t = 0; t < steps; ++t) {
      sum = vaddq_s32(sum, vldrhq_s32(at));
      at += 8;
    }
    vstrwq_p_s32(sums + i, sum, there);
  }
}

#endif  // SCANLET_INT_MVE

#endif  // SCANLET_KERNELS_MVE_INT_POOL_H_
