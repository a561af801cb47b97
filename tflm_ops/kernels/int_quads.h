// SPDX-License-Identifier: Apache-2.0
// Products with an input tile that only they read: SCANLET_ROWS_DSP, T = 4.
//
// Four k of the first step, of the second, third and fourth, then the next four k: element (k, t)
// at (k / 4 * 4 + t) * 4 + k % 4. One pointer walks it, and one load gives four k of two steps.
#ifndef SCANLET_KERNELS_INT_QUADS_H_
#define SCANLET_KERNELS_INT_QUADS_H_

#include <stddef.h>
#include <stdint.h>

#include "arm_int_quads.h"
#include "int_layout.h"
#include "int_product.h"
#include "int_scale.h"
#include "madd.h"

// scanlet_int_load for such a tile. The columns beyond `steps` keep what they hold. Literal: bytes.
SCANLET_INLINE void scanlet_int_quads_load(const void* const x, const int32_t bytes,
                                           const ptrdiff_t first, const ptrdiff_t row,
                                           const int32_t zero_point, int16_t* const tile,
                                           const int32_t features, const int32_t steps) {
  for (int32_t t = 0; t < steps; ++t) {
    const ptrdiff_t from = first + t * row;
    for (int32_t k = 0; k < features; ++k) {
      const int32_t value =
          bytes == 1 ? ((const int8_t*)x)[from + k] : ((const int16_t*)x)[from + k];
      tile[((k & ~3) + t) * 4 + (k & 3)] = (int16_t)(value - zero_point);
    }
  }
}

// scanlet_int_block for such a tile: acc (SCANLET_INT_LANES, 4), all four columns; those beyond the
// steps that are there have no meaning.
SCANLET_NOINLINE void scanlet_int_quads_block(const int8_t* weight, const scanlet_row* const rows,
                                              const int16_t* const x, const int32_t depth,
                                              int32_t* acc) {
#if SCANLET_ARM_DSP
  scanlet_arm_int_quads(weight, &rows->bias, x, depth, acc);
#else
  for (int32_t i = 0; i < SCANLET_INT_LANES; ++i) {
    for (int32_t t = 0; t < 4; ++t) {
      uint32_t sum = (uint32_t)rows[i].bias;  // wraps where a column holds anything
      for (int32_t k = 0; k < depth; ++k) {
        const int32_t from = (k & 3) == 0 || (k & 3) == 3 ? k : k ^ 3;
        sum += (uint32_t)(weight[from] * x[((k & ~3) + t) * 4 + (k & 3)]);
      }
      acc[t] = (int32_t)sum;
    }
    weight += depth;
    acc += 4;
  }
#endif
}

// scanlet_int_rows for such a tile.
SCANLET_NOINLINE void scanlet_int_quads_rows(const int8_t* weight, const scanlet_row* rows,
                                             const int16_t* const x, int16_t* y,
                                             const int32_t outputs, const int32_t depth,
                                             const int32_t steps, const int32_t y_k,
                                             const int32_t y_t) {
  int32_t acc[SCANLET_INT_LANES * 4];
  for (int32_t left = outputs; left > 0; left -= SCANLET_INT_LANES) {
    scanlet_int_quads_block(weight, rows, x, depth, acc);
    const int32_t count = left < SCANLET_INT_LANES ? left : SCANLET_INT_LANES;
    for (int32_t i = 0; i < count; ++i) {
      if (steps == 4) {
        scanlet_int_round(acc + i * 4, rows[i].factor, y, y_t, 4);
      } else {
        scanlet_int_round(acc + i * 4, rows[i].factor, y, y_t, steps);
      }
      y += y_k;
    }
    weight += (ptrdiff_t)SCANLET_INT_LANES * depth;
    rows += SCANLET_INT_LANES;
  }
}

#endif  // SCANLET_KERNELS_INT_QUADS_H_
