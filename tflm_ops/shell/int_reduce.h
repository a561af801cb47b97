// SPDX-License-Identifier: Apache-2.0
// Reductions over axes, and sliding windows along time.
#ifndef SCANLET_SHELL_INT_REDUCE_H_
#define SCANLET_SHELL_INT_REDUCE_H_

#include "int_core.h"
#include "reduce.h"

// As scanlet_reduce_one, of what starts at element `from`. Sums are of differences to x_zero.
SCANLET_INLINE int32_t scanlet_q_reduce_one(const scanlet_q_type type,
                                            const scanlet_reduce_kind kind, const void* const x,
                                            const ptrdiff_t from, const scanlet_reduction* const s,
                                            const int32_t x_zero) {
  const int is_sum = kind == SCANLET_MEAN || kind == SCANLET_SUM;
  int32_t value = is_sum != 0 ? 0 : scanlet_q_load(type, x, from);
  for (int32_t d = 0; d < s->extent[3]; ++d) {
    for (int32_t e = 0; e < s->extent[4]; ++e) {
      const ptrdiff_t i = from + (ptrdiff_t)d * s->stride[3] + (ptrdiff_t)e * s->stride[4];
      const int32_t next = scanlet_q_load(type, x, i);
      if (is_sum != 0) {
        value += next - x_zero;
      } else if (kind == SCANLET_MAX ? next > value : next < value) {
        value = next;
      }
    }
  }
  return value;
}

// As scanlet_reduce. A mean is a sum whose factor holds the division; sums fit 32 bits (2^23
// elements of int8, 2^16 of int16). Extremes keep the input's scale.
SCANLET_INLINE void scanlet_q_reduce(const scanlet_q_type type, const scanlet_reduce_kind kind,
                                     const void* const x, void* const y,
                                     const scanlet_reduction* const s, const int32_t x_zero,
                                     const scanlet_q_factor by, const scanlet_q_output output) {
  const int is_sum = kind == SCANLET_MEAN || kind == SCANLET_SUM;
  ptrdiff_t at = 0;
  for (int32_t a = 0; a < s->extent[0]; ++a) {
    for (int32_t b = 0; b < s->extent[1]; ++b) {
      for (int32_t c = 0; c < s->extent[2]; ++c) {
        const ptrdiff_t from =
            (ptrdiff_t)a * s->stride[0] + (ptrdiff_t)b * s->stride[1] + (ptrdiff_t)c * s->stride[2];
        int32_t value = scanlet_q_reduce_one(type, kind, x, from, s, x_zero);
        if (is_sum != 0) value = scanlet_q_saturate(scanlet_q_rescale(value, by), output);
        scanlet_q_store(type, y, at++, value);
      }
    }
  }
}

// As scanlet_pool1d, in one scale; means to nearest, halves away from zero.
SCANLET_INLINE void scanlet_q_pool1d(const scanlet_q_type type, const void* const x, void* const y,
                                     const int32_t out_length, const int32_t channels,
                                     const int32_t kernel, const int32_t stride,
                                     const int32_t mean) {
  for (int32_t t = 0; t < out_length; ++t) {
    for (int32_t c = 0; c < channels; ++c) {
      const ptrdiff_t from = (ptrdiff_t)t * stride * channels + c;
      int32_t value = scanlet_q_load(type, x, from);
      for (int32_t k = 1; k < kernel; ++k) {
        const int32_t next = scanlet_q_load(type, x, from + (ptrdiff_t)k * channels);
        if (mean != 0) {
          value += next;
        } else if (next > value) {
          value = next;
        }
      }
      if (mean != 0) value = (value > 0 ? value + kernel / 2 : value - kernel / 2) / kernel;
      scanlet_q_store(type, y, (ptrdiff_t)t * channels + c, value);
    }
  }
}

#endif  // SCANLET_SHELL_INT_REDUCE_H_
