// SPDX-License-Identifier: Apache-2.0
// Reductions: the walk's first three axes stay, the last two are reduced. As in TFLM, extremes
// start at the farthest finite number and leave NaN out.
#ifndef SCANLET_SHELL_REDUCE_H_
#define SCANLET_SHELL_REDUCE_H_

#include <stddef.h>
#include <stdint.h>

typedef enum { SCANLET_MEAN, SCANLET_SUM, SCANLET_MAX, SCANLET_MIN } scanlet_reduce_kind;

// Extents and source strides in elements: axes 0 to 2 are kept in order, 3 and 4 reduced.
typedef struct {
  int32_t extent[5];
  int32_t stride[5];
} scanlet_reduction;

// The sum (also for a mean) or the extreme of what starts at x, over the reduced axes.
static inline float scanlet_reduce_one(const scanlet_reduce_kind kind, const float* const x,
                                       const scanlet_reduction* const s) {
  const int is_sum = kind == SCANLET_MEAN || kind == SCANLET_SUM;
  const float farthest = kind == SCANLET_MAX ? -3.40282347e+38f : 3.40282347e+38f;
  float value = is_sum != 0 ? 0.0f : farthest;
  for (int32_t d = 0; d < s->extent[3]; ++d) {
    for (int32_t e = 0; e < s->extent[4]; ++e) {
      const float next = x[(ptrdiff_t)d * s->stride[3] + (ptrdiff_t)e * s->stride[4]];
      if (is_sum != 0) {
        value += next;
      } else if (kind == SCANLET_MAX ? next > value : next < value) {
        value = next;
      }
    }
  }
  return value;
}

static inline void scanlet_reduce(const scanlet_reduce_kind kind, const float* x, float* y,
                                  const scanlet_reduction* const s) {
  const float scale = 1.0f / (float)(s->extent[3] * s->extent[4]);
  for (int32_t a = 0; a < s->extent[0]; ++a) {
    for (int32_t b = 0; b < s->extent[1]; ++b) {
      for (int32_t c = 0; c < s->extent[2]; ++c) {
        const float* const in = x + (ptrdiff_t)a * s->stride[0] + (ptrdiff_t)b * s->stride[1] +
                                (ptrdiff_t)c * s->stride[2];
        const float value = scanlet_reduce_one(kind, in, s);
        *y++ = kind == SCANLET_MEAN ? value * scale : value;
      }
    }
  }
}

#endif  // SCANLET_SHELL_REDUCE_H_
