// SPDX-License-Identifier: Apache-2.0
// Cortex-M: products of blocks of four outputs with four steps, sixteen sums in registers.
//
// In assembly, since compilers for these cores neither use the instruction that loads several
// registers at once for this nor keep all 32 registers busy. The order of additions is that of
// product.h.
#ifndef SCANLET_KERNELS_ARM_PRODUCT_H_
#define SCANLET_KERNELS_ARM_PRODUCT_H_

#include <stddef.h>
#include <stdint.h>

#include "arm.h"

#if SCANLET_ARM

// clang-format off

// The four steps of one output: sums from s[a] on, weight s[w], activations from s[x0] on.
#define SCANLET_ARM_LANE(op, a, b, c, d, w, x0, x1, x2, x3) \
  SCANLET_OP(op "s" #a ", s" #w ", s" #x0)                  \
  SCANLET_OP(op "s" #b ", s" #w ", s" #x1)                  \
  SCANLET_OP(op "s" #c ", s" #w ", s" #x2)                  \
  SCANLET_OP(op "s" #d ", s" #w ", s" #x3)

// All sixteen sums for one k: weights s[w0] to s[w3], activations s[x0] to s[x3].
#define SCANLET_ARM_STEP(op, w0, w1, w2, w3, x0, x1, x2, x3) \
  SCANLET_ARM_LANE(op, 16, 17, 18, 19, w0, x0, x1, x2, x3)   \
  SCANLET_ARM_LANE(op, 20, 21, 22, 23, w1, x0, x1, x2, x3)   \
  SCANLET_ARM_LANE(op, 24, 25, 26, 27, w2, x0, x1, x2, x3)   \
  SCANLET_ARM_LANE(op, 28, 29, 30, 31, w3, x0, x1, x2, x3)

// One k, or two of them, of which the first is done with `op`.
#define SCANLET_ARM_ONE(op)                      \
  SCANLET_OP("vldmia %[w]!, {s0-s3}")            \
  SCANLET_OP("vldmia %[x]!, {s8-s11}")           \
  SCANLET_ARM_STEP(op, 0, 1, 2, 3, 8, 9, 10, 11)
#define SCANLET_ARM_TWO(op)                      \
  SCANLET_OP("vldmia %[w]!, {s0-s7}")            \
  SCANLET_OP("vldmia %[x]!, {s8-s15}")           \
  SCANLET_ARM_STEP(op, 0, 1, 2, 3, 8, 9, 10, 11) \
  SCANLET_ARM_STEP(SCANLET_ARM_MADD, 4, 5, 6, 7, 12, 13, 14, 15)

#define SCANLET_ARM_ADD_LANE(a, b, c, d, t0, t1, t2, t3) \
  SCANLET_OP("vadd.f32 s" #a ", s" #t0 ", s" #a)         \
  SCANLET_OP("vadd.f32 s" #b ", s" #t1 ", s" #b)         \
  SCANLET_OP("vadd.f32 s" #c ", s" #t2 ", s" #c)         \
  SCANLET_OP("vadd.f32 s" #d ", s" #t3 ", s" #d)

// `count` products of a chunk into s16 to s31; weight and x move on.
#define SCANLET_ARM_CHUNK                                        \
  SCANLET_OP("subs %[count], #2")                                \
  SCANLET_OP("blt 5f")                                           \
  SCANLET_ARM_TWO("vmul.f32 ") /* -0 plus a product */           \
  SCANLET_OP("subs %[count], #4")                                \
  SCANLET_OP("blt 2f")                                           \
  "1:\n\t"                                                       \
  SCANLET_ARM_TWO(SCANLET_ARM_MADD)                              \
  SCANLET_ARM_TWO(SCANLET_ARM_MADD)                              \
  SCANLET_OP("subs %[count], #4")                                \
  SCANLET_OP("bge 1b")                                           \
  "2:\n\t"                                                       \
  SCANLET_OP("lsls %[count], #31") /* carry: two; sign: one */   \
  SCANLET_OP("bcc 3f")                                           \
  SCANLET_ARM_TWO(SCANLET_ARM_MADD)                              \
  "3:\n\t"                                                       \
  SCANLET_OP("cmp %[count], #0")                                 \
  SCANLET_OP("beq 4f")                                           \
  SCANLET_ARM_ONE(SCANLET_ARM_MADD)                              \
  SCANLET_OP("b 4f")                                             \
  "5:\n\t"                                                       \
  SCANLET_ARM_ONE("vmul.f32 ")                                   \
  "4:\n\t"

#define SCANLET_ARM_PRODUCT_END                               \
  SCANLET_OP("cbnz %[first], 6f")                             \
  SCANLET_OP("vldmia %[y], {s0-s15}")                         \
  SCANLET_ARM_ADD_LANE(16, 17, 18, 19, 0, 1, 2, 3)            \
  SCANLET_ARM_ADD_LANE(20, 21, 22, 23, 4, 5, 6, 7)            \
  SCANLET_ARM_ADD_LANE(24, 25, 26, 27, 8, 9, 10, 11)          \
  SCANLET_ARM_ADD_LANE(28, 29, 30, 31, 12, 13, 14, 15)        \
  SCANLET_OP("b 7f")                                          \
  "6:\n\t"                                                    \
  SCANLET_OP("cbz %[bias], 7f")                               \
  SCANLET_OP("vldmia %[bias], {s0-s3}")                       \
  SCANLET_ARM_ADD_LANE(16, 17, 18, 19, 0, 0, 0, 0)            \
  SCANLET_ARM_ADD_LANE(20, 21, 22, 23, 1, 1, 1, 1)            \
  SCANLET_ARM_ADD_LANE(24, 25, 26, 27, 2, 2, 2, 2)            \
  SCANLET_ARM_ADD_LANE(28, 29, 30, 31, 3, 3, 3, 3)            \
  "7:\n\t"                                                    \
  SCANLET_OP("vstmia %[y], {s16-s31}")

// clang-format on

// scanlet_product for `blocks` whole blocks of outputs, T = 4 and depth > 0.
static __attribute__((noinline, unused)) void scanlet_arm_product(
    const float* weight, const float* const x, const float* bias, float* y, int32_t blocks,
    const int32_t depth, const int32_t chunk) {
  do {
    const float* column = x;
    int32_t left = depth;
    int32_t first = 1;
    do {
      int32_t count = left < chunk ? left : chunk;
      left -= count;
      __asm__ volatile(SCANLET_ARM_CHUNK SCANLET_ARM_PRODUCT_END
                       : [w] "+l"(weight), [x] "+l"(column), [count] "+l"(count)
                       : [y] "l"(y), [bias] "l"(bias), [first] "l"(first)
                       : "cc", "memory", SCANLET_ARM_ALL_FLOATS);
      first = 0;
    } while (left > 0);
    y += 16;
    if (bias != NULL) bias += 4;
  } while (--blocks > 0);
}

#endif  // SCANLET_ARM

#endif  // SCANLET_KERNELS_ARM_PRODUCT_H_
