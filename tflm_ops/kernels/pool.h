// SPDX-License-Identifier: Apache-2.0
// Time pooling of a tile's channels.
#ifndef SCANLET_KERNELS_POOL_H_
#define SCANLET_KERNELS_POOL_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"

// pool[c] += the first `steps` columns of channel c, oldest first (`last` 0), or pool[c] becomes
// the newest of them (`last` 1).
SCANLET_INLINE void scanlet_pool_tile(const float* const tile, float* const pool,
                                      const int32_t channels, const int32_t T, const int32_t steps,
                                      const int last) {
  for (int32_t c = 0; c < channels; ++c) {
    const float* const row = tile + (ptrdiff_t)c * T;
    if (last) {
      pool[c] = row[steps - 1];
    } else {
      for (int32_t t = 0; t < steps; ++t) pool[c] += row[t];
    }
  }
}

#endif  // SCANLET_KERNELS_POOL_H_
