// SPDX-License-Identifier: Apache-2.0
// RMS normalization of some rows of a tile, in place: the rows of x_proj for dt, B or C.
#ifndef SCANLET_KERNELS_INNER_NORM_H_
#define SCANLET_KERNELS_INNER_NORM_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"
#include "rsqrt.h"

// x (count, stride, T), its first row of each `stride` and the first `steps` columns; each column
// becomes x / sqrt(mean square + eps) * weight, `weight` (count,) or NULL.
SCANLET_INLINE void scanlet_inner_norm(float* const x, const float* const weight,
                                       const int32_t count, const int32_t stride, const int32_t T,
                                       const int32_t steps, const float eps) {
  const float scale = 1.0f / (float)count;
  const ptrdiff_t next = (ptrdiff_t)stride * T;
  for (int32_t t = 0; t < steps; ++t) {
    float square = 0.0f;
    for (int32_t i = 0; i < count; ++i) {
      const float value = x[i * next + t];
      square = SCANLET_MADD(square, value, value);
    }
    const float factor = scanlet_rsqrt(SCANLET_MADD(eps, square, scale));
    for (int32_t i = 0; i < count; ++i) {
      const float value = x[i * next + t] * factor;
      x[i * next + t] = weight != NULL ? value * weight[i] : value;
    }
  }
}

#endif  // SCANLET_KERNELS_INNER_NORM_H_
