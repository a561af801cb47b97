// SPDX-License-Identifier: Apache-2.0
// Cortex-M with the DSP extension: four outputs of int8 weights times the tile of int_quads.h.
//
// As arm_int_product.h, but one load gives the activations of two steps: 13 instructions for four
// k of an output and four steps.
#ifndef SCANLET_KERNELS_ARM_INT_QUADS_H_
#define SCANLET_KERNELS_ARM_INT_QUADS_H_

#include <stdint.h>

#include "arm_int.h"

#if SCANLET_ARM_DSP

// clang-format off

// Four k of one output; r4, r5, r6 and r8 take activations.
#define SCANLET_ARM_LOADED_QUAD                 \
  SCANLET_LINE("ldr %[a], [%[w]], #4")          \
  SCANLET_LINE("ldmia %[x]!, {r4, r5, r6, r8}") \
  SCANLET_LINE("sxtb16 %[b], %[a], ror #8")     \
  SCANLET_LINE("sxtb16 %[a], %[a]")             \
  SCANLET_LINE("smlad %[s0], %[a], r4, %[s0]")  \
  SCANLET_LINE("smlad %[s0], %[b], r5, %[s0]")  \
  SCANLET_LINE("smlad %[s1], %[a], r6, %[s1]")  \
  SCANLET_LINE("smlad %[s1], %[b], r8, %[s1]")  \
  SCANLET_LINE("ldmia %[x]!, {r4, r5, r6, r8}") \
  SCANLET_LINE("smlad %[s2], %[a], r4, %[s2]")  \
  SCANLET_LINE("smlad %[s2], %[b], r5, %[s2]")  \
  SCANLET_LINE("smlad %[s3], %[a], r6, %[s3]")  \
  SCANLET_LINE("smlad %[s3], %[b], r8, %[s3]")

// acc (4, 4) = bias + product for four outputs and four steps; depth a multiple of 4. bias: two
// words from output to output.
SCANLET_INLINE void scanlet_arm_int_quads(const int8_t* weight, const int32_t* bias,
                                          const int16_t* x, const int32_t depth, int32_t* acc) {
  const int8_t* const last = weight + 4 * depth;
  const int32_t sixteens = depth & ~15;
  const int8_t* end;
  int32_t s0;
  int32_t s1;
  int32_t s2;
  int32_t s3;
  int32_t a;
  int32_t b;
  __asm__ volatile(
      "1:\n\t"
      SCANLET_LINE("ldr %[s0], [%[bias]], #8")
      SCANLET_LINE("vmov %[a], %[sixteens]")
      SCANLET_LINE("add %[end], %[w], %[a]")
      SCANLET_LINE("mov %[s1], %[s0]")
      SCANLET_LINE("mov %[s2], %[s0]")
      SCANLET_LINE("mov %[s3], %[s0]")
      SCANLET_LINE("b 3f")
      "2:\n\t"
      SCANLET_ARM_LOADED_QUAD SCANLET_ARM_LOADED_QUAD
      SCANLET_ARM_LOADED_QUAD SCANLET_ARM_LOADED_QUAD
      "3:\n\t"
      SCANLET_LINE("cmp %[w], %[end]")
      SCANLET_LINE("bne 2b")
      SCANLET_LINE("vmov %[b], %[depth]")
      SCANLET_LINE("and %[a], %[b], #15")
      SCANLET_LINE("add %[end], %[w], %[a]")
      SCANLET_LINE("b 5f")
      "4:\n\t"
      SCANLET_ARM_LOADED_QUAD
      "5:\n\t"
      SCANLET_LINE("cmp %[w], %[end]")
      SCANLET_LINE("bne 4b")
      SCANLET_LINE("vmov %[b], %[depth]")
      SCANLET_LINE("vmov %[a], %[acc]")
      SCANLET_LINE("sub %[x], %[x], %[b], lsl #3")
      SCANLET_LINE("strd %[s0], %[s1], [%[a]], #8")
      SCANLET_LINE("strd %[s2], %[s3], [%[a]], #8")
      SCANLET_LINE("vmov %[acc], %[a]")
      SCANLET_LINE("vmov %[b], %[last]")
      SCANLET_LINE("cmp %[w], %[b]")
      SCANLET_LINE("bne 1b")
      : [w] "+r"(weight), [x] "+r"(x), [bias] "+r"(bias), [s0] "=&r"(s0), [s1] "=&r"(s1),
        [s2] "=&r"(s2), [s3] "=&r"(s3), [end] "=&r"(end), [a] "=&r"(a), [b] "=&r"(b),
        [acc] "+t"(acc)
      : [depth] "t"(depth), [sixteens] "t"(sixteens), [last] "t"(last)
      : "cc", "memory", "r4", "r5", "r6", "r8");
}

// clang-format on

#endif  // SCANLET_ARM_DSP

#endif  // SCANLET_KERNELS_ARM_INT_QUADS_H_
