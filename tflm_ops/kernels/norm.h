// SPDX-License-Identifier: Apache-2.0
// Layer and RMS normalization over the channels of a tile (channel-major, one column a step).
#ifndef SCANLET_KERNELS_NORM_H_
#define SCANLET_KERNELS_NORM_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"
#include "rsqrt.h"

// x, y (channels, T), the first `steps` columns; y = (x - mean) / sqrt(variance + eps) * weight +
// bias for `centre` 1, without mean and with the mean square for 0. `weight` and `bias` may be
// NULL.
SCANLET_INLINE void scanlet_norm_tile(const float* const x, float* const y,
                                      const float* const weight, const float* const bias,
                                      const int32_t channels, const int32_t T, const int32_t steps,
                                      const int centre, const float eps) {
  const float scale = 1.0f / (float)channels;
  for (int32_t t = 0; t < steps; ++t) {
    float mean = 0.0f;
    if (centre != 0) {
      for (int32_t c = 0; c < channels; ++c) mean += x[(ptrdiff_t)c * T + t];
      mean *= scale;
    }
    float square = 0.0f;
    for (int32_t c = 0; c < channels; ++c) {
      const float value = x[(ptrdiff_t)c * T + t] - mean;
      square = SCANLET_MADD(square, value, value);
    }
    const float factor = scanlet_rsqrt(SCANLET_MADD(eps, square, scale));
    for (int32_t c = 0; c < channels; ++c) {
      float value = (x[(ptrdiff_t)c * T + t] - mean) * factor;
      if (weight != NULL) value *= weight[c];
      if (bias != NULL) value += bias[c];
      y[(ptrdiff_t)c * T + t] = value;
    }
  }
}

#endif  // SCANLET_KERNELS_NORM_H_
