// SPDX-License-Identifier: Apache-2.0
// Product of packed weights with a tile of four steps: the four outputs of a block are one vector.
#ifndef SCANLET_KERNELS_MVE_PRODUCT_H_
#define SCANLET_KERNELS_MVE_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "mve.h"

#if SCANLET_MVE

// scanlet_product_block for four steps, with its order of additions.
static __attribute__((noinline, unused)) void scanlet_mve_product_block(
    const float* restrict weight, const float* restrict x, const int32_t depth, const int32_t chunk,
    const float* const bias, float* restrict const y) {
  float32x4x4_t sum;
  for (int32_t start = 0; start < depth; start += chunk) {
    const int32_t left = depth - start;
    const int32_t count = left < chunk ? left : chunk;
    float32x4_t part0 = vdupq_n_f32(-0.0f), part1 = part0, part2 = part0, part3 = part0;
    for (int32_t k = 0; k < count; ++k) {
      const float32x4_t w = vldrwq_f32(weight);
      part0 = vfmaq_n_f32(part0, w, x[0]);
      part1 = vfmaq_n_f32(part1, w, x[1]);
      part2 = vfmaq_n_f32(part2, w, x[2]);
      part3 = vfmaq_n_f32(part3, w, x[3]);
      weight += 4;
      x += 4;
    }
    if (start > 0) {
      part0 = vaddq_f32(sum.val[0], part0);
      part1 = vaddq_f32(sum.val[1], part1);
      part2 = vaddq_f32(sum.val[2], part2);
      part3 = vaddq_f32(sum.val[3], part3);
    } else if (bias != NULL) {
      const float32x4_t offset = vldrwq_f32(bias);
      part0 = vaddq_f32(offset, part0);
      part1 = vaddq_f32(offset, part1);
      part2 = vaddq_f32(offset, part2);
      part3 = vaddq_f32(offset, part3);
    }
    sum.val[0] = part0;
    sum.val[1] = part1;
    sum.val[2] = part2;
    sum.val[3] = part3;
  }
  vst4q_f32(y, sum);  // from a vector a step to a row an output
}

#endif  // SCANLET_MVE

#endif  // SCANLET_KERNELS_MVE_PRODUCT_H_
