// SPDX-License-Identifier: Apache-2.0
// Cortex-M: product of a block of four outputs with four steps, sixteen sums in registers.
//
// In assembly, since compilers for these cores neither use the instruction that loads several
// registers at once for this nor keep all 32 registers busy. The order of additions is that of
// product.h.
#ifndef SCANLET_KERNELS_ARM_PRODUCT_H_
#define SCANLET_KERNELS_ARM_PRODUCT_H_

#include <stdint.h>

#include "arm.h"

#if SCANLET_ARM

// Four sums s[a] to s[d] of one output: multiply its weight w by the four activations from x0 on.
#define SCANLET_ARM_LANE(op, a, b, c, d, w, x0, x1, x2, x3) \
  SCANLET_OP(op "s" #a ", s" #w ", s" #x0)                  \
  SCANLET_OP(op "s" #b ", s" #w ", s" #x1)                  \
  SCANLET_OP(op "s" #c ", s" #w ", s" #x2)                  \
  SCANLET_OP(op "s" #d ", s" #w ", s" #x3)

// All sixteen sums for one k: weights w0 to w3, activations x0 to x3.
#define SCANLET_ARM_STEP(op, w0, w1, w2, w3, x0, x1, x2, x3) \
  SCANLET_ARM_LANE(op, 16, 17, 18, 19, w0, x0, x1, x2, x3)   \
  SCANLET_ARM_LANE(op, 20, 21, 22, 23, w1, x0, x1, x2, x3)   \
  SCANLET_ARM_LANE(op, 24, 25, 26, 27, w2, x0, x1, x2, x3)   \
  SCANLET_ARM_LANE(op, 28, 29, 30, 31, w3, x0, x1, x2, x3)

#define SCANLET_ARM_ONE(op)           \
  SCANLET_OP("vldmia %[w]!, {s0-s3}") \
  SCANLET_OP("vldmia %[x]!, {s8-s11}") SCANLET_ARM_STEP(op, 0, 1, 2, 3, 8, 9, 10, 11)

// clang-format off: one instruction (or four alike) a line
#define SCANLET_ARM_TWO(op) \
  SCANLET_OP("vldmia %[w]!, {s0-s7}") \
  SCANLET_OP("vldmia %[x]!, {s8-s15}") \
  SCANLET_ARM_STEP(op, 0, 1, 2, 3, 8, 9, 10, 11) \
  SCANLET_ARM_STEP(SCANLET_ARM_MADD, 4, 5, 6, 7, 12, 13, 14, 15)
// clang-format on

#define SCANLET_ARM_ADD_LANE(a, b, c, d, bias)     \
  SCANLET_OP("vadd.f32 s" #a ", s" #bias ", s" #a) \
  SCANLET_OP("vadd.f32 s" #b ", s" #bias ", s" #b) \
  SCANLET_OP("vadd.f32 s" #c ", s" #bias ", s" #c) \
  SCANLET_OP("vadd.f32 s" #d ", s" #bias ", s" #d)

#define SCANLET_ARM_ADD(a, total) SCANLET_OP("vadd.f32 s" #a ", s" #total ", s" #a)

#define SCANLET_ARM_SUMS                                                                         \
  "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", \
      "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", \
      "s28", "s29", "s30", "s31"

// out[lane][t] = bias[lane] + sum_k weight[k][lane] * x[k][t] for four steps; depth > 0.
static __attribute__((noinline, unused)) void scanlet_arm_product_block(
    const float* weight, const float* x, int32_t depth, const int32_t chunk,
    const float* const bias, float* const out) {
  int32_t first = 1;
  do {
    int32_t count = depth < chunk ? depth : chunk;
    depth -= count;
    // clang-format off
    __asm__ volatile(
        // The first product of a sum is a plain multiplication.
        SCANLET_OP("subs %[count], #2")
        SCANLET_OP("blt 5f")
        SCANLET_ARM_TWO("vmul.f32 ")
        SCANLET_OP("subs %[count], #4")
        SCANLET_OP("blt 2f")
        "1:\n\t"
        SCANLET_ARM_TWO(SCANLET_ARM_MADD)
        SCANLET_ARM_TWO(SCANLET_ARM_MADD)
        SCANLET_OP("subs %[count], #4")
        SCANLET_OP("bge 1b")
        "2:\n\t"
        SCANLET_OP("lsls %[count], #31")  // carry: two more; negative: one more
        SCANLET_OP("bcc 3f")
        SCANLET_ARM_TWO(SCANLET_ARM_MADD)
        "3:\n\t"
        SCANLET_OP("cmp %[count], #0")
        SCANLET_OP("beq 4f")
        SCANLET_ARM_ONE(SCANLET_ARM_MADD)
        SCANLET_OP("b 4f")
        "5:\n\t"
        SCANLET_ARM_ONE("vmul.f32 ")
        "4:\n\t"
        SCANLET_OP("cbnz %[first], 6f")
        SCANLET_OP("vldmia %[out], {s0-s15}")
        SCANLET_ARM_ADD(16, 0) SCANLET_ARM_ADD(17, 1) SCANLET_ARM_ADD(18, 2)
        SCANLET_ARM_ADD(19, 3) SCANLET_ARM_ADD(20, 4) SCANLET_ARM_ADD(21, 5)
        SCANLET_ARM_ADD(22, 6) SCANLET_ARM_ADD(23, 7) SCANLET_ARM_ADD(24, 8)
        SCANLET_ARM_ADD(25, 9) SCANLET_ARM_ADD(26, 10) SCANLET_ARM_ADD(27, 11)
        SCANLET_ARM_ADD(28, 12) SCANLET_ARM_ADD(29, 13) SCANLET_ARM_ADD(30, 14)
        SCANLET_ARM_ADD(31, 15)
        SCANLET_OP("b 7f")
        "6:\n\t"
        SCANLET_OP("cbz %[bias], 7f")
        SCANLET_OP("vldmia %[bias], {s0-s3}")
        SCANLET_ARM_ADD_LANE(16, 17, 18, 19, 0)
        SCANLET_ARM_ADD_LANE(20, 21, 22, 23, 1)
        SCANLET_ARM_ADD_LANE(24, 25, 26, 27, 2)
        SCANLET_ARM_ADD_LANE(28, 29, 30, 31, 3)
        "7:\n\t"
        SCANLET_OP("vstmia %[out], {s16-s31}")
        : [w] "+l"(weight), [x] "+l"(x), [count] "+l"(count)
        : [out] "l"(out), [bias] "l"(bias), [first] "l"(first)
        : "cc", "memory", SCANLET_ARM_SUMS);
    // clang-format on
    first = 0;
  } while (depth > 0);
}

#endif  // SCANLET_ARM

#endif  // SCANLET_KERNELS_ARM_PRODUCT_H_
