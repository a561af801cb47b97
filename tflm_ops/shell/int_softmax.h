// SPDX-License-Identifier: Apache-2.0
// Softmax over the last axis: int8 in 1/256 from -128 on, int16 in Q0.15.
#ifndef SCANLET_SHELL_INT_SOFTMAX_H_
#define SCANLET_SHELL_INT_SOFTMAX_H_

#include "int_core.h"

// table[d] is exp(-d * scale), 0 <= d < 256, in a Q format with which a row's sum fits 32 bits and
// 256 times an entry does, too.
SCANLET_INLINE void scanlet_q_softmax8(const uint32_t* const table, const int8_t* x, int8_t* y,
                                       const int32_t rows, const int32_t width) {
  for (int32_t row = 0; row < rows; ++row) {
    int8_t largest = x[0];
    for (int32_t i = 1; i < width; ++i) largest = x[i] > largest ? x[i] : largest;
    uint32_t sum = 0;
    for (int32_t i = 0; i < width; ++i) sum += table[largest - x[i]];
    for (int32_t i = 0; i < width; ++i) {
      const uint32_t share = (table[largest - x[i]] * 256u + sum / 2u) / sum;
      y[i] = (int8_t)((int32_t)(share > 255u ? 255u : share) - 128);
    }
    x += width;
    y += width;
  }
}

// Between the 513 entries of a table over all of int16, in steps of 128.
SCANLET_INLINE int32_t scanlet_q_interpolate(const int16_t* const table, const int32_t x) {
  const int32_t entry = 256 + (x >> 7);
  const int32_t slope = table[entry + 1] - table[entry];
  return table[entry] + ((slope * (x & 127) + 64) >> 7);
}

// exp_table covers exp of -10 to 0, inverse_table 1 / (1 + v) of v from 0 to 1, both in Q0.15; `by`
// brings differences of x to steps of 10 / 65535.
SCANLET_INLINE void scanlet_q_softmax16(const int16_t* const exp_table,
                                        const int16_t* const inverse_table, const int16_t* x,
                                        int16_t* y, const int32_t rows, const int32_t width,
                                        const scanlet_q_factor by) {
  for (int32_t row = 0; row < rows; ++row) {
    int32_t largest = x[0];
    for (int32_t i = 1; i < width; ++i) largest = x[i] > largest ? x[i] : largest;
    int32_t sum = 0;  // at least 32767, the largest element's
    for (int32_t i = 0; i < width; ++i) {
      const int64_t argument = scanlet_q_rescale(x[i] - largest, by) + 32767;
      y[i] =
          (int16_t)scanlet_q_interpolate(exp_table, argument < -32768 ? -32768 : (int32_t)argument);
      sum += y[i];
    }
    int32_t room = 1;  // bits above the sum's highest
    while (room < 17 && (sum >> (31 - room)) == 0) ++room;
    const int64_t raised = (((int64_t)sum << (room - 1)) + (1 << 13)) >> 14;
    const int64_t centred = raised - (1 << 15) - (1 << 16);
    const int32_t inverse =
        scanlet_q_interpolate(inverse_table, centred > 32767 ? 32767 : (int32_t)centred);
    const int32_t down = 31 - room;
    for (int32_t i = 0; i < width; ++i) {
      const int32_t share = (y[i] * inverse + (1 << (down - 1))) >> down;
      y[i] = (int16_t)(share > 32767 ? 32767 : share);
    }
    x += width;
    y += width;
  }
}

#endif  // SCANLET_SHELL_INT_SOFTMAX_H_
