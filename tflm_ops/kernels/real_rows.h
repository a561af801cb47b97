// SPDX-License-Identifier: Apache-2.0
// B and C in real numbers, for a recurrence in float32.
#ifndef SCANLET_KERNELS_REAL_ROWS_H_
#define SCANLET_KERNELS_REAL_ROWS_H_

#include <stddef.h>
#include <stdint.h>

#include "int_layout.h"
#include "int_product.h"
#include "madd.h"

// y (outputs, T) = scales * saturate(scale(bias + weight x, factor)). Where a tile has fewer steps
// than T, the others become zeros: scanlet_scan wants them finite.
SCANLET_NOINLINE void scanlet_real_rows(const int8_t* weight, const scanlet_row* rows,
                                        const float* scales, const int16_t* const x, float* y,
                                        const int32_t outputs, const int32_t depth, const int32_t T,
                                        const int32_t steps) {
  int16_t tile[SCANLET_INT_LANES * SCANLET_INT_MAX_T];  // (steps, lanes)
  for (int32_t left = outputs; left > 0; left -= SCANLET_INT_LANES) {
    const int32_t count = left < SCANLET_INT_LANES ? left : SCANLET_INT_LANES;
    scanlet_int_rows(weight, rows, x, tile, count, depth, T, steps, 1, SCANLET_INT_LANES);
    for (int32_t i = 0; i < count; ++i) {
      for (int32_t t = 0; t < T; ++t) {
        *y++ = t < steps ? (float)tile[t * SCANLET_INT_LANES + i] * scales[i] : 0.0f;
      }
    }
    weight += (ptrdiff_t)SCANLET_INT_LANES * depth;
    rows += SCANLET_INT_LANES;
    scales += count;
  }
}

#endif  // SCANLET_KERNELS_REAL_ROWS_H_
