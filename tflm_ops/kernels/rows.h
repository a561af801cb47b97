// SPDX-License-Identifier: Apache-2.0
// Pointwise functions of one channel's steps.
#ifndef SCANLET_KERNELS_ROWS_H_
#define SCANLET_KERNELS_ROWS_H_

#include <stdint.h>

#include "madd.h"
#include "silu.h"
#include "softplus.h"

SCANLET_INLINE void scanlet_softplus_row(float* const x, const int32_t T) {
  for (int32_t t = 0; t < T; ++t) x[t] = scanlet_softplus(x[t]);
}

// y = y * silu(z)
SCANLET_INLINE void scanlet_gate_row(float* const y, const float* const z, const int32_t T) {
  for (int32_t t = 0; t < T; ++t) y[t] *= scanlet_silu(z[t]);
}

#endif  // SCANLET_KERNELS_ROWS_H_
