// SPDX-License-Identifier: Apache-2.0
// Causal depthwise convolution and SiLU of eight channels at a time.
#ifndef SCANLET_KERNELS_MVE_INT_CONV_H_
#define SCANLET_KERNELS_MVE_INT_CONV_H_

#include <stddef.h>
#include <stdint.h>

#include "mve_int.h"

#if SCANLET_INT_MVE

// See scanlet_mve_int_conv. Literal: K, else the window lies in memory.
SCANLET_INLINE void scanlet_mve_int_taps(int16_t* const x, int16_t* const history,
                                         const int16_t* const weight,
                                         const scanlet_channel* const channel,
                                         const int32_t channels, const int32_t K,
                                         const int32_t steps, const int32_t x_k,
                                         const int32_t depth) {
  for (int32_t e = 0; e < channels; e += 8) {
    int16x8_t window[SCANLET_INT_MAX_D_CONV];
    SCANLET_UNROLL(8)
    for (int32_t j = 0; j < K - 1; ++j) window[j] = vldrhq_s16(history + j * depth + e);
    const scanlet_mve_int_wide bias = scanlet_mve_int_field(&channel[e].conv_bias);
    const scanlet_mve_int_wide factor = scanlet_mve_int_field(&channel[e].conv_factor);
    const scanlet_mve_int_shifts shifts =
        scanlet_mve_int_shifts_of(scanlet_mve_int_field(&channel[e].conv_fraction));
    int16_t* at = x + (ptrdiff_t)e * x_k;
    SCANLET_UNROLL(1)
    for (int32_t t = 0; t < steps; ++t) {
      int16x8_t newest = vldrhq_s16(at);
      const int16_t* const last = weight + (K - 1) * depth + e;
      scanlet_mve_int_wide sum =
          scanlet_mve_int_add(bias, scanlet_mve_int_multiply(vldrhq_s16(last), newest));
      SCANLET_UNROLL(8)
      for (int32_t j = 0; j < K - 1; ++j) {
        const int16x8_t w = vldrhq_s16(weight + j * depth + e);
        sum = scanlet_mve_int_add(sum, scanlet_mve_int_multiply(w, window[j]));
      }
      vstrhq_s16(at, scanlet_mve_int_silu(
                         scanlet_mve_int_narrow(scanlet_mve_int_scale(sum, factor)), shifts));
      at += 8;
      SCANLET_UNROLL(8)
      for (int32_t j = K - 2; j >= 0; --j) {  // by hand: no compiler makes a memmove of it
        const int16x8_t older = window[j];
        window[j] = newest;
        newest = older;
      }
    }
    SCANLET_UNROLL(8)
    for (int32_t j = 0; j < K - 1; ++j) vstrhq_s16(history + j * depth + e, window[j]);
  }
}

// scanlet_int_conv; x (channels / 8, T, 8), history and weight (K - 1 or K, depth).
SCANLET_NOINLINE void scanlet_mve_int_conv(int16_t* const x, int16_t* const history,
                                           const int16_t* const weight,
                                           const scanlet_channel* const channel,
                                           const int32_t channels, const int32_t K,
                                           const int32_t steps, const int32_t x_k,
                                           const int32_t depth) {
  if (K == 4) {
    scanlet_mve_int_taps(x, history, weight, channel, channels, 4, steps, x_k, depth);
  } else {
    scanlet_mve_int_taps(x, history, weight, channel, channels, K, steps, x_k, depth);
  }
}

#endif  // SCANLET_INT_MVE

#endif  // SCANLET_KERNELS_MVE_INT_CONV_H_
