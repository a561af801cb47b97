// SPDX-License-Identifier: Apache-2.0
// Sums, differences, products and comparisons of two tensors, with broadcasting.
#ifndef SCANLET_SHELL_INT_BINARY_H_
#define SCANLET_SHELL_INT_BINARY_H_

#include "binary.h"
#include "int_core.h"

// Operands of a sum are brought to a common scale, `up` bits finer than the larger one of both.
// A product needs `by_y` alone, a comparison (all in the same scale) nothing.
typedef struct {
  int32_t first_zero;
  int32_t second_zero;
  int32_t up;
  scanlet_q_factor by_first;
  scanlet_q_factor by_second;
  scanlet_q_factor by_y;
  scanlet_q_output y;
} scanlet_q_operands;

SCANLET_INLINE int32_t scanlet_q_binary_one(const scanlet_binary_kind kind, const int32_t a,
                                            const int32_t b, const scanlet_q_operands* const q) {
  if (kind == SCANLET_MAXIMUM) return a > b ? a : b;
  if (kind == SCANLET_MINIMUM) return a < b ? a : b;
  const int32_t p = a - q->first_zero;
  const int32_t r = b - q->second_zero;
  if (kind == SCANLET_MUL) return scanlet_q_saturate(scanlet_q_rescale(p * r, q->by_y), q->y);
  // |p| <= 2^8 and up 20, or |p| <= 2^15 and up 15; factors of at most 1/2: the sum fits 32 bits.
  const int32_t first = (int32_t)scanlet_q_rescale(p * (1 << q->up), q->by_first);
  const int32_t second = (int32_t)scanlet_q_rescale(r * (1 << q->up), q->by_second);
  const int32_t sum = kind == SCANLET_ADD ? first + second : first - second;
  return scanlet_q_saturate(scanlet_q_rescale(sum, q->by_y), q->y);
}

SCANLET_INLINE void scanlet_q_binary(const scanlet_q_type type, const scanlet_binary_kind kind,
                                     const void* const first, const void* const second,
                                     void* const y, const scanlet_broadcast* const s,
                                     const scanlet_q_operands* const q) {
  ptrdiff_t at = 0;
  for (int32_t a = 0; a < s->extent[0]; ++a) {
    for (int32_t b = 0; b < s->extent[1]; ++b) {
      for (int32_t c = 0; c < s->extent[2]; ++c) {
        ptrdiff_t i =
            (ptrdiff_t)a * s->first[0] + (ptrdiff_t)b * s->first[1] + (ptrdiff_t)c * s->first[2];
        ptrdiff_t j =
            (ptrdiff_t)a * s->second[0] + (ptrdiff_t)b * s->second[1] + (ptrdiff_t)c * s->second[2];
        for (int32_t d = 0; d < s->extent[3]; ++d) {
          const int32_t value = scanlet_q_binary_one(kind, scanlet_q_load(type, first, i),
                                                     scanlet_q_load(type, second, j), q);
          scanlet_q_store(type, y, at++, value);
          i += s->first[3];
          j += s->second[3];
        }
      }
    }
  }
}

#endif  // SCANLET_SHELL_INT_BINARY_H_
