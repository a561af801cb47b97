// SPDX-License-Identifier: Apache-2.0
// Cortex-M: products of blocks of four outputs with four steps, sixteen sums in registers, or with
// the one to three steps of a tile's part.
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

// One to four steps of one output: sums from s[a] on, weight s[w], activations from s[x0] on.
#define SCANLET_ARM_LANE1(op, a, b, c, d, w, x0, x1, x2, x3) \
  SCANLET_OP(op "s" #a ", s" #w ", s" #x0)
#define SCANLET_ARM_LANE2(op, a, b, c, d, w, x0, x1, x2, x3) \
  SCANLET_OP(op "s" #a ", s" #w ", s" #x0)                   \
  SCANLET_OP(op "s" #b ", s" #w ", s" #x1)
#define SCANLET_ARM_LANE3(op, a, b, c, d, w, x0, x1, x2, x3) \
  SCANLET_ARM_LANE2(op, a, b, c, d, w, x0, x1, x2, x3)       \
  SCANLET_OP(op "s" #c ", s" #w ", s" #x2)
#define SCANLET_ARM_LANE4(op, a, b, c, d, w, x0, x1, x2, x3) \
  SCANLET_ARM_LANE3(op, a, b, c, d, w, x0, x1, x2, x3)       \
  SCANLET_OP(op "s" #d ", s" #w ", s" #x3)

// The sums of four outputs for one k: weights s[w0] to s[w3], activations s[x0] to s[x3].
#define SCANLET_ARM_STEP(lane, op, w0, w1, w2, w3, x0, x1, x2, x3) \
  lane(op, 16, 17, 18, 19, w0, x0, x1, x2, x3)                     \
  lane(op, 20, 21, 22, 23, w1, x0, x1, x2, x3)                     \
  lane(op, 24, 25, 26, 27, w2, x0, x1, x2, x3)                     \
  lane(op, 28, 29, 30, 31, w3, x0, x1, x2, x3)

// One k, or two of them, of which the first is done with `op`.
#define SCANLET_ARM_ONE(lane, op)                      \
  SCANLET_OP("vldmia %[w]!, {s0-s3}")                  \
  SCANLET_OP("vldmia %[x]!, {s8-s11}")                 \
  SCANLET_ARM_STEP(lane, op, 0, 1, 2, 3, 8, 9, 10, 11)
#define SCANLET_ARM_TWO(lane, op)                      \
  SCANLET_OP("vldmia %[w]!, {s0-s7}")                  \
  SCANLET_OP("vldmia %[x]!, {s8-s15}")                 \
  SCANLET_ARM_STEP(lane, op, 0, 1, 2, 3, 8, 9, 10, 11) \
  SCANLET_ARM_STEP(lane, SCANLET_ARM_MADD, 4, 5, 6, 7, 12, 13, 14, 15)

// `count` products of a chunk into the sums of as many steps as `lane` has; weight and x move on.
// Labels are 1n to 5n.
#define SCANLET_ARM_CHUNK(lane, n)                               \
  SCANLET_OP("subs %[count], #2")                                \
  SCANLET_OP("blt 5" #n "f")                                     \
  SCANLET_ARM_TWO(lane, "vmul.f32 ") /* -0 plus a product */     \
  SCANLET_OP("subs %[count], #4")                                \
  SCANLET_OP("blt 2" #n "f")                                     \
  "1" #n ":\n\t"                                                 \
  SCANLET_ARM_TWO(lane, SCANLET_ARM_MADD)                        \
  SCANLET_ARM_TWO(lane, SCANLET_ARM_MADD)                        \
  SCANLET_OP("subs %[count], #4")                                \
  SCANLET_OP("bge 1" #n "b")                                     \
  "2" #n ":\n\t"                                                 \
  SCANLET_OP("lsls %[count], #31") /* carry: two; sign: one */   \
  SCANLET_OP("bcc 3" #n "f")                                     \
  SCANLET_ARM_TWO(lane, SCANLET_ARM_MADD)                        \
  "3" #n ":\n\t"                                                 \
  SCANLET_OP("cmp %[count], #0")                                 \
  SCANLET_OP("beq 4" #n "f")                                     \
  SCANLET_ARM_ONE(lane, SCANLET_ARM_MADD)                        \
  SCANLET_OP("b 4" #n "f")                                       \
  "5" #n ":\n\t"                                                 \
  SCANLET_ARM_ONE(lane, "vmul.f32 ")                             \
  "4" #n ":\n\t"

#define SCANLET_ARM_ADD1(a, b, c, d, t0, t1, t2, t3) SCANLET_OP("vadd.f32 s" #a ", s" #t0 ", s" #a)
#define SCANLET_ARM_ADD2(a, b, c, d, t0, t1, t2, t3) \
  SCANLET_ARM_ADD1(a, b, c, d, t0, t1, t2, t3)       \
  SCANLET_OP("vadd.f32 s" #b ", s" #t1 ", s" #b)
#define SCANLET_ARM_ADD3(a, b, c, d, t0, t1, t2, t3) \
  SCANLET_ARM_ADD2(a, b, c, d, t0, t1, t2, t3)       \
  SCANLET_OP("vadd.f32 s" #c ", s" #t2 ", s" #c)
#define SCANLET_ARM_ADD4(a, b, c, d, t0, t1, t2, t3) \
  SCANLET_ARM_ADD3(a, b, c, d, t0, t1, t2, t3)       \
  SCANLET_OP("vadd.f32 s" #d ", s" #t3 ", s" #d)

// Adds the sums of the first chunk to the bias, if there is one, and the others to what y has.
// Labels are 6n and 7n.
#define SCANLET_ARM_TOTAL(add, n)         \
  SCANLET_OP("cbnz %[first], 6" #n "f")   \
  SCANLET_OP("vldmia %[y], {s0-s15}")     \
  add(16, 17, 18, 19, 0, 1, 2, 3)         \
  add(20, 21, 22, 23, 4, 5, 6, 7)         \
  add(24, 25, 26, 27, 8, 9, 10, 11)       \
  add(28, 29, 30, 31, 12, 13, 14, 15)     \
  SCANLET_OP("b 7" #n "f")                \
  "6" #n ":\n\t"                          \
  SCANLET_OP("cbz %[bias], 7" #n "f")     \
  SCANLET_OP("vldmia %[bias], {s0-s3}")   \
  add(16, 17, 18, 19, 0, 0, 0, 0)         \
  add(20, 21, 22, 23, 1, 1, 1, 1)         \
  add(24, 25, 26, 27, 2, 2, 2, 2)         \
  add(28, 29, 30, 31, 3, 3, 3, 3)         \
  "7" #n ":\n\t"                          \
  SCANLET_OP("vstmia %[y], {s16-s31}")

#define SCANLET_ARM_PRODUCT                \
  SCANLET_ARM_CHUNK(SCANLET_ARM_LANE4, 4)  \
  SCANLET_ARM_TOTAL(SCANLET_ARM_ADD4, 4)

// The same for one, two or three `steps`; what y has for the others becomes arbitrary.
#define SCANLET_ARM_PRODUCT_PART           \
  SCANLET_OP("cmp %[steps], #2")           \
  SCANLET_OP("beq 8f")                     \
  SCANLET_OP("bgt 9f")                     \
  SCANLET_ARM_CHUNK(SCANLET_ARM_LANE1, 1)  \
  SCANLET_ARM_TOTAL(SCANLET_ARM_ADD1, 1)   \
  SCANLET_OP("b 1f")                       \
  "8:\n\t"                                 \
  SCANLET_ARM_CHUNK(SCANLET_ARM_LANE2, 2)  \
  SCANLET_ARM_TOTAL(SCANLET_ARM_ADD2, 2)   \
  SCANLET_OP("b 1f")                       \
  "9:\n\t"                                 \
  SCANLET_ARM_CHUNK(SCANLET_ARM_LANE3, 3)  \
  SCANLET_ARM_TOTAL(SCANLET_ARM_ADD3, 3)   \
  "1:\n\t"

// clang-format on

// scanlet_product for `blocks` whole blocks of outputs, T = 4 and depth > 0.
SCANLET_NOINLINE void scanlet_arm_product(const float* weight, const float* const x,
                                          const float* bias, float* y, int32_t blocks,
                                          const int32_t depth, const int32_t chunk) {
  do {
    const float* column = x;
    int32_t left = depth;
    // cppcheck-suppress variableScope; assembly reads it
    int32_t first = 1;
    do {
      int32_t count = left < chunk ? left : chunk;
      left -= count;
      __asm__ volatile(SCANLET_ARM_PRODUCT
                       : [w] "+l"(weight), [x] "+l"(column), [count] "+l"(count)
                       : [y] "l"(y), [bias] "l"(bias), [first] "l"(first)
                       : "cc", "memory", SCANLET_ARM_ALL_FLOATS);
      first = 0;
    } while (left > 0);
    y += 16;
    if (bias != NULL) bias += 4;
  } while (--blocks > 0);
}

// The first `steps` < 4 columns of one block; y (4, 4) is written whole, arbitrary beyond them.
SCANLET_INLINE void scanlet_arm_product_part(const float* weight, const float* x,
                                             const float* const bias, float* const y,
                                             const int32_t depth, const int32_t chunk,
                                             const int32_t steps) {
  int32_t left = depth;
  // cppcheck-suppress variableScope; assembly reads it
  int32_t first = 1;
  do {
    int32_t count = left < chunk ? left : chunk;
    left -= count;
    __asm__ volatile(SCANLET_ARM_PRODUCT_PART
                     : [w] "+l"(weight), [x] "+l"(x), [count] "+l"(count)
                     : [y] "l"(y), [bias] "l"(bias), [first] "l"(first), [steps] "r"(steps)
                     : "cc", "memory", SCANLET_ARM_ALL_FLOATS);
    first = 0;
  } while (left > 0);
}

#endif  // SCANLET_ARM

#endif  // SCANLET_KERNELS_ARM_PRODUCT_H_
