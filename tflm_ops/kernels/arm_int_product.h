// SPDX-License-Identifier: Apache-2.0
// Cortex-M with the DSP extension: four outputs of int8 weights times four or two steps of int16
// activations.
//
// Of each four k, one load and two SXTB16 give the weights of an output, a load of two registers a
// step's activations, and two SMLAD their products: 15 instructions for four steps. What is needed
// once an output waits in float registers. Layout: SCANLET_ROWS_DSP in int_layout.h. Sums are
// exact, so their order does not matter.
#ifndef SCANLET_KERNELS_ARM_INT_PRODUCT_H_
#define SCANLET_KERNELS_ARM_INT_PRODUCT_H_

#include <stdint.h>

#include "arm_int.h"

#if SCANLET_ARM_DSP

#include <stddef.h>
#include <string.h>

// clang-format off

// Two pairs of activations of one step onto its sum.
#define SCANLET_ARM_PAIRS(x, sum)                        \
  SCANLET_LINE("ldrd r4, r5, [%[" x "]], #8")            \
  SCANLET_LINE("smlad %[" sum "], %[a], r4, %[" sum "]") \
  SCANLET_LINE("smlad %[" sum "], %[b], r5, %[" sum "]")

// Four k of one output.
#define SCANLET_ARM_QUAD(columns)           \
  SCANLET_LINE("ldr %[a], [%[w]], #4")      \
  SCANLET_LINE("sxtb16 %[b], %[a], ror #8") \
  SCANLET_LINE("sxtb16 %[a], %[a]")         \
  columns

#define SCANLET_ARM_TWO_COLUMNS SCANLET_ARM_PAIRS("x0", "s0") SCANLET_ARM_PAIRS("x1", "s1")
#define SCANLET_ARM_FOUR_COLUMNS \
  SCANLET_ARM_TWO_COLUMNS SCANLET_ARM_PAIRS("x2", "s2") SCANLET_ARM_PAIRS("x3", "s3")

// All k of four outputs: first whole sixteens of k, then fours.
#define SCANLET_ARM_INT_BLOCK(columns, start, finish)                                     \
  "1:\n\t"                                                                                \
  SCANLET_LINE("vmov %[a], %[bias]")                                                      \
  SCANLET_LINE("ldr %[s0], [%[a]], #8")                                                   \
  SCANLET_LINE("vmov %[bias], %[a]")                                                      \
  SCANLET_LINE("vmov %[b], %[depth]")                                                     \
  SCANLET_LINE("bic %[a], %[b], #15")                                                     \
  SCANLET_LINE("add %[end], %[w], %[a]")                                                  \
  start                                                                                   \
  SCANLET_LINE("b 3f")                                                                    \
  "2:\n\t"                                                                                \
  SCANLET_ARM_QUAD(columns) SCANLET_ARM_QUAD(columns)                                     \
  SCANLET_ARM_QUAD(columns) SCANLET_ARM_QUAD(columns)                                     \
  "3:\n\t"                                                                                \
  SCANLET_LINE("cmp %[w], %[end]")                                                        \
  SCANLET_LINE("bne 2b")                                                                  \
  SCANLET_LINE("vmov %[b], %[depth]")                                                     \
  SCANLET_LINE("and %[b], %[b], #15")                                                     \
  SCANLET_LINE("add %[end], %[w], %[b]")                                                  \
  SCANLET_LINE("b 5f")                                                                    \
  "4:\n\t"                                                                                \
  SCANLET_ARM_QUAD(columns)                                                               \
  "5:\n\t"                                                                                \
  SCANLET_LINE("cmp %[w], %[end]")                                                        \
  SCANLET_LINE("bne 4b")                                                                  \
  SCANLET_LINE("vmov %[a], %[acc]")                                                       \
  SCANLET_LINE("vmov %[b], %[depth]")                                                     \
  SCANLET_LINE("strd %[s0], %[s1], [%[a]]")                                               \
  finish                                                                                  \
  SCANLET_LINE("add %[a], %[a], #16")                                                     \
  SCANLET_LINE("vmov %[acc], %[a]")                                                       \
  SCANLET_LINE("sub %[x0], %[x0], %[b], lsl #1")                                          \
  SCANLET_LINE("sub %[x1], %[x1], %[b], lsl #1")                                          \
  SCANLET_LINE("vmov %[b], %[last]")                                                      \
  SCANLET_LINE("cmp %[w], %[b]")                                                          \
  SCANLET_LINE("bne 1b")

// acc (4, 4), int32 = bias + product for four outputs and the first `steps` columns, 1 to 4, of x
// (steps, depth); depth a multiple of 4. What lies in the other columns of acc has no meaning.
// bias: two words from output to output.
SCANLET_INLINE void scanlet_arm_int_block(const int8_t* weight, const int32_t* bias,
                                          const int16_t* const x, const int32_t depth,
                                          const int32_t steps, int32_t* acc) {
  const int16_t* x0 = x;
  const int16_t* x1 = steps > 1 ? x + depth : x;
  const int8_t* const last = weight + 4 * depth;
  const int8_t* end;
  int32_t s0;
  int32_t s1;
  int32_t s2;
  int32_t s3;
  int32_t a;
  int32_t b;
  if (steps > 2) {
    const int16_t* x2 = x1 + depth;
    const int16_t* x3 = steps > 3 ? x2 + depth : x2;
    __asm__ volatile(
        SCANLET_ARM_INT_BLOCK(SCANLET_ARM_FOUR_COLUMNS,
                              SCANLET_LINE("mov %[s1], %[s0]") SCANLET_LINE("mov %[s2], %[s0]")
                              SCANLET_LINE("mov %[s3], %[s0]"),
                              SCANLET_LINE("strd %[s2], %[s3], [%[a], #8]")
                              SCANLET_LINE("sub %[x2], %[x2], %[b], lsl #1")
                              SCANLET_LINE("sub %[x3], %[x3], %[b], lsl #1"))
        : [w] "+r"(weight), [x0] "+r"(x0), [x1] "+r"(x1), [x2] "+r"(x2), [x3] "+r"(x3),
          [s0] "=&r"(s0), [s1] "=&r"(s1), [s2] "=&r"(s2), [s3] "=&r"(s3), [end] "=&r"(end),
          [a] "=&r"(a), [b] "=&r"(b), [bias] "+t"(bias), [acc] "+t"(acc)
        : [depth] "t"(depth), [last] "t"(last)
        : "cc", "memory", "r4", "r5");
  } else {
    __asm__ volatile(
        SCANLET_ARM_INT_BLOCK(SCANLET_ARM_TWO_COLUMNS, SCANLET_LINE("mov %[s1], %[s0]"), "")
        : [w] "+r"(weight), [x0] "+r"(x0), [x1] "+r"(x1), [s0] "=&r"(s0), [s1] "=&r"(s1),
          [end] "=&r"(end), [a] "=&r"(a), [b] "=&r"(b), [bias] "+t"(bias), [acc] "+t"(acc)
        : [depth] "t"(depth), [last] "t"(last)
        : "cc", "memory", "r4", "r5");
  }
}

// clang-format on

// scanlet_arm_int_block for tiles of any size: acc (4, T), the first `steps` columns of x.
SCANLET_INLINE void scanlet_arm_int_tile(const int8_t* const weight, const int32_t* const bias,
                                         const int16_t* x, const int32_t depth, const int32_t T,
                                         const int32_t steps, int32_t* acc) {
  int32_t part[16];
  for (int32_t t = 0; t < steps; t += 4) {
    const int32_t columns = steps - t < 4 ? steps - t : 4;
    scanlet_arm_int_block(weight, bias, x, depth, columns, part);
    SCANLET_UNROLL(4)
    for (int32_t i = 0; i < 4; ++i) {
      SCANLET_UNROLL(4)
      for (int32_t j = 0; j < 4; ++j) {
        if (t + j < steps) acc[i * T + j] = part[4 * i + j];
      }
    }
    x += (ptrdiff_t)4 * depth;
    acc += 4;
  }
}

// acc (4, 4), int32 = bias + int16 weights (4, 4) times x (4, 4) of four steps, for four outputs: a
// dt_proj of rank 4. `bias_stride`: words from output to output.
SCANLET_INLINE void scanlet_arm_int_small(const int16_t* const weight, const int32_t* bias,
                                          const int32_t bias_stride, const int16_t* const x,
                                          int32_t* acc) {
  int16x2_t pairs[4][2];
  memcpy(pairs, x, sizeof(pairs));
  SCANLET_UNROLL(4)
  for (int32_t i = 0; i < 4; ++i) {
    int16x2_t w[2];
    memcpy(w, weight + 4 * i, sizeof(w));
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < 4; ++t) {
      acc[4 * i + t] = __smlad(w[1], pairs[t][1], __smlad(w[0], pairs[t][0], *bias));
    }
    bias += bias_stride;
  }
}

#endif  // SCANLET_ARM_DSP

#endif  // SCANLET_KERNELS_ARM_INT_PRODUCT_H_
