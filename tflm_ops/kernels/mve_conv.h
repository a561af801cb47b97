// SPDX-License-Identifier: Apache-2.0
// Causal depthwise convolution and SiLU of four channels at a time, one in each lane.
#ifndef SCANLET_KERNELS_MVE_CONV_H_
#define SCANLET_KERNELS_MVE_CONV_H_

#include <stddef.h>
#include <stdint.h>

#include "mve.h"

#if SCANLET_MVE

// scanlet_conv_silu_tile for the first four of the channels that are left, with its order of
// additions. K and T are literals.
SCANLET_INLINE void scanlet_mve_conv_silu(float* const x, float* const history,
                                          const float* const weight, const float* const bias,
                                          const int32_t channels, const int32_t K, const int32_t T,
                                          const int32_t steps) {
  const uint32x4_t columns = scanlet_mve_column(T);
  const uint32x4_t past = scanlet_mve_column(K - 1);
  const uint32x4_t taps = scanlet_mve_column(K);
  float32x4_t window[32];
  float32x4_t w[32];
  SCANLET_UNROLL(8)
  for (int32_t k = 0; k < K; ++k) w[k] = scanlet_mve_load_column(weight + k, taps, channels);
  SCANLET_UNROLL(8)
  for (int32_t k = 0; k < K - 1; ++k) {
    window[k] = scanlet_mve_load_column(history + k, past, channels);
  }
  const uint32x4_t next = scanlet_mve_column(1);
  const float32x4_t offset =
      bias != NULL ? scanlet_mve_load_column(bias, next, channels) : vdupq_n_f32(0.0f);
  SCANLET_UNROLL(1)
  for (int32_t t = 0; t < steps; ++t) {
    float32x4_t newest = scanlet_mve_load_column(x + t, columns, channels);
    float32x4_t sum = offset;
    SCANLET_UNROLL(8)
    for (int32_t k = 0; k < K - 1; ++k) sum = vfmaq_f32(sum, w[k], window[k]);
    sum = vfmaq_f32(sum, w[K - 1], newest);
    scanlet_mve_store_column(x + t, columns, channels, scanlet_mve_silu(sum));
    SCANLET_UNROLL(8)
    for (int32_t k = K - 2; k >= 0; --k) {  // by hand: no compiler makes a memmove of it
      const float32x4_t older = window[k];
      window[k] = newest;
      newest = older;
    }
  }
  SCANLET_UNROLL(8)
  for (int32_t k = 0; k < K - 1; ++k) {
    scanlet_mve_store_column(history + k, past, channels, window[k]);
  }
}

#endif  // SCANLET_MVE

#endif  // SCANLET_KERNELS_MVE_CONV_H_
