// SPDX-License-Identifier: Apache-2.0
// Data movement: a strided copy serves transpose, slice, concatenation and padding.
#ifndef SCANLET_SHELL_LAYOUT_H_
#define SCANLET_SHELL_LAYOUT_H_

#include <stddef.h>
#include <stdint.h>

// Extents of a five-dimensional walk (leading ones where a tensor has fewer axes) and, for each
// axis, how many elements source and destination advance.
typedef struct {
  int32_t extent[5];
  int32_t source[5];
  int32_t destination[5];
} scanlet_walk;

static inline void scanlet_copy(const float* from, float* to, const scanlet_walk* const w) {
  for (int32_t a = 0; a < w->extent[0]; ++a) {
    for (int32_t b = 0; b < w->extent[1]; ++b) {
      for (int32_t c = 0; c < w->extent[2]; ++c) {
        for (int32_t d = 0; d < w->extent[3]; ++d) {
          const float* in = from + (ptrdiff_t)a * w->source[0] + (ptrdiff_t)b * w->source[1] +
                            (ptrdiff_t)c * w->source[2] + (ptrdiff_t)d * w->source[3];
          float* out = to + (ptrdiff_t)a * w->destination[0] + (ptrdiff_t)b * w->destination[1] +
                       (ptrdiff_t)c * w->destination[2] + (ptrdiff_t)d * w->destination[3];
          for (int32_t e = 0; e < w->extent[4]; ++e) {
            *out = *in;
            in += w->source[4];
            out += w->destination[4];
          }
        }
      }
    }
  }
}

static inline void scanlet_zero(float* to, const int32_t count) {
  const int32_t whole = count & ~7;
  for (int32_t i = 0; i < whole; i += 8) {
    to[i] = 0.0f;
    to[i + 1] = 0.0f;
    to[i + 2] = 0.0f;
    to[i + 3] = 0.0f;
    to[i + 4] = 0.0f;
    to[i + 5] = 0.0f;
    to[i + 6] = 0.0f;
    to[i + 7] = 0.0f;
    __asm__ volatile("" ::: "memory");  // or it becomes a call of memset, which takes longer
  }
  for (int32_t i = whole; i < count; ++i) to[i] = 0.0f;
}

// Rows of `width` elements picked from `table` (rows, width) by index, for each of `outer` blocks
// of the table. Returns 0, or -1 (and stops) at an index out of range.
static inline int scanlet_gather(const float* table, const int32_t* indices, float* to,
                                 const int32_t outer, const int32_t rows, const int32_t width,
                                 const int32_t count) {
  for (int32_t block = 0; block < outer; ++block) {
    for (int32_t i = 0; i < count; ++i) {
      if (indices[i] < 0 || indices[i] >= rows) return -1;
      const float* const in = table + ((ptrdiff_t)block * rows + indices[i]) * width;
      for (int32_t k = 0; k < width; ++k) to[k] = in[k];
      to += width;
    }
  }
  return 0;
}

#endif  // SCANLET_SHELL_LAYOUT_H_
