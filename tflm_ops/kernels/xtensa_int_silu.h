// SPDX-License-Identifier: Apache-2.0
// Xtensa: x * sigmoid(x), and the sums of a convolution with four taps.
#ifndef SCANLET_KERNELS_XTENSA_INT_SILU_H_
#define SCANLET_KERNELS_XTENSA_INT_SILU_H_

#include <stdint.h>

#include "madd.h"
#include "xtensa_int.h"

#if SCANLET_XTENSA_MAC16

// clang-format off

// See int_silu.h. `low` bits of value, those of mask, lie between two entries of the table, whose
// middle is that of zero.
SCANLET_INLINE int32_t scanlet_xtensa_int_silu(const int32_t value, const int32_t low,
                                               const int32_t mask, const uint16_t* const middle) {
  int32_t base;
  int32_t result;
  int32_t rest;
  __asm__ volatile(
      SCANLET_XTENSA_LINE("ssr %[low]")
      SCANLET_XTENSA_LINE("sra %[result], %[value]")
      SCANLET_XTENSA_LINE("clamps %[result], %[result], 9")
      SCANLET_XTENSA_LINE("addx2 %[result], %[result], %[middle]")
      SCANLET_XTENSA_LINE("l16ui %[base], %[result], 0")
      SCANLET_XTENSA_LINE("l16ui %[result], %[result], 2")
      SCANLET_XTENSA_LINE("and %[rest], %[value], %[mask]")
      SCANLET_XTENSA_LINE("sub %[result], %[result], %[base]")
      SCANLET_XTENSA_LINE("mull %[result], %[result], %[rest]")
      SCANLET_XTENSA_LINE("sra %[result], %[result]")
      SCANLET_XTENSA_LINE("add.n %[result], %[result], %[base]")
      SCANLET_XTENSA_LINE("mull %[result], %[result], %[value]")
      SCANLET_XTENSA_LINE("addmi %[result], %[result], 16384")
      SCANLET_XTENSA_LINE("srai %[result], %[result], 15")
      : [result] "=&r"(result), [base] "=&r"(base), [rest] "=&r"(rest)
      : [value] "r"(value), [low] "r"(low), [mask] "r"(mask), [middle] "r"(middle)
      : SCANLET_XTENSA_CLOBBERS);
  return result;
}

// sum[t] = bias + sum over j of weight[j] * x[t + j - 3] for `steps` > 0 steps of one channel, x_t
// bytes apart; x at negative steps is `past`, h_j elements apart, which is updated.
SCANLET_INLINE void scanlet_xtensa_int_conv(const int16_t* const weight, int16_t* const past,
                                            const int32_t h_j, const int16_t* x,
                                            const int32_t x_t, const int32_t bias,
                                            const int32_t steps, int32_t* sum) {
  const int32_t older = ((const int32_t*)(const void*)weight)[0];
  const int32_t newer = ((const int32_t*)(const void*)weight)[1];
  int32_t x0 = past[0];
  int32_t x1 = past[h_j];
  int32_t x2 = past[2 * h_j];
  int32_t x3;
  int32_t result;
  __asm__ volatile(
      SCANLET_XTENSA_LINE("loopnez %[steps], 1f")
      SCANLET_XTENSA_LINE("l16si %[x3], %[x], 0")
      SCANLET_XTENSA_LINE("mul.aa.ll %[x0], %[older]")
      SCANLET_XTENSA_LINE("mula.aa.lh %[x1], %[older]")
      SCANLET_XTENSA_LINE("mula.aa.ll %[x2], %[newer]")
      SCANLET_XTENSA_LINE("mula.aa.lh %[x3], %[newer]")
      SCANLET_XTENSA_LINE("add %[x], %[x], %[x_t]")
      SCANLET_XTENSA_LINE("mov.n %[x0], %[x1]")
      SCANLET_XTENSA_LINE("mov.n %[x1], %[x2]")
      SCANLET_XTENSA_LINE("mov.n %[x2], %[x3]")
      SCANLET_XTENSA_LINE("rsr %[result], acclo")
      SCANLET_XTENSA_LINE("add.n %[result], %[result], %[bias]")
      SCANLET_XTENSA_LINE("s32i.n %[result], %[sum], 0")
      SCANLET_XTENSA_LINE("addi.n %[sum], %[sum], 4")
      "1:\n\t"
      : [x] "+r"(x), [sum] "+r"(sum), [x0] "+r"(x0), [x1] "+r"(x1), [x2] "+r"(x2),
        [x3] "=&r"(x3), [result] "=&r"(result)
      : [steps] "r"(steps), [older] "r"(older), [newer] "r"(newer), [x_t] "r"(x_t),
        [bias] "r"(bias)
      : SCANLET_XTENSA_CLOBBERS);
  past[0] = (int16_t)x0;
  past[h_j] = (int16_t)x1;
  past[2 * h_j] = (int16_t)x2;
}

// clang-format on

#endif  // SCANLET_XTENSA_MAC16

#endif  // SCANLET_KERNELS_XTENSA_INT_SILU_H_
