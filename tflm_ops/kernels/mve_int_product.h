// SPDX-License-Identifier: Apache-2.0
// Integer products: eight terms of one output and step in an instruction, two outputs and four
// steps side by side.
//
// Sums lie as (steps, 8 outputs) and are without bias, which is added where they are rescaled.
#ifndef SCANLET_KERNELS_MVE_INT_PRODUCT_H_
#define SCANLET_KERNELS_MVE_INT_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "mve_int.h"

#if SCANLET_INT_MVE

// clang-format off

#define SCANLET_MVE_LINE(text) text "\n\t"

// Eight terms of two outputs and four steps; `mac` starts the sums or adds to them.
#define SCANLET_MVE_OCTET(load, size, mac)                       \
  SCANLET_MVE_LINE(load " q0, [%[w]], #" size)                   \
  SCANLET_MVE_LINE("vldrh.u16 q2, [%[x]], %[next]")              \
  SCANLET_MVE_LINE(mac " %[a0], q0, q2")                         \
  SCANLET_MVE_LINE(load " q1, [%[w]], #" size)                   \
  SCANLET_MVE_LINE(mac " %[b0], q1, q2")                         \
  SCANLET_MVE_LINE("vldrh.u16 q3, [%[x], %[x1]]")                \
  SCANLET_MVE_LINE(mac " %[a1], q0, q3")                         \
  SCANLET_MVE_LINE(mac " %[b1], q1, q3")                         \
  SCANLET_MVE_LINE("vldrh.u16 q2, [%[x], %[x2]]")                \
  SCANLET_MVE_LINE(mac " %[a2], q0, q2")                         \
  SCANLET_MVE_LINE(mac " %[b2], q1, q2")                         \
  SCANLET_MVE_LINE("vldrh.u16 q3, [%[x], %[x3]]")                \
  SCANLET_MVE_LINE(mac " %[a3], q0, q3")                         \
  SCANLET_MVE_LINE(mac " %[b3], q1, q3")

// All terms: a first octet, then two a round; of an even number of octets, half the first round.
#define SCANLET_MVE_FOUR(load, size)                                                             \
  SCANLET_MVE_LINE("lsrs %[n], %[octets], #1")                                                   \
  SCANLET_MVE_OCTET(load, size, "vmladav.s16")                                                   \
  SCANLET_MVE_LINE("beq 3f")                                                                     \
  SCANLET_MVE_LINE("bcc 2f")                                                                     \
  "1:\n\t"                                                                                       \
  SCANLET_MVE_OCTET(load, size, "vmladava.s16")                                                  \
  "2:\n\t"                                                                                       \
  SCANLET_MVE_OCTET(load, size, "vmladava.s16")                                                  \
  SCANLET_MVE_LINE("subs %[n], #1")                                                              \
  SCANLET_MVE_LINE("bne 1b")                                                                     \
  "3:\n\t"                                                                                       \
  SCANLET_MVE_LINE("strd %[a0], %[b0], [%[acc]]")                                                \
  SCANLET_MVE_LINE("strd %[a1], %[b1], [%[acc], #32]")                                           \
  SCANLET_MVE_LINE("strd %[a2], %[b2], [%[acc], #64]")                                           \
  SCANLET_MVE_LINE("strd %[a3], %[b3], [%[acc], #96]")

// clang-format on

#define SCANLET_MVE_FOUR_OPERANDS                                                              \
  : [w] "+r"(w), [x] "+r"(x), [n] "=&r"(n), [a0] "=&Te"(a0), [b0] "=&Te"(b0), [a1] "=&Te"(a1), \
    [b1] "=&Te"(b1), [a2] "=&Te"(a2), [b2] "=&Te"(b2), [a3] "=&Te"(a3), [b3] "=&Te"(b3)        \
  : [acc] "r"(acc), [octets] "r"(octets), [next] "i"(16 * T), [x1] "i"(16 - 16 * T),           \
    [x2] "i"(32 - 16 * T), [x3] "i"(48 - 16 * T)                                               \
  : "cc", "memory", "q0", "q1", "q2", "q3"

// Two outputs and four steps of T over `count` octets; sums: 8 words from step to step. Returns the
// weights behind. Literal: wide (int16 weights), T from 4 to 8.
SCANLET_INLINE const int8_t* scanlet_mve_int_four(const int8_t* const weight, const int wide,
                                                  const int16_t* const value, const int32_t count,
                                                  const int32_t T, int32_t* const sums) {
  // The sums take all even registers; widening loads want a low one.
  register const int8_t* w __asm__("r1") = weight;
  register const int16_t* x __asm__("r3") = value;
  register int32_t n __asm__("r5");
  register int32_t* const acc __asm__("r9") = sums;
  register const int32_t octets __asm__("r11") = count;
  int32_t a0;
  int32_t b0;
  int32_t a1;
  int32_t b1;
  int32_t a2;
  int32_t b2;
  int32_t a3;
  int32_t b3;
  // NOLINTNEXTLINE(bugprone-branch-clone): the assembly differs.
  if (wide) {
    __asm__ volatile(SCANLET_MVE_FOUR("vldrh.u16", "16") SCANLET_MVE_FOUR_OPERANDS);
  } else {
    __asm__ volatile(SCANLET_MVE_FOUR("vldrb.s16", "8") SCANLET_MVE_FOUR_OPERANDS);
  }
  return w;
}

SCANLET_INLINE int16x8_t scanlet_mve_int_weights(const int8_t* const w, const int wide) {
  return wide ? vldrhq_s16((const int16_t*)(const void*)w) : vldrbq_s16(w);
}

// The same for any T and one or two steps, `columns`, a literal.
SCANLET_INLINE const int8_t* scanlet_mve_int_few(const int8_t* w, const int wide, const int16_t* x,
                                                 const int32_t octets, const int32_t T,
                                                 int32_t* const acc, const int32_t columns) {
  int32_t sums[2][2] = {{0, 0}, {0, 0}};
  const int32_t size = wide ? 16 : 8;
  SCANLET_UNROLL(1)
  for (int32_t k = 0; k < octets; ++k) {
    const int16x8_t first = scanlet_mve_int_weights(w, wide);
    const int16x8_t second = scanlet_mve_int_weights(w + size, wide);
    SCANLET_UNROLL(2)
    for (int32_t t = 0; t < columns; ++t) {
      const int16x8_t value = vldrhq_s16(x + 8 * t);
      sums[t][0] = vmladavaq_s16(sums[t][0], first, value);
      sums[t][1] = vmladavaq_s16(sums[t][1], second, value);
    }
    w += 2 * size;
    x += 8 * T;
  }
  SCANLET_UNROLL(2)
  for (int32_t t = 0; t < columns; ++t) {
    acc[8 * t] = sums[t][0];
    acc[8 * t + 1] = sums[t][1];
  }
  return w;
}

// `pairs` times two outputs, steps t to t + 4 or, with other T than 4 and 8, up to `steps`: acc
// (4, 8). Literal: wide.
SCANLET_INLINE void scanlet_mve_int_sums(const void* const weight, const int wide, const int16_t* x,
                                         const int32_t depth, const int32_t T, const int32_t t,
                                         const int32_t steps, const int32_t pairs,
                                         int32_t* const acc) {
  const int8_t* w = weight;
  const int32_t octets = depth / 8;
  x += 8 * t;
  if (T == 4) {
    SCANLET_UNROLL(1)
    for (int32_t i = 0; i < pairs; ++i) {
      w = scanlet_mve_int_four(w, wide, x, octets, 4, acc + 2 * i);
    }
  } else if (T == 8) {
    SCANLET_UNROLL(1)
    for (int32_t i = 0; i < pairs; ++i) {
      w = scanlet_mve_int_four(w, wide, x, octets, 8, acc + 2 * i);
    }
  } else {
    const int32_t left = steps - t < 4 ? steps - t : 4;
    SCANLET_UNROLL(1)
    for (int32_t i = 0; i < pairs; ++i) {
      const int8_t* const start = w;
      int32_t j = 0;
      for (; j + 2 <= left; j += 2) {
        w = scanlet_mve_int_few(start, wide, x + 8 * j, octets, T, acc + 8 * j + 2 * i, 2);
      }
      if (j < left) {
        w = scanlet_mve_int_few(start, wide, x + 8 * j, octets, T, acc + 8 * j + 2 * i, 1);
      }
    }
  }
}

// Eight outputs; see scanlet_int_block and scanlet_int_dt_block. acc (T, 8).
SCANLET_INLINE void scanlet_mve_int_block(const void* const weight, const int wide,
                                          const int16_t* const x, const int32_t depth,
                                          const int32_t T, const int32_t steps,
                                          int32_t* const acc) {
  for (int32_t t = 0; t < steps; t += 4) {
    scanlet_mve_int_sums(weight, wide, x, depth, T, t, steps, 4, acc + 8 * t);
  }
}

// See scanlet_int_rows. Elements of y between `outputs` and the next multiple of eight are written
// as well.
SCANLET_INLINE void scanlet_mve_int_rows(const int8_t* const weight, const scanlet_row* const rows,
                                         const int16_t* const x, int16_t* const y,
                                         const int32_t outputs, const int32_t depth,
                                         const int32_t T, const int32_t steps, const int32_t y_k,
                                         const int32_t y_t) {
  int32_t acc[32];  // of outputs that are not there: anything
  for (int32_t o = 0; o < outputs; o += 8) {
    const int32_t pairs = outputs - o < 8 ? (outputs - o + 1) / 2 : 4;
    scanlet_mve_int_wide bias;
    scanlet_mve_int_wide factor;
    for (int32_t t = 0; t < steps; t += 4) {
      scanlet_mve_int_sums(weight + (ptrdiff_t)o * depth, 0, x, depth, T, t, steps, pairs, acc);
      scanlet_mve_int_constants(rows + o, &bias, &factor);
      int16_t* out = y + (ptrdiff_t)o * y_k + t * y_t;
      const int32_t left = steps - t < 4 ? steps - t : 4;
      for (int32_t j = 0; j < left; ++j) {
        const scanlet_mve_int_wide sum =
            scanlet_mve_int_add(scanlet_mve_int_load_wide(acc + 8 * j), bias);
        vstrhq_s16(out, scanlet_mve_int_narrow(scanlet_mve_int_scale(sum, factor)));
        out += y_t;
      }
    }
  }
}

#endif  // SCANLET_INT_MVE

#endif  // SCANLET_KERNELS_MVE_INT_PRODUCT_H_
