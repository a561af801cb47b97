// SPDX-License-Identifier: Apache-2.0
// Time pooling of a tile's channels.
#ifndef SCANLET_KERNELS_POOL_H_
#define SCANLET_KERNELS_POOL_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"
#include "mve.h"

#if SCANLET_MVE
// scanlet_pool_mean_tile for whole vectors of channels and T = 4.
SCANLET_INLINE void scanlet_mve_pool_mean_tile(const float* const tile, float* const pool,
                                               const int32_t channels, const int32_t steps) {
  for (int32_t c = 0; c < channels; c += 4) {
    const float32x4x4_t columns = vld4q_f32(tile + (ptrdiff_t)c * 4);  // val[t]: 4 channels
    float32x4x2_t state = vld2q_f32(pool + 2 * c);
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < 4; ++t) {
      if (t >= steps) break;
      const float32x4_t value = vsubq_f32(columns.val[t], state.val[1]);
      const float32x4_t next = vaddq_f32(state.val[0], value);
      state.val[1] = vsubq_f32(vsubq_f32(next, state.val[0]), value);
      state.val[0] = next;
    }
    vst2q_f32(pool + 2 * c, state);
  }
}
#endif

// Adds the first `steps` columns of each channel, oldest first, to pool (channels, 2): a sum and
// what rounding has taken from it so far (Kahan 1965), so that a long mean stays as accurate as a
// short one.
SCANLET_INLINE void scanlet_pool_mean_tile(const float* const tile, float* const pool,
                                           const int32_t channels, const int32_t T,
                                           const int32_t steps) {
#if SCANLET_MVE
  if (T == 4 && channels % 4 == 0) {
    if (steps == T) {
      scanlet_mve_pool_mean_tile(tile, pool, channels, 4);
    } else {
      scanlet_mve_pool_mean_tile(tile, pool, channels, steps);
    }
    return;
  }
#endif
  for (int32_t c = 0; c < channels; ++c) {
    const float* const row = tile + (ptrdiff_t)c * T;
    float sum = pool[2 * c];
    float lost = pool[2 * c + 1];
    for (int32_t t = 0; t < steps; ++t) {
      const float value = row[t] - lost;
      const float next = sum + value;
      lost = (next - sum) - value;
      sum = next;
    }
    pool[2 * c] = sum;
    pool[2 * c + 1] = lost;
  }
}

// sums (channels, 2) of `length` steps become means (channels,), which may lie in their place.
SCANLET_INLINE void scanlet_pool_mean_finish(const float* const sums, float* const means,
                                             const int32_t channels, const int32_t length) {
  const float scale = 1.0f / (float)length;
  for (int32_t c = 0; c < channels; ++c) means[c] = sums[2 * c] * scale;
}

// Steps that a running mean counts behind `steps` more: no more than its window.
SCANLET_INLINE int32_t scanlet_seen(const int32_t seen, const int32_t steps, const int32_t window) {
  return steps < window - seen ? seen + steps : window;
}

// scanlet_pool_mean_tile past the window: the sum's mean leaves it for each value that joins.
SCANLET_NOINLINE void scanlet_pool_forget_tile(const float* const tile, float* const pool,
                                               const int32_t channels, const int32_t T,
                                               const int32_t steps, const int32_t seen,
                                               const int32_t window) {
  const float scale = 1.0f / (float)window;
  for (int32_t c = 0; c < channels; ++c) {
    const float* const row = tile + (ptrdiff_t)c * T;
    float sum = pool[2 * c];
    float lost = pool[2 * c + 1];
    for (int32_t t = 0; t < steps; ++t) {
      const float joins = row[t] - lost;
      const float value = seen + t >= window ? SCANLET_MADD(joins, -scale, sum) : joins;
      const float next = sum + value;
      lost = (next - sum) - value;
      sum = next;
    }
    pool[2 * c] = sum;
    pool[2 * c + 1] = lost;
  }
}

// scanlet_pool_mean_tile for a running mean that counts `seen` steps so far.
SCANLET_INLINE void scanlet_pool_running_tile(const float* const tile, float* const pool,
                                              const int32_t channels, const int32_t T,
                                              const int32_t steps, const int32_t seen,
                                              const int32_t window) {
  if (steps <= window - seen) {
    scanlet_pool_mean_tile(tile, pool, channels, T, steps);
  } else {
    scanlet_pool_forget_tile(tile, pool, channels, T, steps, seen, window);
  }
}

// pool (channels,) becomes the newest of the first `steps` columns.
SCANLET_INLINE void scanlet_pool_last_tile(const float* const tile, float* const pool,
                                           const int32_t channels, const int32_t T,
                                           const int32_t steps) {
  for (int32_t c = 0; c < channels; ++c) pool[c] = tile[(ptrdiff_t)c * T + steps - 1];
}

#endif  // SCANLET_KERNELS_POOL_H_
