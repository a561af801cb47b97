// SPDX-License-Identifier: Apache-2.0
// out_proj and the residual, stored, eight outputs at a time.
#ifndef SCANLET_KERNELS_MVE_INT_OUTPUT_H_
#define SCANLET_KERNELS_MVE_INT_OUTPUT_H_

#include <stddef.h>
#include <stdint.h>

#include "mve_int.h"
#include "mve_int_product.h"

#if SCANLET_INT_MVE

// value + scale(r * 2^16, factor) of eight r, + 8, / 16.
SCANLET_INLINE scanlet_mve_int_wide scanlet_mve_int_residual(const scanlet_mve_int_wide value,
                                                             const int16_t* const r,
                                                             const int32_t factor) {
  const int16x8_t stream = vldrhq_s16(r);
  const int32x4_t all = vdupq_n_s32(factor);
  const int32x4_t even = vrmulhq_s32(vshllbq_n_s16(stream, 16), all);
  const int32x4_t odd = vrmulhq_s32(vshlltq_n_s16(stream, 16), all);
  const scanlet_mve_int_wide result = {vrshrq_n_s32(vaddq_s32(value.even, even), 4),
                                       vrshrq_n_s32(vaddq_s32(value.odd, odd), 4)};
  return result;
}

// See scanlet_int_output; r (outputs / 8, any, 8).
SCANLET_NOINLINE void scanlet_mve_int_output(
    const int8_t* const weight, const scanlet_row* const rows, const int16_t* const g,
    const int16_t* const r, const int32_t r_factor, const int32_t r_k, void* const y,
    const int32_t bytes, const ptrdiff_t first, const ptrdiff_t row, const int32_t zero_point,
    const int32_t outputs, const int32_t depth, const int32_t T, const int32_t steps) {
  int32_t acc[32];  // of outputs that are not there: anything
  for (int32_t o = 0; o < outputs; o += 8) {
    const mve_pred16_t there = vctp16q((uint32_t)(outputs - o));
    const int32_t pairs = outputs - o < 8 ? (outputs - o + 1) / 2 : 4;
    SCANLET_UNROLL(1)
    for (int32_t t = 0; t < steps; ++t) {
      if (t % 4 == 0) {
        scanlet_mve_int_sums(weight + (ptrdiff_t)o * depth, 0, g, depth, T, t, steps, pairs, acc);
      }
      scanlet_mve_int_wide bias;
      scanlet_mve_int_wide factor;
      scanlet_mve_int_constants(rows + o, &bias, &factor);
      const scanlet_mve_int_wide sum =
          scanlet_mve_int_add(scanlet_mve_int_load_wide(acc + t % 4 * 8), bias);
      scanlet_mve_int_wide value = scanlet_mve_int_scale(sum, factor);
      if (r != NULL) {
        value = scanlet_mve_int_residual(value, r + (ptrdiff_t)o * r_k + 8 * t, r_factor);
      }
      value.even = vaddq_n_s32(value.even, zero_point);
      value.odd = vaddq_n_s32(value.odd, zero_point);
      const int16x8_t stored = scanlet_mve_int_narrow(value);
      const ptrdiff_t to = first + t * row + o;
      if (bytes == 1) {
        const int8x16_t half = vqmovnbq_s16(vreinterpretq_s8_s16(stored), stored);
        vstrbq_p_s16((int8_t*)y + to, vreinterpretq_s16_s8(half), there);
      } else {
        vstrhq_p_s16((int16_t*)y + to, stored, there);
      }
    }
  }
}

#endif  // SCANLET_INT_MVE

#endif  // SCANLET_KERNELS_MVE_INT_OUTPUT_H_
