// SPDX-License-Identifier: Apache-2.0
// Causal depthwise convolution of one channel's tile with carried history, and SiLU, in place.
#ifndef SCANLET_KERNELS_CONV_H_
#define SCANLET_KERNELS_CONV_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"
#include "mve.h"
#include "silu.h"

// x (T,) in and out; history (K - 1,): the last inputs, oldest first, updated by `steps` <= T
// inputs; weight (K,), weight[K - 1] for the newest. T and K are literals.
SCANLET_INLINE void scanlet_conv_silu(float* const x, float* const history,
                                      const float* const weight, const float bias, const int32_t K,
                                      const int32_t T, const int32_t steps) {
  float window[32];
  SCANLET_UNROLL(8)
  for (int32_t k = 0; k < K - 1; ++k) window[k] = history[k];
  SCANLET_UNROLL(8)
  for (int32_t t = 0; t < T; ++t) window[K - 1 + t] = x[t];
  if (steps == T) {
    SCANLET_UNROLL(8)
    for (int32_t k = 0; k < K - 1; ++k) history[k] = window[T + k];
  } else {
    for (int32_t k = 0; k < K - 1; ++k) history[k] = window[steps + k];
  }
#if SCANLET_MVE
  if (T % 4 == 0) {
    for (int32_t t = 0; t < T; t += 4) {
      float32x4_t sum = vdupq_n_f32(bias);
      SCANLET_UNROLL(8)
      for (int32_t k = 0; k < K; ++k) {
        sum = vfmaq_n_f32(sum, vldrwq_f32(window + t + k), weight[k]);
      }
      vstrwq_f32(x + t, scanlet_mve_silu(sum));
    }
    return;
  }
#endif
  SCANLET_UNROLL(8)
  for (int32_t t = 0; t < T; ++t) {
    float sum = bias;
    SCANLET_UNROLL(8)
    for (int32_t k = 0; k < K; ++k) sum = SCANLET_MADD(sum, weight[k], window[t + k]);
    x[t] = scanlet_silu(sum);
  }
}

#endif  // SCANLET_KERNELS_CONV_H_
