// SPDX-License-Identifier: Apache-2.0
// Data movement of stored integers; see layout.h.
#ifndef SCANLET_SHELL_INT_LAYOUT_H_
#define SCANLET_SHELL_INT_LAYOUT_H_

#include "int_core.h"
#include "layout.h"

SCANLET_INLINE void scanlet_q_copy(const scanlet_q_type type, const void* const from,
                                   void* const to, const scanlet_walk* const w) {
  for (int32_t a = 0; a < w->extent[0]; ++a) {
    for (int32_t b = 0; b < w->extent[1]; ++b) {
      for (int32_t c = 0; c < w->extent[2]; ++c) {
        for (int32_t d = 0; d < w->extent[3]; ++d) {
          ptrdiff_t in = (ptrdiff_t)a * w->source[0] + (ptrdiff_t)b * w->source[1] +
                         (ptrdiff_t)c * w->source[2] + (ptrdiff_t)d * w->source[3];
          ptrdiff_t out = (ptrdiff_t)a * w->destination[0] + (ptrdiff_t)b * w->destination[1] +
                          (ptrdiff_t)c * w->destination[2] + (ptrdiff_t)d * w->destination[3];
          for (int32_t e = 0; e < w->extent[4]; ++e) {
            scanlet_q_store(type, to, out, scanlet_q_load(type, from, in));
            in += w->source[4];
            out += w->destination[4];
          }
        }
      }
    }
  }
}

SCANLET_INLINE void scanlet_q_fill(const scanlet_q_type type, void* const to, const int32_t count,
                                   const int32_t value) {
  for (int32_t i = 0; i < count; ++i) scanlet_q_store(type, to, i, value);
}

// As scanlet_gather.
SCANLET_INLINE int scanlet_q_gather(const scanlet_q_type type, const void* const table,
                                    const int32_t* const indices, void* const to,
                                    const int32_t outer, const int32_t rows, const int32_t width,
                                    const int32_t count) {
  ptrdiff_t at = 0;
  for (int32_t block = 0; block < outer; ++block) {
    for (int32_t i = 0; i < count; ++i) {
      if (indices[i] < 0 || indices[i] >= rows) return -1;
      const ptrdiff_t from = ((ptrdiff_t)block * rows + indices[i]) * width;
      for (int32_t k = 0; k < width; ++k) {
        scanlet_q_store(type, to, at++, scanlet_q_load(type, table, from + k));
      }
    }
  }
  return 0;
}

#endif  // SCANLET_SHELL_INT_LAYOUT_H_
