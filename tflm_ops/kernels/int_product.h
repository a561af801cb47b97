// SPDX-License-Identifier: Apache-2.0
// Exact products of packed int8 or int16 weights with a tile of int16 activations.
//
// Bound, by how weights are scaled: sum |w| * 2^15 + |bias| < 2^31 for each output, so sums fit
// int32 in any order. Layouts: int_layout.h; `depth` is the padded one.
#ifndef SCANLET_KERNELS_INT_PRODUCT_H_
#define SCANLET_KERNELS_INT_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "arm_int_product.h"
#include "int_layout.h"
#include "int_scale.h"
#include "madd.h"
#include "mve_int_product.h"
#include "xtensa_int_product.h"

// Outputs that are computed side by side: with four steps their sums fit the registers.
#if defined(__riscv) && SCANLET_INT_LANES >= 4
#define SCANLET_INT_SIDE 4
#else
#define SCANLET_INT_SIDE 2
#endif

SCANLET_INLINE int32_t scanlet_int_weight(const void* const weight, const ptrdiff_t at,
                                          const int wide) {
  return wide ? ((const int16_t*)weight)[at] : ((const int8_t*)weight)[at];
}

// Outputs `lane` to `lane` + SCANLET_INT_SIDE of a block, `columns` steps from step t on:
// acc[output * T + step] = bias + sum over k. Literal: wide (int16 weights), columns.
SCANLET_INLINE void scanlet_int_part(const void* const weight, const int wide,
                                     const int32_t* const bias, const int32_t bias_stride,
                                     const int16_t* x, const int32_t depth, const int32_t T,
                                     int32_t* const acc, const int32_t lane, const int32_t t,
                                     const int32_t columns) {
  int32_t sum[SCANLET_INT_SIDE][4];
  SCANLET_UNROLL(4)
  for (int32_t i = 0; i < SCANLET_INT_SIDE; ++i) {
    SCANLET_UNROLL(4)
    for (int32_t j = 0; j < columns; ++j) sum[i][j] = bias[(lane + i) * bias_stride];
  }
#if SCANLET_INT_LAYOUT == SCANLET_COLUMNS
  ptrdiff_t at = lane;
  x += t;
  for (const int16_t* const end = x + (ptrdiff_t)depth * T; x != end; x += T) {
    int32_t w[SCANLET_INT_SIDE];
    SCANLET_UNROLL(4)
    for (int32_t i = 0; i < SCANLET_INT_SIDE; ++i) w[i] = scanlet_int_weight(weight, at + i, wide);
    at += SCANLET_INT_LANES;
    SCANLET_UNROLL(4)
    for (int32_t j = 0; j < columns; ++j) {
      const int32_t value = x[j];
      SCANLET_UNROLL(4)
      for (int32_t i = 0; i < SCANLET_INT_SIDE; ++i) sum[i][j] += w[i] * value;
#if defined(__riscv)
      // No load ahead of these sums: gcc would run out of registers.
      __asm__("" : "+r"(x) : "r"(sum[SCANLET_INT_SIDE - 1][j]));
#endif
    }
  }
#elif SCANLET_INT_LAYOUT == SCANLET_OCTETS
  for (int32_t k = 0; k < depth; ++k) {
    const int16_t* const value = x + scanlet_int_place(k, T) + 8 * t;
    const ptrdiff_t at = (ptrdiff_t)lane * depth + scanlet_int_place(k, 2);
    for (int32_t i = 0; i < 2; ++i) {
      const int32_t w = scanlet_int_weight(weight, at + 8 * i, wide);
      for (int32_t j = 0; j < columns; ++j) sum[i][j] += w * value[8 * j];
    }
  }
#else
  x += (ptrdiff_t)t * depth;
  for (int32_t k = 0; k < depth; ++k) {
    // Of each four, the middle two bytes are swapped.
    const int32_t from = wide || (k & 3) == 0 || (k & 3) == 3 ? k : k ^ 3;
    SCANLET_UNROLL(4)
    for (int32_t i = 0; i < SCANLET_INT_SIDE; ++i) {
      const int32_t w = scanlet_int_weight(weight, (ptrdiff_t)(lane + i) * depth + from, wide);
      SCANLET_UNROLL(4)
      for (int32_t j = 0; j < columns; ++j) sum[i][j] += w * x[(ptrdiff_t)j * depth + k];
    }
  }
#endif
  SCANLET_UNROLL(4)
  for (int32_t i = 0; i < SCANLET_INT_SIDE; ++i) {
    SCANLET_UNROLL(4)
    for (int32_t j = 0; j < columns; ++j) acc[(lane + i) * T + t + j] = sum[i][j];
  }
}

// A block of SCANLET_INT_LANES outputs, the first `steps` of T columns. Literal: wide, bias_stride.
SCANLET_INLINE void scanlet_int_lanes(const void* const weight, const int wide,
                                      const int32_t* const bias, const int32_t bias_stride,
                                      const int16_t* const x, const int32_t depth, const int32_t T,
                                      const int32_t steps, int32_t* const acc) {
  for (int32_t lane = 0; lane < SCANLET_INT_LANES; lane += SCANLET_INT_SIDE) {
    int32_t t = 0;
    for (; t + 4 <= steps; t += 4) {
      scanlet_int_part(weight, wide, bias, bias_stride, x, depth, T, acc, lane, t, 4);
    }
    switch (steps - t) {
      case 3:
        scanlet_int_part(weight, wide, bias, bias_stride, x, depth, T, acc, lane, t, 3);
        break;
      case 2:
        scanlet_int_part(weight, wide, bias, bias_stride, x, depth, T, acc, lane, t, 2);
        break;
      case 1:
        scanlet_int_part(weight, wide, bias, bias_stride, x, depth, T, acc, lane, t, 1);
        break;
      default:
        break;
    }
  }
}

// One block of int8 weights: acc (SCANLET_INT_LANES, T), the first `steps` columns, is bias plus
// product. `weight` and `rows` start with the block's first output.
SCANLET_NOINLINE void scanlet_int_block(const int8_t* const weight, const scanlet_row* const rows,
                                        const int16_t* const x, const int32_t depth,
                                        const int32_t T, const int32_t steps, int32_t* const acc) {
#if SCANLET_INT_MVE
  scanlet_mve_int_block(weight, 0, x, depth, T, steps, acc);
  (void)rows;
#elif SCANLET_XTENSA_MAC16
  for (int32_t i = 0; i < SCANLET_INT_LANES; ++i) {
    scanlet_xtensa_int_sums(weight + i * depth, x, rows[i].bias, depth, steps, acc + i * T);
  }
#else
  // Biases and factors by turns, as words: a pointer to one row's bias leads to no other row.
  const int32_t* const bias = (const int32_t*)(const void*)rows;
#if SCANLET_ARM_DSP
  if (T == 4) {
    scanlet_arm_int_block(weight, bias, x, depth, steps, acc);
  } else {
    scanlet_arm_int_tile(weight, bias, x, depth, T, steps, acc);
  }
#else
  scanlet_int_lanes(weight, 0, bias, 2, x, depth, T, steps, acc);
#endif
#endif
}

// One block of dt_proj, whose weights are int16 and whose biases lie with the channels.
SCANLET_NOINLINE void scanlet_int_dt_block(const int16_t* const weight,
                                           const scanlet_channel* const channel,
                                           const int16_t* const dt, const int32_t depth,
                                           const int32_t T, const int32_t steps,
                                           int32_t* const acc) {
#if SCANLET_INT_MVE
  scanlet_mve_int_block(weight, 1, dt, depth, T, steps, acc);
  (void)channel;
#elif SCANLET_XTENSA_MAC16
  for (int32_t i = 0; i < SCANLET_INT_LANES; ++i) {
    scanlet_xtensa_int_dots(weight + i * depth, dt, channel[i].dt_bias, depth >> 2, steps,
                            acc + i * T, 0);
  }
#else
  const int32_t stride = (int32_t)(sizeof(scanlet_channel) / sizeof(int32_t));
  const int32_t* const words = (const int32_t*)(const void*)channel;
  const int32_t* const bias = words + offsetof(scanlet_channel, dt_bias) / sizeof(int32_t);
#if SCANLET_ARM_DSP
  if (T == 4 && steps == 4 && depth == 4) {
    scanlet_arm_int_small(weight, bias, stride, dt, acc);
    return;
  }
#endif
  scanlet_int_lanes(weight, 1, bias, stride, dt, depth, T, steps, acc);
#endif
}

// Sums of one output to int16, `step` elements apart; `steps` a literal, or not.
SCANLET_INLINE void scanlet_int_round(const int32_t* const sum, const int32_t factor, int16_t* out,
                                      const int32_t step, const int32_t steps) {
  SCANLET_UNROLL(8)
  for (int32_t t = 0; t < steps; ++t) {
    *out = (int16_t)scanlet_saturate16(scanlet_scale(sum[t], factor));
    out += step;
  }
}

// y = saturate(scale(bias + weight x, factor)) for the first `steps` of T columns. Element (o, t)
// of y lies at o * y_k + t * y_t.
SCANLET_NOINLINE void scanlet_int_rows(const int8_t* weight, const scanlet_row* rows,
                                       const int16_t* const x, int16_t* const y,
                                       const int32_t outputs, const int32_t depth, const int32_t T,
                                       const int32_t steps, const int32_t y_k, const int32_t y_t) {
#if SCANLET_INT_MVE
  scanlet_mve_int_rows(weight, rows, x, y, outputs, depth, T, steps, y_k, y_t);
#else
  int32_t acc[SCANLET_INT_LANES * SCANLET_INT_MAX_T];
  for (int32_t o = 0; o < outputs; o += SCANLET_INT_LANES) {
    scanlet_int_block(weight, rows, x, depth, T, steps, acc);
    const int32_t left = outputs - o;
    const int32_t count = left < SCANLET_INT_LANES ? left : SCANLET_INT_LANES;
    for (int32_t i = 0; i < count; ++i) {
      int16_t* const out = y + scanlet_int_place(o + i, y_k);
      if (steps == 4) {
        scanlet_int_round(acc + i * T, rows[i].factor, out, y_t, 4);
      } else {
        scanlet_int_round(acc + i * T, rows[i].factor, out, y_t, steps);
      }
    }
    weight += (ptrdiff_t)SCANLET_INT_LANES * depth;
    rows += SCANLET_INT_LANES;
  }
#endif
}

#endif  // SCANLET_KERNELS_INT_PRODUCT_H_
