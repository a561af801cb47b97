// SPDX-License-Identifier: Apache-2.0
// Product of packed weights with a tile of four steps: the four outputs of a block are one vector.
#ifndef SCANLET_KERNELS_MVE_PRODUCT_H_
#define SCANLET_KERNELS_MVE_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "mve.h"

#if SCANLET_MVE

// scanlet_product_whole for the first `columns` of T steps, four or one, with its order of
// additions; what y holds for the others is arbitrary. T and columns are literals.
SCANLET_INLINE void scanlet_mve_product_columns(const float* restrict weight,
                                                const float* restrict x, const int32_t depth,
                                                const int32_t chunk, const float* const bias,
                                                float* restrict const y, const int32_t T,
                                                const int32_t columns) {
  const float32x4_t none = vdupq_n_f32(-0.0f);
  float32x4x4_t sum = {{none, none, none, none}};
  for (int32_t start = 0; start < depth; start += chunk) {
    const int32_t left = depth - start;
    const int32_t count = left < chunk ? left : chunk;
    float32x4_t part[4] = {none, none, none, none};
    for (int32_t k = 0; k < count; ++k) {
      const float32x4_t w = vldrwq_f32(weight);
      SCANLET_UNROLL(4)
      for (int32_t t = 0; t < columns; ++t) part[t] = vfmaq_n_f32(part[t], w, x[t]);
      weight += 4;
      x += T;
    }
    const float32x4_t offset = start > 0 || bias == NULL ? none : vldrwq_f32(bias);
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < columns; ++t) {
      sum.val[t] = vaddq_f32(start > 0 ? sum.val[t] : offset, part[t]);
    }
  }
  if (T == 1) {
    vstrwq_f32(y, sum.val[0]);
  } else {
    vst4q_f32(y, sum);  // from a vector a step to a row an output
  }
}

SCANLET_NOINLINE void scanlet_mve_product_block(const float* const weight, const float* const x,
                                                const int32_t depth, const int32_t chunk,
                                                const float* const bias, float* const y) {
  scanlet_mve_product_columns(weight, x, depth, chunk, bias, y, 4, 4);
}

SCANLET_NOINLINE void scanlet_mve_product_one(const float* const weight, const float* const x,
                                              const int32_t depth, const int32_t chunk,
                                              const float* const bias, float* const y) {
  scanlet_mve_product_columns(weight, x, depth, chunk, bias, y, 1, 1);
}

// The first `steps` < 4 columns.
SCANLET_INLINE void scanlet_mve_product_part(const float* const weight, const float* const x,
                                             const int32_t depth, const int32_t chunk,
                                             const float* const bias, float* const y,
                                             const int32_t steps) {
  if (steps == 1) scanlet_mve_product_columns(weight, x, depth, chunk, bias, y, 4, 1);
  if (steps == 2) scanlet_mve_product_columns(weight, x, depth, chunk, bias, y, 4, 2);
  if (steps == 3) scanlet_mve_product_columns(weight, x, depth, chunk, bias, y, 4, 3);
}

#endif  // SCANLET_MVE

#endif  // SCANLET_KERNELS_MVE_PRODUCT_H_
