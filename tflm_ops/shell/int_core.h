// SPDX-License-Identifier: Apache-2.0
// Integer forms of the operators around SELECTIVE_SSM, in TFLite's arithmetic. Stored values are
// int8 or int16; real = scale * (stored - zero). Functions take the type as a literal and void
// pointers: inlined, each call is specialised for its type.
#ifndef SCANLET_SHELL_INT_CORE_H_
#define SCANLET_SHELL_INT_CORE_H_

#include <stddef.h>
#include <stdint.h>

#include "../kernels/madd.h"

typedef enum { SCANLET_Q8, SCANLET_Q16 } scanlet_q_type;

// A real factor: factor / 2^31 * 2^shift, 2^30 <= factor < 2^31 (or 0), -31 <= shift <= 30.
typedef struct {
  int32_t factor;
  int32_t shift;
} scanlet_q_factor;

// The range of stored results, which is also how an activation is fused, and their zero point.
typedef struct {
  int32_t zero;
  int32_t low;
  int32_t high;
} scanlet_q_output;

SCANLET_INLINE int32_t scanlet_q_load(const scanlet_q_type type, const void* const x,
                                      const ptrdiff_t at) {
  return type == SCANLET_Q8 ? ((const int8_t*)x)[at] : ((const int16_t*)x)[at];
}

SCANLET_INLINE void scanlet_q_store(const scanlet_q_type type, void* const y, const ptrdiff_t at,
                                    const int32_t value) {
  if (type == SCANLET_Q8) {
    ((int8_t*)y)[at] = (int8_t)value;
  } else {
    ((int16_t*)y)[at] = (int16_t)value;
  }
}

// value times the factor, to nearest. |value| <= 2^31, so the product stays below 2^62.
SCANLET_INLINE int64_t scanlet_q_rescale(const int32_t value, const scanlet_q_factor by) {
  const int32_t down = 31 - by.shift;
  return ((int64_t)value * by.factor + ((int64_t)1 << (down - 1))) >> down;
}

// The same for the wide sums of int16: |value| < 2^47, with the 16 upper bits of the factor;
// shift < 8.
SCANLET_INLINE int64_t scanlet_q_rescale_wide(const int64_t value, const scanlet_q_factor by) {
  const int32_t upper = by.factor < 0x7fff0000 ? (by.factor + (1 << 15)) >> 16 : 0x7fff;
  const int32_t down = 15 - by.shift;
  return (value * upper + ((int64_t)1 << (down - 1))) >> down;
}

SCANLET_INLINE int32_t scanlet_q_saturate(const int64_t value, const scanlet_q_output to) {
  const int64_t moved = value + to.zero;
  const int64_t raised = moved < to.low ? to.low : moved;
  return raised > to.high ? to.high : (int32_t)raised;
}

#endif  // SCANLET_SHELL_INT_CORE_H_
