// SPDX-License-Identifier: Apache-2.0
// Product of packed weights with a tile of activations, reading every weight once a tile.
#ifndef SCANLET_KERNELS_PRODUCT_H_
#define SCANLET_KERNELS_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "load_four.h"
#include "madd.h"
#include "mve_product.h"

// The largest time tile.
#define SCANLET_MAX_T 8

// Products along k that are added up before they join the total.
#define SCANLET_CHUNK 32

// Outputs of a block that are computed together: with their steps they have to fit the float
// registers, of which Xtensa has 16. Each weight is read once either way.
#if defined(__XTENSA__)
#define SCANLET_LANES 2
#else
#define SCANLET_LANES 4
#endif

#define SCANLET_PRODUCT_STEP(t, value)              \
  part[0][t] = SCANLET_MADD(part[0][t], w0, value); \
  part[1][t] = SCANLET_MADD(part[1][t], w1, value); \
  part[2][t] = SCANLET_MADD(part[2][t], w2, value); \
  part[3][t] = SCANLET_MADD(part[3][t], w3, value)

// Adds `count` products to part[lane][t], four lanes at once.
SCANLET_INLINE void scanlet_product_four(const float* restrict weight, const float* restrict x,
                                         const int32_t count, const int32_t T, const int32_t x_k,
                                         const int32_t x_t, float part[4][SCANLET_MAX_T]) {
  for (int32_t k = 0; k < count; ++k) {
    SCANLET_LOAD_FOUR("s0", "s1", "s2", "s3", w, weight);
    if (T == 4 && x_t == 1) {
      SCANLET_LOAD_FOUR("s4", "s5", "s6", "s7", v, x);
      SCANLET_PRODUCT_STEP(0, v0);
      SCANLET_PRODUCT_STEP(1, v1);
      SCANLET_PRODUCT_STEP(2, v2);
      SCANLET_PRODUCT_STEP(3, v3);
      x += x_k - 4;
    } else {
      SCANLET_UNROLL(8)
      for (int32_t t = 0; t < T; ++t) {
        const float value = x[(ptrdiff_t)t * x_t];
        SCANLET_PRODUCT_STEP(t, value);
      }
      x += x_k;
    }
  }
}

// The same for the two lanes from `weight` on.
SCANLET_INLINE void scanlet_product_two(const float* restrict weight, const float* restrict x,
                                        const int32_t count, const int32_t T, const int32_t x_k,
                                        const int32_t x_t, float part[2][SCANLET_MAX_T]) {
  for (int32_t k = 0; k < count; ++k) {
    const float w0 = weight[0];
    const float w1 = weight[1];
    weight += 4;
    SCANLET_UNROLL(8)
    for (int32_t t = 0; t < T; ++t) {
      const float value = x[(ptrdiff_t)t * x_t];
      part[0][t] = SCANLET_MADD(part[0][t], w0, value);
      part[1][t] = SCANLET_MADD(part[1][t], w1, value);
    }
    x += x_k;
  }
}

// Four outputs at a time: sum[lane][t] = bias[lane] + sum_k weight[k][lane] * x[k][t].
//
// `weight` is one block of the packed layout (depth, 4), four lanes across outputs. The one order
// of accumulation on every core: k in order within chunks of SCANLET_CHUNK, then the chunks in
// order onto the bias, which rounds less than one long sum does. x has element k of step t at
// k * x_k + t * x_t. T is a literal.
SCANLET_INLINE void scanlet_product_block(const float* restrict weight, const float* restrict x,
                                          const int32_t depth, const int32_t T, const int32_t x_k,
                                          const int32_t x_t, const float* const bias,
                                          float sum[4][SCANLET_MAX_T]) {
#if SCANLET_MVE
  if (T == 4) {
    scanlet_mve_product_rows(weight, x, depth, x_k, x_t, SCANLET_CHUNK, bias, &sum[0][0],
                             SCANLET_MAX_T);
    return;
  }
#endif
  SCANLET_UNROLL(4)
  for (int32_t lane = 0; lane < 4; ++lane) {
    SCANLET_UNROLL(8)
    for (int32_t t = 0; t < T; ++t) sum[lane][t] = bias != NULL ? bias[lane] : 0.0f;
  }
  for (int32_t start = 0; start < depth; start += SCANLET_CHUNK) {
    const int32_t left = depth - start;
    const int32_t count = left < SCANLET_CHUNK ? left : SCANLET_CHUNK;
    SCANLET_UNROLL(2)
    for (int32_t first = 0; first < 4; first += SCANLET_LANES) {
      float part[SCANLET_LANES][SCANLET_MAX_T];
      SCANLET_UNROLL(4)
      for (int32_t lane = 0; lane < SCANLET_LANES; ++lane) {
        SCANLET_UNROLL(8)
        for (int32_t t = 0; t < T; ++t) part[lane][t] = 0.0f;
      }
#if SCANLET_LANES == 4
      scanlet_product_four(weight, x, count, T, x_k, x_t, part);
#else
      scanlet_product_two(weight + first, x, count, T, x_k, x_t, part);
#endif
      SCANLET_UNROLL(4)
      for (int32_t lane = 0; lane < SCANLET_LANES; ++lane) {
        SCANLET_UNROLL(8)
        for (int32_t t = 0; t < T; ++t) sum[first + lane][t] += part[lane][t];
      }
    }
    weight += (ptrdiff_t)count * 4;
    x += (ptrdiff_t)count * x_k;
  }
}

// y[o][t] at o * y_o + t * y_t, for o < outputs; weight (ceil(outputs / 4), depth, 4), bias
// (padded to a multiple of 4) or NULL. Lanes beyond `outputs` are computed and dropped.
SCANLET_INLINE void scanlet_product(const float* weight, const float* const x, const float* bias,
                                    float* const y, const int32_t outputs, const int32_t depth,
                                    const int32_t T, const int32_t x_k, const int32_t x_t,
                                    const int32_t y_o, const int32_t y_t) {
  int32_t done = 0;
#if SCANLET_MVE
  if (T == 4) {
    for (; outputs - done >= 4; done += 4) {
      float* const rows = y + (ptrdiff_t)done * y_o;
      const float* const offset = bias != NULL ? bias + done : NULL;
      scanlet_mve_product_tile(weight, x, depth, x_k, x_t, SCANLET_CHUNK, offset, rows, y_o, y_t);
      weight += (ptrdiff_t)depth * 4;
    }
    if (bias != NULL) bias += done;
  }
#endif
  for (int32_t o = done; o < outputs; o += 4) {
    float sum[4][SCANLET_MAX_T];
    scanlet_product_block(weight, x, depth, T, x_k, x_t, bias, sum);
    weight += (ptrdiff_t)depth * 4;
    if (bias != NULL) bias += 4;
    SCANLET_UNROLL(4)
    for (int32_t lane = 0; lane < 4; ++lane) {
      if (o + lane < outputs) {
        SCANLET_UNROLL(8)
        for (int32_t t = 0; t < T; ++t) {
          y[(ptrdiff_t)(o + lane) * y_o + (ptrdiff_t)t * y_t] = sum[lane][t];
        }
      }
    }
  }
}

#endif  // SCANLET_KERNELS_PRODUCT_H_
