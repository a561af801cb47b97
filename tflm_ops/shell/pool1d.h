// SPDX-License-Identifier: Apache-2.0
// Sliding mean or maximum along time. As in TFLM, a maximum starts at the lowest finite number and
// leaves NaN out.
#ifndef SCANLET_SHELL_POOL1D_H_
#define SCANLET_SHELL_POOL1D_H_

#include <stddef.h>
#include <stdint.h>

// x (length, channels) -> y (out_length, channels); `mean` 1 averages, 0 takes the maximum.
static inline void scanlet_pool1d(const float* x, float* y, const int32_t out_length,
                                  const int32_t channels, const int32_t kernel,
                                  const int32_t stride, const int32_t mean) {
  const float scale = 1.0f / (float)kernel;
  for (int32_t t = 0; t < out_length; ++t) {
    for (int32_t c = 0; c < channels; ++c) {
      const float* const in = x + (ptrdiff_t)t * stride * channels + c;
      float value = mean ? in[0] : -3.40282347e+38f;
      for (int32_t k = mean ? 1 : 0; k < kernel; ++k) {
        const float next = in[(ptrdiff_t)k * channels];
        if (mean != 0) {
          value += next;
        } else if (next > value) {
          value = next;
        }
      }
      y[(ptrdiff_t)t * channels + c] = mean != 0 ? value * scale : value;
    }
  }
}

#endif  // SCANLET_SHELL_POOL1D_H_
