// SPDX-License-Identifier: Apache-2.0
// Causal depthwise convolution of a tile's channels with carried history, and SiLU, in place.
#ifndef SCANLET_KERNELS_INT_CONV_H_
#define SCANLET_KERNELS_INT_CONV_H_

#include <stddef.h>
#include <stdint.h>

#include "arm_int_conv.h"
#include "int_layout.h"
#include "int_scale.h"
#include "int_silu.h"
#include "madd.h"
#include "mve_int_conv.h"

// x: the first `steps` of T columns, in place, element (e, t) at e * x_k + t * x_t. `history`: the
// last K - 1 inputs, oldest first, element (e, j) at e * h_k + j * h_j, updated. `weight` int16,
// element (e, j) at e * w_k + j * w_j, weight K - 1 for the newest input. Bound, by how weights are
// scaled: sum |w| * 2^15 + |bias| < 2^31. Literal: K and the strides.
SCANLET_INLINE void scanlet_int_conv(int16_t* const x, int16_t* const history,
                                     const int16_t* const weight,
                                     const scanlet_channel* const channel, const int32_t channels,
                                     const int32_t K, const int32_t steps, const int32_t x_k,
                                     const int32_t x_t, const int32_t h_k, const int32_t h_j,
                                     const int32_t w_k, const int32_t w_j) {
#if SCANLET_INT_MVE
  scanlet_mve_int_conv(x, history, weight, channel, channels, K, steps, x_k, w_j);
  (void)x_t;
  (void)h_k;
  (void)h_j;
  (void)w_k;
#else
  for (int32_t e = 0; e < channels; ++e) {
    int16_t* at = x + scanlet_int_place(e, x_k);
    int16_t* const past = history + scanlet_int_place(e, h_k);
    const int16_t* const taps = weight + scanlet_int_place(e, w_k);
    const int32_t bias = channel[e].conv_bias;
    const int32_t factor = channel[e].conv_factor;
    const int32_t fraction = channel[e].conv_fraction;
#if SCANLET_ARM_DSP
    if (K <= SCANLET_ARM_INT_TAPS && steps == 4) {
      int32_t sums[4];
      scanlet_arm_int_conv(taps, past, h_j, at, x_t, bias, K, sums);
      SCANLET_UNROLL(4)
      for (int32_t t = 0; t < 4; ++t) {
        const int32_t v = scanlet_saturate16(scanlet_scale(sums[t], factor));
        at[t * x_t] = (int16_t)scanlet_int_silu(v, fraction);
      }
      continue;
    }
#endif
#if SCANLET_XTENSA_MAC16
    if (K == 4) {
      int32_t sums[SCANLET_INT_MAX_T];
      scanlet_xtensa_int_conv(taps, past, h_j, at, 2 * x_t, bias, steps, sums);
      for (int32_t t = 0; t < steps; ++t) {
        const int32_t v = scanlet_saturate16(scanlet_scale(sums[t], factor));
        *at = (int16_t)scanlet_int_silu(v, fraction);
        at += x_t;
      }
      continue;
    }
#endif
    int32_t window[SCANLET_INT_MAX_D_CONV];
    int32_t w[SCANLET_INT_MAX_D_CONV];
    SCANLET_UNROLL(8)
    for (int32_t j = 0; j < K; ++j) w[j] = taps[j * w_j];
    SCANLET_UNROLL(8)
    for (int32_t j = 0; j < K - 1; ++j) window[j] = past[j * h_j];
    for (int32_t t = 0; t < steps; ++t) {
      window[K - 1] = *at;
      int32_t sum = bias;
      SCANLET_UNROLL(8)
      for (int32_t j = 0; j < K; ++j) sum += w[j] * window[j];
      SCANLET_UNROLL(8)
      for (int32_t j = 0; j < K - 1; ++j) window[j] = window[j + 1];
      *at = (int16_t)scanlet_int_silu(scanlet_saturate16(scanlet_scale(sum, factor)), fraction);
      at += x_t;
    }
    SCANLET_UNROLL(8)
    for (int32_t j = 0; j < K - 1; ++j) past[j * h_j] = (int16_t)window[j];
  }
#endif
}

#endif  // SCANLET_KERNELS_INT_CONV_H_
