// SPDX-License-Identifier: Apache-2.0
// A running mean in integers outside of mixers, on rows (step, feature).
#ifndef SCANLET_KERNELS_INT_STREAM_H_
#define SCANLET_KERNELS_INT_STREAM_H_

#include <stddef.h>
#include <stdint.h>

#include "int_pool.h"
#include "int_scale.h"
#include "madd.h"

// y (features,) becomes the running mean behind the next `steps` rows of x, times 2^15 and
// `factor`; see scanlet_int_pool_running for `sums`, `seen` and `window`. Literal: bytes (1 or 2 an
// element).
SCANLET_INLINE void scanlet_int_stream_pool(const void* const x, void* const y, const int32_t bytes,
                                            int32_t* const sums, int32_t* const seen,
                                            const int32_t features, const int32_t steps,
                                            const int32_t window, const int32_t x_zero,
                                            const int32_t y_zero, const int32_t factor) {
  const int32_t before = *seen;
  *seen = scanlet_int_seen(before, steps, window);
  for (int32_t f = 0; f < features; ++f) {
    int32_t sum = sums[f];
    for (int32_t t = 0; t < steps; ++t) {
      const ptrdiff_t at = (ptrdiff_t)t * features + f;
      const int32_t value = bytes == 1 ? ((const int8_t*)x)[at] : ((const int16_t*)x)[at];
      if (before + t >= window) sum -= scanlet_int_mean(sum, window, 0);
      sum += value - x_zero;
    }
    sums[f] = sum;
    const int32_t mean = scanlet_scale(scanlet_int_mean(sum, *seen, 15), factor) + y_zero;
    if (bytes == 1) {
      ((int8_t*)y)[f] = (int8_t)scanlet_saturate8(mean);
    } else {
      ((int16_t*)y)[f] = (int16_t)scanlet_saturate16(mean);
    }
  }
}

#endif  // SCANLET_KERNELS_INT_STREAM_H_
