// SPDX-License-Identifier: Apache-2.0
// Between tensors (step, feature) of int8 or int16 and tiles of int16; out_proj writes the former.
#ifndef SCANLET_KERNELS_INT_TILE_IO_H_
#define SCANLET_KERNELS_INT_TILE_IO_H_

#include <stddef.h>
#include <stdint.h>

#include "int_layout.h"
#include "int_product.h"
#include "int_scale.h"
#include "madd.h"
#include "mve_int_load.h"
#include "mve_int_output.h"

// The int16 values at a byte offset (a multiple of 16) of a 16-byte aligned block.
SCANLET_INLINE int16_t* scanlet_shorts(uint8_t* const block, const size_t offset) {
  return (int16_t*)(void*)(block + offset);
}

SCANLET_INLINE int32_t* scanlet_words(uint8_t* const block, const size_t offset) {
  return (int32_t*)(void*)(block + offset);
}

// `steps` rows of x, less the zero point, as columns of a tile: row t starts at element first + t *
// row (negative: backwards in time). int16 values with a zero point of 0, or int8: |difference| <=
// 255. Literal: bytes (1 or 2 an element), the strides.
SCANLET_INLINE void scanlet_int_load(const void* const x, const int32_t bytes,
                                     const ptrdiff_t first, const ptrdiff_t row,
                                     const int32_t zero_point, int16_t* const tile,
                                     const int32_t features, const int32_t steps,
                                     const int32_t k_stride, const int32_t t_stride) {
#if SCANLET_INT_MVE
  scanlet_mve_int_load(x, bytes, first, row, zero_point, tile, features, steps, k_stride);
  (void)t_stride;
#else
  for (int32_t t = 0; t < steps; ++t) {
    const ptrdiff_t from = first + t * row;
    for (int32_t k = 0; k < features; ++k) {
      const int32_t value =
          bytes == 1 ? ((const int8_t*)x)[from + k] : ((const int16_t*)x)[from + k];
      tile[scanlet_int_place(k, k_stride) + t * t_stride] = (int16_t)(value - zero_point);
    }
  }
#endif
}

// out_proj and the residual, stored: y[first + t * row + o] = saturate(scale(bias + product,
// factor) + zero point). With a residual r (element (o, t) at o * r_k + t * r_t), products and r
// count in sixteenths: (product + scale(r * 2^16, r_factor) + 8) / 16; their sum is below 2^31.
// Literal: bytes (1 or 2 an element), T, the strides.
SCANLET_INLINE void scanlet_int_output(const int8_t* weight, const scanlet_row* rows,
                                       const int16_t* const g, const int16_t* const r,
                                       const int32_t r_factor, const int32_t r_k, const int32_t r_t,
                                       void* const y, const int32_t bytes, const ptrdiff_t first,
                                       const ptrdiff_t row, const int32_t zero_point,
                                       const int32_t outputs, const int32_t depth, const int32_t T,
                                       const int32_t steps) {
#if SCANLET_INT_MVE
  scanlet_mve_int_output(weight, rows, g, r, r_factor, r_k, y, bytes, first, row, zero_point,
                         outputs, depth, T, steps);
  (void)r_t;
#else
  for (int32_t o = 0; o < outputs; o += SCANLET_INT_LANES) {
    int32_t acc[SCANLET_INT_LANES * SCANLET_INT_MAX_T];
    scanlet_int_block(weight, rows, g, depth, T, steps, acc);
    const int32_t left = outputs - o;
    const int32_t count = left < SCANLET_INT_LANES ? left : SCANLET_INT_LANES;
    for (int32_t i = 0; i < count; ++i) {
      for (int32_t t = 0; t < steps; ++t) {
        int32_t value = scanlet_scale(acc[i * T + t], rows[i].factor);
        if (r != NULL) {
          const int32_t stream = r[scanlet_int_place(o + i, r_k) + t * r_t];
          value = (value + scanlet_scale(stream * 65536, r_factor) + 8) >> 4;
        }
        const ptrdiff_t to = first + t * row + o + i;
        if (bytes == 1) {
          ((int8_t*)y)[to] = (int8_t)scanlet_saturate8(value + zero_point);
        } else {
          ((int16_t*)y)[to] = (int16_t)scanlet_saturate16(value + zero_point);
        }
      }
    }
    weight += (ptrdiff_t)SCANLET_INT_LANES * depth;
    rows += SCANLET_INT_LANES;
  }
#endif
}

#endif  // SCANLET_KERNELS_INT_TILE_IO_H_
