// SPDX-License-Identifier: Apache-2.0
// Causal depthwise convolution of a tile's channels with carried history, and SiLU, in place.
#ifndef SCANLET_KERNELS_CONV_H_
#define SCANLET_KERNELS_CONV_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"
#include "mve_conv.h"
#include "silu.h"

// One channel, all steps: x (T,) in and out; history (K - 1,): the last inputs, oldest first,
// updated; weight (K,), weight[K - 1] for the newest. T and K are literals.
SCANLET_INLINE void scanlet_conv_silu(float* const x, float* const history,
                                      const float* const weight, const float bias, const int32_t K,
                                      const int32_t T) {
  float window[32];
  SCANLET_UNROLL(8)
  for (int32_t k = 0; k < K - 1; ++k) window[k] = history[k];
  SCANLET_UNROLL(8)
  for (int32_t t = 0; t < T; ++t) window[K - 1 + t] = x[t];
  SCANLET_UNROLL(8)
  for (int32_t k = 0; k < K - 1; ++k) history[k] = window[T + k];
  SCANLET_UNROLL(8)
  for (int32_t t = 0; t < T; ++t) {
    float sum = bias;
    SCANLET_UNROLL(8)
    for (int32_t k = 0; k < K; ++k) sum = SCANLET_MADD(sum, weight[k], window[t + k]);
    x[t] = scanlet_silu(sum);
  }
}

// The first `steps` of the steps, one by one. K is a literal.
SCANLET_INLINE void scanlet_conv_silu_steps(float* const x, float* const history,
                                            const float* const weight, const float bias,
                                            const int32_t K, const int32_t steps) {
  float window[32];
  SCANLET_UNROLL(8)
  for (int32_t k = 0; k < K - 1; ++k) window[k] = history[k];
  for (int32_t t = 0; t < steps; ++t) {
    float newest = x[t];
    float sum = bias;
    SCANLET_UNROLL(8)
    for (int32_t k = 0; k < K - 1; ++k) sum = SCANLET_MADD(sum, weight[k], window[k]);
    sum = SCANLET_MADD(sum, weight[K - 1], newest);
    x[t] = scanlet_silu(sum);
    SCANLET_UNROLL(8)
    for (int32_t k = K - 2; k >= 0; --k) {  // by hand: no compiler makes a memmove of it
      const float older = window[k];
      window[k] = newest;
      newest = older;
    }
  }
  SCANLET_UNROLL(8)
  for (int32_t k = 0; k < K - 1; ++k) history[k] = window[k];
}

// x (channels, T), the first `steps` columns of it, in place; history (channels, K - 1), weight
// (channels, K), bias (channels,) or NULL. T and K are literals.
SCANLET_INLINE void scanlet_conv_silu_tile(float* const x, float* const history,
                                           const float* const weight, const float* const bias,
                                           const int32_t channels, const int32_t K, const int32_t T,
                                           const int32_t steps) {
#if SCANLET_MVE
  for (int32_t c = 0; c < channels; c += 4) {
    scanlet_mve_conv_silu(x + (ptrdiff_t)c * T, history + (ptrdiff_t)c * (K - 1),
                          weight + (ptrdiff_t)c * K, bias != NULL ? bias + c : NULL, channels - c,
                          K, T, steps);
  }
#else
  for (int32_t c = 0; c < (steps == T ? channels : 0); ++c) {
    scanlet_conv_silu(x + (ptrdiff_t)c * T, history + (ptrdiff_t)c * (K - 1),
                      weight + (ptrdiff_t)c * K, bias != NULL ? bias[c] : 0.0f, K, T);
  }
  for (int32_t c = 0; c < (steps == T ? 0 : channels); ++c) {
    scanlet_conv_silu_steps(x + (ptrdiff_t)c * T, history + (ptrdiff_t)c * (K - 1),
                            weight + (ptrdiff_t)c * K, bias != NULL ? bias[c] : 0.0f, K, steps);
  }
#endif
}

#endif  // SCANLET_KERNELS_CONV_H_
