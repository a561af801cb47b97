// SPDX-License-Identifier: Apache-2.0
// Between time-major tensors (step, channel) and channel-major tiles (channel, T).
#ifndef SCANLET_KERNELS_TILE_IO_H_
#define SCANLET_KERNELS_TILE_IO_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"

// Load `steps` rows, `row` elements apart (negative: backwards in time), into as many columns.
SCANLET_INLINE void scanlet_load_tile(const float* const x, float* const tile,
                                      const int32_t channels, const int32_t T, const int32_t steps,
                                      const ptrdiff_t row) {
  for (int32_t t = 0; t < steps; ++t) {
    const float* const in = x + (ptrdiff_t)t * row;
    for (int32_t c = 0; c < channels; ++c) tile[(ptrdiff_t)c * T + t] = in[c];
  }
}

// Store `steps` columns as rows; adds `residual` (channels, T) unless it is NULL.
SCANLET_INLINE void scanlet_store_tile(const float* const tile, const float* const residual,
                                       float* const y, const int32_t channels, const int32_t T,
                                       const int32_t steps, const ptrdiff_t row) {
  for (int32_t t = 0; t < steps; ++t) {
    float* const out = y + (ptrdiff_t)t * row;
    for (int32_t c = 0; c < channels; ++c) {
      const ptrdiff_t at = (ptrdiff_t)c * T + t;
      out[c] = residual != NULL ? tile[at] + residual[at] : tile[at];
    }
  }
}

#endif  // SCANLET_KERNELS_TILE_IO_H_
