// SPDX-License-Identifier: Apache-2.0
// Xtensa with MAC16: products of packed weights with a tile, one instruction for each product.
//
// MULA.DD.*.LDINC multiplies halves of two of the registers m0 to m3, adds to an accumulator of 40
// bits and loads the next pair of int16. int8 weights are widened ahead, once for all steps of a
// tile: a mask leaves pairs of them in the upper bytes, 256 times as large. Their sums, below 2^31,
// then fit the accumulator: exact. Layout: SCANLET_ROWS_PAIRS in int_layout.h.
#ifndef SCANLET_KERNELS_XTENSA_INT_PRODUCT_H_
#define SCANLET_KERNELS_XTENSA_INT_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "int_layout.h"
#include "madd.h"
#include "xtensa_int.h"

#if SCANLET_XTENSA_MAC16

// Weights that are widened together.
#define SCANLET_XTENSA_CHUNK 128

// clang-format off

// Four int8 at an offset of w become four int16, 256 times as large, at twice that offset of wide.
#define SCANLET_XTENSA_WIDEN(from, to, next)          \
  SCANLET_XTENSA_LINE("l32i %[b], %[w], " from)       \
  SCANLET_XTENSA_LINE("slli %[a], %[b], 8")           \
  SCANLET_XTENSA_LINE("and %[a], %[a], %[mask]")      \
  SCANLET_XTENSA_LINE("and %[b], %[b], %[mask]")      \
  SCANLET_XTENSA_LINE("s32i %[a], %[wide], " to)      \
  SCANLET_XTENSA_LINE("s32i %[b], %[wide], " next)

// `quads` times four weights.
SCANLET_INLINE void scanlet_xtensa_int_widen(const int8_t* w, int16_t* wide, const int32_t quads) {
  const uint32_t mask = 0xff00ff00u;
  const int32_t pairs = quads >> 1;
  uint32_t a;
  uint32_t b;
  __asm__ volatile(
      SCANLET_XTENSA_LINE("loopnez %[pairs], 1f")
      SCANLET_XTENSA_WIDEN("0", "0", "4")
      SCANLET_XTENSA_WIDEN("4", "8", "12")
      SCANLET_XTENSA_LINE("addi %[w], %[w], 8")
      SCANLET_XTENSA_LINE("addi %[wide], %[wide], 16")
      "1:\n\t"
      : [w] "+r"(w), [wide] "+r"(wide), [a] "=&r"(a), [b] "=&r"(b)
      : [pairs] "r"(pairs), [mask] "r"(mask)
      : "memory");
  if (quads & 1) {
    __asm__ volatile(
        SCANLET_XTENSA_WIDEN("0", "0", "4")
        : [a] "=&r"(a), [b] "=&r"(b)
        : [w] "r"(w), [wide] "r"(wide), [mask] "r"(mask)
        : "memory");
  }
}

// sum[t] = add + 4 * `quads` products over `result`, for `steps` rows of x without a gap between
// them. A loop has four products, the last four load nothing beyond.
#define SCANLET_XTENSA_DOTS(result)                                 \
  __asm__ volatile(                                                 \
      SCANLET_XTENSA_LINE("ssai 8")                                 \
      SCANLET_XTENSA_LINE("addi %[x], %[x], -4")                    \
      "0:\n\t"                                                      \
      SCANLET_XTENSA_LINE("addi %[w], %[start], -4")                \
      SCANLET_XTENSA_LINE("mul.aa.ll %[zero], %[zero]")             \
      SCANLET_XTENSA_LINE("ldinc m0, %[w]")                         \
      SCANLET_XTENSA_LINE("ldinc m2, %[x]")                         \
      SCANLET_XTENSA_LINE("loopnez %[more], 1f")                    \
      SCANLET_XTENSA_LINE("mula.dd.ll.ldinc m1, %[w], m0, m2")      \
      SCANLET_XTENSA_LINE("mula.dd.hh.ldinc m3, %[x], m0, m2")      \
      SCANLET_XTENSA_LINE("mula.dd.ll.ldinc m0, %[w], m1, m3")      \
      SCANLET_XTENSA_LINE("mula.dd.hh.ldinc m2, %[x], m1, m3")      \
      "1:\n\t"                                                      \
      SCANLET_XTENSA_LINE("mula.dd.ll.ldinc m1, %[w], m0, m2")      \
      SCANLET_XTENSA_LINE("mula.dd.hh.ldinc m3, %[x], m0, m2")      \
      SCANLET_XTENSA_LINE("mula.dd.ll m1, m3")                      \
      SCANLET_XTENSA_LINE("mula.dd.hh m1, m3")                      \
      SCANLET_XTENSA_LINE("rsr %[w], acclo")                        \
      result                                                        \
      SCANLET_XTENSA_LINE("add.n %[w], %[w], %[add]")               \
      SCANLET_XTENSA_LINE("s32i.n %[w], %[sum], 0")                 \
      SCANLET_XTENSA_LINE("addi.n %[sum], %[sum], 4")               \
      SCANLET_XTENSA_LINE("bne %[sum], %[end], 0b")                 \
      : [x] "+r"(x), [sum] "+r"(sum), [w] "=&r"(w), [high] "=&r"(high) \
      : [start] "r"(start), [more] "r"(quads - 1), [zero] "r"(0), [add] "r"(add), \
        [end] "r"(sum + steps)                                      \
      : SCANLET_XTENSA_CLOBBERS)

// Weights as scanlet_xtensa_int_widen leaves them (`widened`), or plain. steps > 0, quads > 0.
// Literal: widened.
SCANLET_INLINE void scanlet_xtensa_int_dots(const int16_t* const start, const int16_t* x,
                                            const int32_t add, const int32_t quads,
                                            const int32_t steps, int32_t* sum,
                                            const int widened) {
  int32_t w;
  int32_t high;
  // NOLINTNEXTLINE(bugprone-branch-clone): the assembly differs.
  if (widened) {
    SCANLET_XTENSA_DOTS(
        SCANLET_XTENSA_LINE("rsr %[high], acchi") SCANLET_XTENSA_LINE("src %[w], %[high], %[w]"));
  } else {
    SCANLET_XTENSA_DOTS("");
  }
}

// clang-format on

// sum[t] = bias + sum over k of weight * x (steps, depth); depth a multiple of 4, steps > 0.
SCANLET_INLINE void scanlet_xtensa_int_sums(const int8_t* const weight, const int16_t* const x,
                                            const int32_t bias, const int32_t depth,
                                            const int32_t steps, int32_t* const sum) {
  int16_t wide[SCANLET_XTENSA_CHUNK] __attribute__((aligned(4)));
  if (depth <= SCANLET_XTENSA_CHUNK) {
    scanlet_xtensa_int_widen(weight, wide, depth >> 2);
    scanlet_xtensa_int_dots(wide, x, bias, depth >> 2, steps, sum, 1);
    return;
  }
  for (int32_t t = 0; t < steps; ++t) sum[t] = bias;
  for (int32_t from = 0; from < depth; from += SCANLET_XTENSA_CHUNK) {
    const int32_t left = depth - from;
    const int32_t count = left < SCANLET_XTENSA_CHUNK ? left : SCANLET_XTENSA_CHUNK;
    scanlet_xtensa_int_widen(weight + from, wide, count >> 2);
    for (int32_t t = 0; t < steps; ++t) {
      const int16_t* const at = x + (ptrdiff_t)t * depth + from;
      scanlet_xtensa_int_dots(wide, at, sum[t], count >> 2, 1, sum + t, 1);
    }
  }
}

#endif  // SCANLET_XTENSA_MAC16

#endif  // SCANLET_KERNELS_XTENSA_INT_PRODUCT_H_
