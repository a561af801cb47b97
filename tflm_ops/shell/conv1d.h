// SPDX-License-Identifier: Apache-2.0
// Convolution along time in time-major layout, dense or depthwise, zero padding.
#ifndef SCANLET_SHELL_CONV1D_H_
#define SCANLET_SHELL_CONV1D_H_

#include <stddef.h>
#include <stdint.h>

#include "../kernels/madd.h"
#include "activation.h"

typedef struct {
  int32_t length;
  int32_t channels;
  int32_t out_length;
  int32_t out_channels;
  int32_t kernel;
  int32_t stride;
  int32_t dilation;
  int32_t left_padding;
  int32_t depthwise;  // 1: weight (out_channels, kernel, 1), output c reads input c * C_in / C_out
  scanlet_activation activation;
} scanlet_conv1d_shape;

// x (length, channels), weight (out_channels, kernel, channels), bias or NULL,
// y (out_length, out_channels). Taps outside the input count as zero.
static inline void scanlet_conv1d(const float* x, const float* weight, const float* bias, float* y,
                                  const scanlet_conv1d_shape* const s) {
  const int32_t depth = s->depthwise ? 1 : s->channels;
  const int32_t multiplier = s->depthwise ? s->out_channels / s->channels : 1;
  for (int32_t t = 0; t < s->out_length; ++t) {
    for (int32_t o = 0; o < s->out_channels; ++o) {
      const float* const w = weight + (ptrdiff_t)o * s->kernel * depth;
      float sum = 0.0f;
      for (int32_t tap = 0; tap < s->kernel; ++tap) {
        const int32_t at = t * s->stride + tap * s->dilation - s->left_padding;
        if (at < 0 || at >= s->length) continue;
        const float* const in =
            x + (ptrdiff_t)at * s->channels + (s->depthwise ? o / multiplier : 0);
        for (int32_t k = 0; k < depth; ++k) {
          sum = SCANLET_MADD(sum, in[k], w[(ptrdiff_t)tap * depth + k]);
        }
      }
      if (bias != NULL) sum += bias[o];
      y[(ptrdiff_t)t * s->out_channels + o] = scanlet_activate(sum, s->activation);
    }
  }
}

#endif  // SCANLET_SHELL_CONV1D_H_
