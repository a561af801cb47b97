// SPDX-License-Identifier: Apache-2.0
// Fully connected layer: y[row][o] = sum_k x[row][k] w[o][k] + b[o], k sequential.
#ifndef SCANLET_SHELL_LINEAR_H_
#define SCANLET_SHELL_LINEAR_H_

#include <stddef.h>
#include <stdint.h>

#include "../kernels/madd.h"
#include "activation.h"

// x (rows, depth), weight (outputs, depth), bias (outputs,) or NULL, y (rows, outputs).
// Four outputs share each activation that is loaded.
static inline void scanlet_linear(const float* x, const float* weight, const float* bias, float* y,
                                  const int32_t rows, const int32_t depth, const int32_t outputs,
                                  const scanlet_activation activation) {
  for (int32_t row = 0; row < rows; ++row) {
    const float* const in = x + (ptrdiff_t)row * depth;
    float* const out = y + (ptrdiff_t)row * outputs;
    int32_t o = 0;
    for (; o + 4 <= outputs; o += 4) {
      const float* const w = weight + (ptrdiff_t)o * depth;
      float a0 = 0.0f;
      float a1 = 0.0f;
      float a2 = 0.0f;
      float a3 = 0.0f;
      for (int32_t k = 0; k < depth; ++k) {
        const float value = in[k];
        a0 = SCANLET_MADD(a0, value, w[k]);
        a1 = SCANLET_MADD(a1, value, w[depth + k]);
        a2 = SCANLET_MADD(a2, value, w[2 * depth + k]);
        a3 = SCANLET_MADD(a3, value, w[3 * depth + k]);
      }
      out[o] = a0;
      out[o + 1] = a1;
      out[o + 2] = a2;
      out[o + 3] = a3;
    }
    for (; o < outputs; ++o) {
      const float* const w = weight + (ptrdiff_t)o * depth;
      float a0 = 0.0f;
      for (int32_t k = 0; k < depth; ++k) a0 = SCANLET_MADD(a0, in[k], w[k]);
      out[o] = a0;
    }
    for (o = 0; o < outputs; ++o) {
      const float sum = bias != NULL ? out[o] + bias[o] : out[o];
      out[o] = scanlet_activate(sum, activation);
    }
  }
}

#endif  // SCANLET_SHELL_LINEAR_H_
