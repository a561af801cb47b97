// SPDX-License-Identifier: Apache-2.0
// Time pooling in integers.
#ifndef SCANLET_KERNELS_INT_POOL_H_
#define SCANLET_KERNELS_INT_POOL_H_

#include <stddef.h>
#include <stdint.h>

#include "int_layout.h"
#include "int_scale.h"
#include "madd.h"
#include "mve_int_pool.h"

// Sums are below 2^31: at most 65,535 steps (prepare checks) of at most 2^15.
#define SCANLET_INT_MAX_POOLED 65535

SCANLET_INLINE void scanlet_int_clear(int32_t* const sums, const int32_t count) {
  for (int32_t i = 0; i < count; ++i) sums[i] = 0;
}

// The sum of `steps` values; a literal, or not.
SCANLET_INLINE int32_t scanlet_int_sum(const int16_t* at, const int32_t steps, const int32_t x_t) {
  int32_t sum = 0;
  SCANLET_UNROLL(8)
  for (int32_t t = 0; t < steps; ++t) sum += at[t * x_t];
  return sum;
}

// Adds the first `steps` of T columns of each row of x to its sum; element (i, t) at i * x_k + t *
// x_t. Literal: T, the strides.
SCANLET_INLINE void scanlet_int_pool(const int16_t* const x, int32_t* const sums,
                                     const int32_t count, const int32_t T, const int32_t steps,
                                     const int32_t x_k, const int32_t x_t) {
#if SCANLET_INT_MVE
  scanlet_mve_int_pool(x, sums, count, steps, x_k);
  (void)T;
  (void)x_t;
#else
  for (int32_t i = 0; i < count; ++i) {
    const int16_t* const at = x + scanlet_int_place(i, x_k);
    sums[i] += steps == T ? scanlet_int_sum(at, T, x_t) : scanlet_int_sum(at, steps, x_t);
  }
#endif
}

// sum / length times 2^fraction, to nearest, halves away from zero; fraction <= 15, length < 2^16,
// |sum| <= length * 2^15. The remainder is below 2^16: shifted and with half of length, below 2^32.
SCANLET_INLINE int32_t scanlet_int_mean(const int32_t sum, const int32_t length,
                                        const int32_t fraction) {
  const uint32_t steps = (uint32_t)length;
  const uint32_t size = sum < 0 ? 0u - (uint32_t)sum : (uint32_t)sum;
  const uint32_t whole = size / steps;
  const uint32_t rest = size - whole * steps;
  const uint32_t mean = (whole << fraction) + ((rest << fraction) + steps / 2) / steps;
  return sum < 0 ? -(int32_t)mean : (int32_t)mean;
}

// Steps that a running mean counts behind `steps` more: no more than its window.
SCANLET_INLINE int32_t scanlet_int_seen(const int32_t seen, const int32_t steps,
                                        const int32_t window) {
  return steps < window - seen ? seen + steps : window;
}

// scanlet_int_pool past the window: the sum's mean leaves it for each value that joins.
SCANLET_NOINLINE void scanlet_int_pool_forget(const int16_t* const x, int32_t* const sums,
                                              const int32_t count, const int32_t steps,
                                              const int32_t x_k, const int32_t x_t,
                                              const int32_t seen, const int32_t window) {
  for (int32_t i = 0; i < count; ++i) {
    const int16_t* const at = x + scanlet_int_place(i, x_k);
    int32_t sum = sums[i];
    for (int32_t t = 0; t < steps; ++t) {
      if (seen + t >= window) sum -= scanlet_int_mean(sum, window, 0);
      sum += at[t * x_t];
    }
    sums[i] = sum;
  }
}

// scanlet_int_pool for a running mean that counts `seen` <= window <= SCANLET_INT_MAX_POOLED steps.
SCANLET_INLINE void scanlet_int_pool_running(const int16_t* const x, int32_t* const sums,
                                             const int32_t count, const int32_t T,
                                             const int32_t steps, const int32_t x_k,
                                             const int32_t x_t, const int32_t seen,
                                             const int32_t window) {
  if (steps <= window - seen) {
    scanlet_int_pool(x, sums, count, T, steps, x_k, x_t);
  } else {
    scanlet_int_pool_forget(x, sums, count, steps, x_k, x_t, seen, window);
  }
}

// The sums of each channel's g become out_proj's input (count,).
SCANLET_INLINE void scanlet_int_pool_mean(const int32_t* const sums,
                                          const scanlet_channel* const channel, int16_t* const y,
                                          const int32_t count, const int32_t length) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t mean = scanlet_int_mean(sums[i], length, 15);
    y[i] = (int16_t)scanlet_saturate16(scanlet_scale(mean, channel[i].pool_factor));
  }
}

// The sums of the residual stream become their means (count,).
SCANLET_INLINE void scanlet_int_pool_residual(const int32_t* const sums, int16_t* const r,
                                              const int32_t count, const int32_t length) {
  for (int32_t i = 0; i < count; ++i) r[i] = (int16_t)scanlet_int_mean(sums[i], length, 0);
}

// g at step `last` of a tile becomes out_proj's input (count,), in place: no element is read after
// one at its address was written. Element (i, t) of g lies at i * g_k + t * g_t.
SCANLET_INLINE void scanlet_int_pool_last(int16_t* const g, const scanlet_channel* const channel,
                                          const int32_t count, const int32_t last,
                                          const int32_t g_k, const int32_t g_t) {
  for (int32_t i = 0; i < count; ++i) {
    const int32_t value = g[scanlet_int_place(i, g_k) + last * g_t] * 32768;
    g[i] = (int16_t)scanlet_saturate16(scanlet_scale(value, channel[i].pool_factor));
  }
}

#endif  // SCANLET_KERNELS_INT_POOL_H_
