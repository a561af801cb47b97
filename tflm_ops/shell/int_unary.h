// SPDX-License-Identifier: Apache-2.0
// Pointwise functions of one tensor, and the way between stored integers and floats.
#ifndef SCANLET_SHELL_INT_UNARY_H_
#define SCANLET_SHELL_INT_UNARY_H_

#include "int_core.h"

// Any function of an int8: table[x + 128].
SCANLET_INLINE void scanlet_q_lookup(const int8_t* const table, const int8_t* const x,
                                     int8_t* const y, const int32_t count) {
  for (int32_t i = 0; i < count; ++i) y[i] = table[x[i] + 128];
}

// Another scale, between any two types. A ReLU is a lower end of the range; `magnitude` 1 takes
// the absolute value first.
SCANLET_INLINE void scanlet_q_requantize(const scanlet_q_type from, const scanlet_q_type to,
                                         const void* const x, void* const y, const int32_t count,
                                         const int32_t x_zero, const scanlet_q_factor by,
                                         const scanlet_q_output output, const int32_t magnitude) {
  for (int32_t i = 0; i < count; ++i) {
    int32_t value = scanlet_q_load(from, x, i) - x_zero;
    if (magnitude && value < 0) value = -value;
    scanlet_q_store(to, y, i, scanlet_q_saturate(scanlet_q_rescale(value, by), output));
  }
}

// sigmoid in steps of 2^-16 between the entries i / 24 of its table, 0 <= i < 256, for an argument
// in steps of 1 / (24 * 2^bits); 65535 beyond 10.6. The result has `bits` more fractional bits.
SCANLET_INLINE uint32_t scanlet_q_sigmoid_steps(const uint16_t* const table, const uint32_t x,
                                                const int32_t bits) {
  const uint32_t entry = x >> bits;
  if (entry >= 255) return (uint32_t)0xffff << bits;
  const uint32_t part = x & ((1u << bits) - 1u);
  return ((uint32_t)table[entry] << bits) +
         part * ((uint32_t)table[entry + 1] - (uint32_t)table[entry]);
}

// sigmoid of int16 in Q0.15. x times factor / 2^shift counts in steps of 1 / 12288.
SCANLET_INLINE void scanlet_q_sigmoid16(const uint16_t* const table, const int16_t* const x,
                                        int16_t* const y, const int32_t count, const int32_t factor,
                                        const int32_t shift) {
  const int32_t round = shift > 0 ? 1 << (shift - 1) : 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t argument = (x[i] * factor + round) >> shift;
    const uint32_t steps =
        scanlet_q_sigmoid_steps(table, (uint32_t)(argument < 0 ? -argument : argument), 9);
    const uint32_t value = argument < 0 ? (1u << 25) - steps + (1u << 9) - 1u : steps + (1u << 9);
    const int32_t stored = (int32_t)(value >> 10);
    y[i] = (int16_t)(stored > 32767 ? 32767 : stored);
  }
}

// tanh of int16 in Q0.15 by 2 sigmoid(2 x) - 1; x as for sigmoid.
SCANLET_INLINE void scanlet_q_tanh16(const uint16_t* const table, const int16_t* const x,
                                     int16_t* const y, const int32_t count, const int32_t factor,
                                     const int32_t shift) {
  const int32_t round = shift > 0 ? 1 << (shift - 1) : 0;
  for (int32_t i = 0; i < count; ++i) {
    const int32_t argument = (x[i] * factor + round) >> shift;
    const int32_t steps =
        (int32_t)scanlet_q_sigmoid_steps(table, (uint32_t)(argument < 0 ? -argument : argument), 8);
    const int32_t half = 1 << 23;
    const int32_t value = argument < 0 ? half - steps + 127 : steps - half + 128;
    y[i] = (int16_t)(value >> 8);
  }
}

// round(x / scale) + zero, saturated; halves away from zero. A NaN becomes the lowest value.
SCANLET_INLINE void scanlet_q_quantize(const scanlet_q_type type, const float* const x,
                                       void* const y, const int32_t count, const float scale,
                                       const scanlet_q_output to) {
  const float low = (float)(to.low - to.zero);
  const float high = (float)(to.high - to.zero);
  for (int32_t i = 0; i < count; ++i) {
    const float real = x[i] / scale;
    const float raised = real > low ? real : low;
    const float kept = raised < high ? raised : high;
    int32_t whole = (int32_t)kept;
    const float rest = kept - (float)whole;
    if (rest >= 0.5f) ++whole;
    if (rest <= -0.5f) --whole;
    scanlet_q_store(type, y, i, whole + to.zero);
  }
}

SCANLET_INLINE void scanlet_q_dequantize(const scanlet_q_type type, const void* const x,
                                         float* const y, const int32_t count, const float scale,
                                         const int32_t zero) {
  for (int32_t i = 0; i < count; ++i) y[i] = scale * (float)(scanlet_q_load(type, x, i) - zero);
}

#endif  // SCANLET_SHELL_INT_UNARY_H_
