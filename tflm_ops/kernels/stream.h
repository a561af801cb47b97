// SPDX-License-Identifier: Apache-2.0
// Operators of a stream outside of mixers, on rows (step, feature): a running mean, a delay line.
#ifndef SCANLET_KERNELS_STREAM_H_
#define SCANLET_KERNELS_STREAM_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"
#include "pool.h"

// y (features,) becomes the running mean behind the next `steps` rows of x; pool (features, 2)
// holds sums and what rounding has taken from them, `seen` the steps that they count, up to
// `window`.
SCANLET_INLINE void scanlet_stream_pool(const float* const x, float* const y, float* const pool,
                                        int32_t* const seen, const int32_t features,
                                        const int32_t steps, const int32_t window) {
  const int32_t before = *seen;
  const float forget = 1.0f / (float)window;
  *seen = scanlet_seen(before, steps, window);
  const float scale = 1.0f / (float)*seen;
  for (int32_t f = 0; f < features; ++f) {
    float sum = pool[2 * f];
    float lost = pool[2 * f + 1];
    for (int32_t t = 0; t < steps; ++t) {
      const float joins = x[(ptrdiff_t)t * features + f] - lost;
      const float value = before + t >= window ? SCANLET_MADD(joins, -forget, sum) : joins;
      const float next = sum + value;
      lost = (next - sum) - value;
      sum = next;
    }
    pool[2 * f] = sum;
    pool[2 * f + 1] = lost;
    y[f] = sum * scale;
  }
}

// y (keep + steps rows) becomes the last `keep` rows of the stream and the next `steps` rows of x.
// history (keep rows) holds the former less `zero`, the byte that stands for nothing (of int8
// elements; 0 for all others): all zeros ahead of the start. `row`: bytes of a row.
SCANLET_INLINE void scanlet_stream_history(const void* const x, void* const y,
                                           uint8_t* const history, const int32_t keep,
                                           const int32_t steps, const int32_t row,
                                           const uint8_t zero) {
  const ptrdiff_t kept = (ptrdiff_t)keep * row;
  const ptrdiff_t added = (ptrdiff_t)steps * row;
  const uint8_t* const from = x;
  uint8_t* const to = y;
  for (ptrdiff_t i = 0; i < kept; ++i) to[i] = (uint8_t)(history[i] + zero);
  for (ptrdiff_t i = 0; i < added; ++i) to[kept + i] = from[i];
  for (ptrdiff_t i = 0; i < kept; ++i) history[i] = (uint8_t)(to[added + i] - zero);
}

#endif  // SCANLET_KERNELS_STREAM_H_
