// SPDX-License-Identifier: Apache-2.0
// Product of packed weights with a tile of activations, reading every weight once a tile.
#ifndef SCANLET_KERNELS_PRODUCT_H_
#define SCANLET_KERNELS_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "arm_product.h"
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

// `lanes` of the four outputs of a block and `columns` of the T steps, over `count` products from
// one chunk: y[lane][t] = (bias[lane] or what is there) + sum_k weight[k][lane] * x[k][t].
// Literal: lanes, columns.
SCANLET_INLINE void scanlet_product_lanes(const float* restrict weight, const float* restrict x,
                                          const int32_t count, const int32_t T,
                                          const float* const bias, float* restrict const y,
                                          const int32_t first_chunk, const int32_t lanes,
                                          const int32_t columns) {
  float part[4][SCANLET_MAX_T];
  SCANLET_UNROLL(4)
  for (int32_t lane = 0; lane < lanes; ++lane) {
    SCANLET_UNROLL(8)
    for (int32_t t = 0; t < columns; ++t) part[lane][t] = -0.0f;  // adding to it changes no bit
  }
  for (const float* const end = weight + 4 * (ptrdiff_t)count; weight != end;) {
    float w[4];
    SCANLET_UNROLL(4)
    for (int32_t lane = 0; lane < lanes; ++lane) w[lane] = weight[lane];
    SCANLET_UNROLL(8)
    for (int32_t t = 0; t < columns; ++t) {
      const float value = x[t];
      SCANLET_UNROLL(4)
      for (int32_t lane = 0; lane < lanes; ++lane) {
        part[lane][t] = SCANLET_MADD(part[lane][t], w[lane], value);
      }
    }
    weight += 4;
    x += T;
  }
  SCANLET_UNROLL(4)
  for (int32_t lane = 0; lane < lanes; ++lane) {
    SCANLET_UNROLL(8)
    for (int32_t t = 0; t < columns; ++t) {
      float* const total = &y[(ptrdiff_t)lane * T + t];
      if (!first_chunk) {
        *total += part[lane][t];
      } else {
        *total = bias != NULL ? bias[lane] + part[lane][t] : part[lane][t];
      }
    }
  }
}

// scanlet_product_whole for the first `columns` of T steps, `lanes` outputs at a time. Literal:
// lanes, columns.
SCANLET_INLINE void scanlet_product_columns(const float* restrict weight, const float* restrict x,
                                            const int32_t depth, const int32_t T,
                                            const float* const bias, float* restrict const y,
                                            const int32_t lanes, const int32_t columns) {
  for (int32_t start = 0; start < depth; start += SCANLET_CHUNK) {
    const int32_t left = depth - start;
    const int32_t count = left < SCANLET_CHUNK ? left : SCANLET_CHUNK;
    SCANLET_UNROLL(2)
    for (int32_t lane = 0; lane < 4; lane += lanes) {
      scanlet_product_lanes(weight + lane, x, count, T, bias != NULL ? bias + lane : NULL,
                            y + (ptrdiff_t)lane * T, start == 0, lanes, columns);
    }
    weight += (ptrdiff_t)count * 4;
    x += (ptrdiff_t)count * T;
  }
}

// Four outputs at a time: y[lane][t] = bias[lane] + sum_k weight[k][lane] * x[k][t], bias or NULL.
//
// `weight` is one block of the packed layout (depth, 4), four lanes across outputs. The one order
// of accumulation on every core: k in order within chunks of SCANLET_CHUNK, then the chunks in
// order onto the bias, which rounds less than one long sum does. x (depth, T), y (4, T) apart from
// it. T is a literal.
SCANLET_INLINE void scanlet_product_whole(const float* restrict weight, const float* restrict x,
                                          const int32_t depth, const int32_t T,
                                          const float* const bias, float* restrict const y) {
#if SCANLET_ARM
  if (T == 4) {
    scanlet_arm_product(weight, x, bias, y, 1, depth, SCANLET_CHUNK);
    return;
  }
#elif SCANLET_MVE
  if (T == 4) {
    scanlet_mve_product_block(weight, x, depth, SCANLET_CHUNK, bias, y);
    return;
  }
  if (T == 1) {
    scanlet_mve_product_one(weight, x, depth, SCANLET_CHUNK, bias, y);
    return;
  }
#endif
  scanlet_product_columns(weight, x, depth, T, bias, y, SCANLET_LANES, T);
}

// scanlet_product for the first `steps` < T columns: what it leaves in the others is arbitrary. The
// last tile of a sequence takes this way: one function for all shapes, two columns at a time or, by
// the core's own means (literal), all of them.
SCANLET_INLINE void scanlet_product_blocks(const float* weight, const float* const x,
                                           const float* bias, float* y, const int32_t outputs,
                                           const int32_t depth, const int32_t T,
                                           const int32_t steps, const int32_t own) {
  for (int32_t left = outputs; left > 0; left -= 4) {
    float rest[4 * SCANLET_MAX_T];
    float* const out = left < 4 ? rest : y;
    int32_t t = 0;
#if SCANLET_ARM
    if (own) {
      scanlet_arm_product_part(weight, x, bias, out, depth, SCANLET_CHUNK, steps);
      t = steps;
    }
#elif SCANLET_MVE
    if (own) {
      scanlet_mve_product_part(weight, x, depth, SCANLET_CHUNK, bias, out, steps);
      t = steps;
    }
#else
    (void)own;
#endif
    for (; t + 2 <= steps; t += 2) {
      scanlet_product_columns(weight, x + t, depth, T, bias, out + t, 4, 2);
    }
    if (t < steps) scanlet_product_columns(weight, x + t, depth, T, bias, out + t, 4, 1);
    if (left < 4) {
      for (int32_t i = 0; i < left; ++i) {
        // cppcheck-suppress uninitvar; it was written through `out`
        for (t = 0; t < steps; ++t) y[i * T + t] = rest[i * T + t];
      }
    }
    weight += (ptrdiff_t)depth * 4;
    y += (ptrdiff_t)4 * T;
    if (bias != NULL) bias += 4;
  }
}

SCANLET_NOINLINE void scanlet_product_part(const float* const weight, const float* const x,
                                           const float* const bias, float* const y,
                                           const int32_t outputs, const int32_t depth,
                                           const int32_t T, const int32_t steps) {
  scanlet_product_blocks(weight, x, bias, y, outputs, depth, T, steps, 0);
}

// For T = 4 where the core has a kernel for that.
SCANLET_NOINLINE void scanlet_product_part_of_four(const float* const weight, const float* const x,
                                                   const float* const bias, float* const y,
                                                   const int32_t outputs, const int32_t depth,
                                                   const int32_t steps) {
  scanlet_product_blocks(weight, x, bias, y, outputs, depth, 4, steps, SCANLET_ARM || SCANLET_MVE);
}

SCANLET_INLINE void scanlet_product_steps(const float* const weight, const float* const x,
                                          const float* const bias, float* const y,
                                          const int32_t outputs, const int32_t depth,
                                          const int32_t T, const int32_t steps) {
  if ((SCANLET_ARM || SCANLET_MVE) && T == 4) {
    scanlet_product_part_of_four(weight, x, bias, y, outputs, depth, steps);
  } else {
    scanlet_product_part(weight, x, bias, y, outputs, depth, T, steps);
  }
}

// One block, for the first `steps` columns.
SCANLET_INLINE void scanlet_product_block(const float* const weight, const float* const x,
                                          const int32_t depth, const int32_t T, const int32_t steps,
                                          const float* const bias, float* const y) {
  if (steps < T) {
    scanlet_product_steps(weight, x, bias, y, 4, depth, T, steps);
  } else {
    scanlet_product_whole(weight, x, depth, T, bias, y);
  }
}

// y (outputs, T) = weight x + bias for the first `steps` columns; weight (ceil(outputs / 4), depth,
// 4), x (depth, T), bias (padded to a multiple of 4) or NULL. Lanes beyond `outputs` are computed
// and dropped. T is a literal.
SCANLET_INLINE void scanlet_product(const float* weight, const float* const x, const float* bias,
                                    float* y, const int32_t outputs, const int32_t depth,
                                    const int32_t T, const int32_t steps) {
  if (steps < T) {
    scanlet_product_steps(weight, x, bias, y, outputs, depth, T, steps);
    return;
  }
  const int32_t blocks = outputs / 4;
#if SCANLET_ARM
  if (T == 4 && blocks > 0) {
    scanlet_arm_product(weight, x, bias, y, blocks, depth, SCANLET_CHUNK);
    weight += (ptrdiff_t)blocks * depth * 4;
    y += (ptrdiff_t)blocks * 4 * T;
    if (bias != NULL) bias += (ptrdiff_t)blocks * 4;
  }
#endif
  for (int32_t i = 0; i < (SCANLET_ARM && T == 4 ? 0 : blocks); ++i) {
    scanlet_product_whole(weight, x, depth, T, bias, y);
    weight += (ptrdiff_t)depth * 4;
    y += (ptrdiff_t)4 * T;
    if (bias != NULL) bias += 4;
  }
  if (outputs % 4 != 0) {
    float rest[4 * SCANLET_MAX_T];
    for (int32_t i = 0; i < 4 * T; ++i) rest[i] = 0.0f;  // or gcc says that it is read unwritten
    scanlet_product_whole(weight, x, depth, T, bias, rest);
    for (int32_t i = 0; i < outputs % 4 * T; ++i) y[i] = rest[i];
  }
}

#endif  // SCANLET_KERNELS_PRODUCT_H_
