// SPDX-License-Identifier: Apache-2.0
// RMS normalization of a tile in groups of channels: the norm of Mamba-2 ahead of out_proj.
#ifndef SCANLET_KERNELS_GATED_NORM_H_
#define SCANLET_KERNELS_GATED_NORM_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"
#include "norm.h"

// y (groups, channels, T) in place, the first `steps` columns: each group divided by the root of
// its mean square plus eps, times weight (groups, channels) or NULL. T is a literal.
SCANLET_INLINE void scanlet_group_norm_tile(float* const y, const float* const weight,
                                            const int32_t groups, const int32_t channels,
                                            const int32_t T, const int32_t steps, const float eps) {
  for (int32_t g = 0; g < groups; ++g) {
    float* const rows = y + (ptrdiff_t)g * channels * T;
    const float* const scale = weight != NULL ? weight + (ptrdiff_t)g * channels : NULL;
    scanlet_norm_tile(rows, rows, scale, NULL, channels, T, steps, 0, eps);
  }
}

#endif  // SCANLET_KERNELS_GATED_NORM_H_
