// SPDX-License-Identifier: Apache-2.0
// Product of packed weights with a tile of four steps: the four outputs of a block are one vector.
#ifndef SCANLET_KERNELS_MVE_PRODUCT_H_
#define SCANLET_KERNELS_MVE_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "mve.h"

#if SCANLET_MVE

// sum[t] = bias + sum_k weight[k] * x[k][t] over `depth` products for four steps; the order of
// additions is scanlet_product_block's.
SCANLET_INLINE void scanlet_mve_product_block(const float* weight, const float* x,
                                              const int32_t depth, const int32_t x_k,
                                              const int32_t x_t, const int32_t chunk,
                                              const float* const bias, float32x4_t sum[4]) {
  const float32x4_t zero = vdupq_n_f32(0.0f);
  const float32x4_t start_value = bias != NULL ? vldrwq_f32(bias) : zero;
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < 4; ++t) sum[t] = start_value;
  for (int32_t start = 0; start < depth; start += chunk) {
    const int32_t left = depth - start;
    const int32_t count = left < chunk ? left : chunk;
    float32x4_t part0 = zero, part1 = zero, part2 = zero, part3 = zero;
    for (int32_t k = 0; k < count; ++k) {
      const float32x4_t w = vldrwq_f32(weight);
      part0 = vfmaq_n_f32(part0, w, x[0]);
      part1 = vfmaq_n_f32(part1, w, x[x_t]);
      part2 = vfmaq_n_f32(part2, w, x[2 * x_t]);
      part3 = vfmaq_n_f32(part3, w, x[3 * x_t]);
      weight += 4;
      x += x_k;
    }
    sum[0] = vaddq_f32(sum[0], part0);
    sum[1] = vaddq_f32(sum[1], part1);
    sum[2] = vaddq_f32(sum[2], part2);
    sum[3] = vaddq_f32(sum[3], part3);
  }
}

// A whole block of four outputs into y: output i of step t at i * y_o + t * y_t.
SCANLET_INLINE void scanlet_mve_product_tile(const float* const weight, const float* const x,
                                             const int32_t depth, const int32_t x_k,
                                             const int32_t x_t, const int32_t chunk,
                                             const float* const bias, float* const y,
                                             const int32_t y_o, const int32_t y_t) {
  float32x4_t sum[4];
  scanlet_mve_product_block(weight, x, depth, x_k, x_t, chunk, bias, sum);
  if (y_o == 1) {
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < 4; ++t) vstrwq_f32(y + t * y_t, sum[t]);
  } else {
    const uint32x4_t lanes = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)y_o);
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < 4; ++t) vstrwq_scatter_shifted_offset_f32(y + t * y_t, lanes, sum[t]);
  }
}

// As scanlet_product_block with T = 4: sum[lane][t].
SCANLET_INLINE void scanlet_mve_product_rows(const float* const weight, const float* const x,
                                             const int32_t depth, const int32_t x_k,
                                             const int32_t x_t, const int32_t chunk,
                                             const float* const bias, float* const rows,
                                             const int32_t row) {
  float32x4_t sum[4];
  scanlet_mve_product_block(weight, x, depth, x_k, x_t, chunk, bias, sum);
  // Lane i of sum[t] belongs at rows[i * row + t].
  const uint32x4_t lanes = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)row);
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < 4; ++t) vstrwq_scatter_shifted_offset_f32(rows + t, lanes, sum[t]);
}

#endif  // SCANLET_MVE

#endif  // SCANLET_KERNELS_MVE_PRODUCT_H_
