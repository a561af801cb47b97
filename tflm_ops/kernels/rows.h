// SPDX-License-Identifier: Apache-2.0
// Pointwise functions of one channel's steps.
#ifndef SCANLET_KERNELS_ROWS_H_
#define SCANLET_KERNELS_ROWS_H_

#include <stdint.h>

#include "madd.h"
#include "mve.h"
#include "silu.h"
#include "softplus.h"

SCANLET_INLINE void scanlet_softplus_row(float* const x, const int32_t T) {
#if SCANLET_MVE
  if (T % 4 == 0) {
    for (int32_t t = 0; t < T; t += 4) {
      vstrwq_f32(x + t, scanlet_mve_softplus(vldrwq_f32(x + t)));
    }
    return;
  }
#endif
  for (int32_t t = 0; t < T; ++t) x[t] = scanlet_softplus(x[t]);
}

// y = y * silu(z)
SCANLET_INLINE void scanlet_gate_row(float* const y, const float* const z, const int32_t T) {
#if SCANLET_MVE
  if (T % 4 == 0) {
    for (int32_t t = 0; t < T; t += 4) {
      const float32x4_t gate = scanlet_mve_silu(vldrwq_f32(z + t));
      vstrwq_f32(y + t, vmulq_f32(vldrwq_f32(y + t), gate));
    }
    return;
  }
#endif
  for (int32_t t = 0; t < T; ++t) y[t] *= scanlet_silu(z[t]);
}

#endif  // SCANLET_KERNELS_ROWS_H_
