// SPDX-License-Identifier: Apache-2.0
// Cortex-M: the recurrence of one channel over four steps, in assembly.
//
// 14 instructions for each step of a state. All of a channel that belongs to a step (sums, inputs,
// delta, B, C) stays in registers, and two numbers at a time move between float and integer
// registers. The operations and their order are those of scan.h.
#ifndef SCANLET_KERNELS_ARM_SCAN_H_
#define SCANLET_KERNELS_ARM_SCAN_H_

#include <stdint.h>

#include "arm.h"
#include "exp2.h"
#include "scan_lift.h"

#if SCANLET_ARM

// clang-format off: one instruction (or four alike) a line
#define SCANLET_ARM_FOUR(op, a0, a1, a2, a3, x0, x1, x2, x3, y0, y1, y2, y3) \
  SCANLET_OP(op " s" #a0 ", s" #x0 ", s" #y0) \
  SCANLET_OP(op " s" #a1 ", s" #x1 ", s" #y1) \
  SCANLET_OP(op " s" #a2 ", s" #x2 ", s" #y2) \
  SCANLET_OP(op " s" #a3 ", s" #x3 ", s" #y3)
// clang-format on

// From the number k in r to the bits of 2^k: entry of the table, plus the number shifted.
#define SCANLET_ARM_POWER(r, i)                      \
  SCANLET_OP("ubfx " i ", " r ", #0, #10")           \
  SCANLET_OP("ldr " i ", [%[table], " i ", lsl #2]") \
  SCANLET_OP("add " r ", " i ", " r ", lsl #13")

// One state over four steps. s0-s3 sums, s4-s7 inputs, s8-s11 delta, s12 the state, s13 its rate,
// s14 ROUND, s15 ln 2; B in s24-s27, C in s28-s31; s16-s23 are free.
// clang-format off: one instruction (or four alike) a line
#define SCANLET_ARM_STATE \
  SCANLET_ARM_FOUR("vmul.f32", 16, 17, 18, 19, 8, 9, 10, 11, 13, 13, 13, 13) \
  SCANLET_ARM_FOUR("vadd.f32", 20, 21, 22, 23, 16, 17, 18, 19, 14, 14, 14, 14) \
  SCANLET_OP("vmov r4, r5, s20, s21") \
  SCANLET_OP("vmov r6, r8, s22, s23") \
  SCANLET_ARM_FOUR("vsub.f32", 20, 21, 22, 23, 20, 21, 22, 23, 14, 14, 14, 14) \
  SCANLET_ARM_POWER("r4", "r9") \
  SCANLET_ARM_POWER("r5", "r10") \
  SCANLET_ARM_FOUR("vsub.f32", 16, 17, 18, 19, 16, 17, 18, 19, 20, 21, 22, 23) \
  SCANLET_ARM_POWER("r6", "r9") \
  SCANLET_ARM_POWER("r8", "r10") \
  SCANLET_OP("vmov s20, s21, r4, r5") \
  SCANLET_OP("vmov s22, s23, r6, r8") \
  SCANLET_ARM_FOUR("vmul.f32", 16, 17, 18, 19, 20, 21, 22, 23, 16, 17, 18, 19) \
  SCANLET_OP("vldmia %[bc]!, {s24-s31}") \
  SCANLET_ARM_FOUR(SCANLET_ARM_MADD, 20, 21, 22, 23, 16, 17, 18, 19, 15, 15, 15, 15) \
  SCANLET_ARM_FOUR("vmul.f32", 24, 25, 26, 27, 4, 5, 6, 7, 24, 25, 26, 27) \
  SCANLET_OP(SCANLET_ARM_MADD "s24, s20, s12") \
  SCANLET_OP(SCANLET_ARM_MADD "s25, s21, s24") \
  SCANLET_OP(SCANLET_ARM_MADD "s0, s24, s28") \
  SCANLET_OP(SCANLET_ARM_MADD "s26, s22, s25") \
  SCANLET_OP(SCANLET_ARM_MADD "s1, s25, s29") \
  SCANLET_OP(SCANLET_ARM_MADD "s27, s23, s26") \
  SCANLET_OP(SCANLET_ARM_MADD "s2, s26, s30") \
  SCANLET_OP(SCANLET_ARM_MADD "s3, s27, s31")
// clang-format on

// scanlet_scan_channel for T = 4 and every delta within the limit; arbitrary beyond `steps`.
static __attribute__((noinline, unused)) void scanlet_arm_scan_channel(
    float* h, const float* a, const float* bc, float* const delta, float* const u, const float d,
    int32_t N, const int32_t steps) {
  float block[12];  // sums, inputs, delta
  for (int32_t t = 0; t < 4; ++t) {
    // Steps that are not there leave the state as it is: 2^0 times it, plus zero.
    const float step = t < steps ? delta[t] : 0.0f;
    block[t] = d * u[t];
    block[4 + t] = t < steps ? SCANLET_MADD(SCANLET_LIFT, step, u[t]) : 0.0f;
    block[8 + t] = step;
  }
  const float constants[2] = {SCANLET_ROUND, SCANLET_LN2};
  // clang-format off
  __asm__ volatile(
      SCANLET_OP("vldmia %[block], {s0-s11}")
      SCANLET_OP("vldmia %[constants], {s14-s15}")
      "1:\n\t"
      SCANLET_OP("vldmia %[a]!, {s13}")
      SCANLET_OP("vldr s12, [%[h]]")
      SCANLET_ARM_STATE
      SCANLET_OP("subs %[N], #1")
      SCANLET_OP("vstmia %[h]!, {s27}")
      SCANLET_OP("bne 1b")
      SCANLET_OP("vstmia %[u], {s0-s3}")
      : [h] "+r"(h), [a] "+r"(a), [bc] "+r"(bc), [N] "+r"(N)
      : [block] "r"(block), [constants] "r"(constants), [u] "r"(u),
        [table] "r"(scanlet_exp2_table)
      : "cc", "memory", "r4", "r5", "r6", "r8", "r9", "r10",
        "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13",
        "s14", "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26",
        "s27", "s28", "s29", "s30", "s31");
  // clang-format on
}

#endif  // SCANLET_ARM

#endif  // SCANLET_KERNELS_ARM_SCAN_H_
