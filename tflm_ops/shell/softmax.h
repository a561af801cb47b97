// SPDX-License-Identifier: Apache-2.0
// Softmax over the last axis.
#ifndef SCANLET_SHELL_SOFTMAX_H_
#define SCANLET_SHELL_SOFTMAX_H_

#include <stddef.h>
#include <stdint.h>

#include "../kernels/exp2.h"

// x, y (rows, width)
static inline void scanlet_softmax(const float* x, float* y, const int32_t rows,
                                   const int32_t width) {
  for (int32_t row = 0; row < rows; ++row) {
    float largest = x[0];
    for (int32_t i = 1; i < width; ++i) largest = x[i] > largest ? x[i] : largest;
    float sum = 0.0f;
    for (int32_t i = 0; i < width; ++i) {
      y[i] = scanlet_exp(x[i] - largest);
      sum += y[i];
    }
    const float scale = 1.0f / sum;
    for (int32_t i = 0; i < width; ++i) y[i] *= scale;
    x += width;
    y += width;
  }
}

#endif  // SCANLET_SHELL_SOFTMAX_H_
