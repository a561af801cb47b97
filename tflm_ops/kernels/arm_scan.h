// SPDX-License-Identifier: Apache-2.0
// Cortex-M: the recurrence over four, two or one of four steps, in assembly.
//
// 14 instructions for each step of a state. All that belongs to a step (sum, input, delta, B, C)
// stays in registers, and two numbers at a time move between float and integer registers. The
// operations and their order are those of scan.h.
#ifndef SCANLET_KERNELS_ARM_SCAN_H_
#define SCANLET_KERNELS_ARM_SCAN_H_

#include <stdint.h>

#include "arm.h"
#include "exp2.h"
#include "scan_excess.h"
#include "scan_lift.h"

#if SCANLET_ARM

// clang-format off

#define SCANLET_ARM_FOUR(op, a0, a1, a2, a3, x0, x1, x2, x3, y0, y1, y2, y3) \
  SCANLET_OP(op "s" #a0 ", s" #x0 ", s" #y0)                                 \
  SCANLET_OP(op "s" #a1 ", s" #x1 ", s" #y1)                                 \
  SCANLET_OP(op "s" #a2 ", s" #x2 ", s" #y2)                                 \
  SCANLET_OP(op "s" #a3 ", s" #x3 ", s" #y3)

// From SCANLET_ROUND + k in s[a] and s[b] to 2^k.
#define SCANLET_ARM_POWERS(a, b)                         \
  SCANLET_OP("vmov %[i], %[j], s" #a ", s" #b)           \
  SCANLET_OP("ubfx %[p], %[i], #0, #10")                 \
  SCANLET_OP("ubfx %[q], %[j], #0, #10")                 \
  SCANLET_OP("ldr %[p], [%[table], %[p], lsl #2]")       \
  SCANLET_OP("ldr %[q], [%[table], %[q], lsl #2]")       \
  SCANLET_OP("add %[i], %[p], %[i], lsl #13")            \
  SCANLET_OP("add %[j], %[q], %[j], lsl #13")            \
  SCANLET_OP("vmov s" #a ", s" #b ", %[i], %[j]")

// One state over four steps. s0-s3: sums; s4-s7: inputs; s8-s11: delta; s12: the state; s13: its
// rate, then free. s24-s27: B, then input, then state; s28-s31: C.
#define SCANLET_ARM_STATE4                                                                    \
  SCANLET_OP("vldmia %[a]!, {s13}")                                                           \
  SCANLET_OP("vldr s12, [%[h]]")                                                              \
  SCANLET_OP("vldmia %[bc]!, {s24-s31}")                                                      \
  SCANLET_ARM_FOUR("vmul.f32 ", 16, 17, 18, 19, 8, 9, 10, 11, 13, 13, 13, 13)                 \
  SCANLET_OP("vadd.f32 s20, s16, %[round]") SCANLET_OP("vadd.f32 s21, s17, %[round]")         \
  SCANLET_OP("vadd.f32 s22, s18, %[round]") SCANLET_OP("vadd.f32 s23, s19, %[round]")         \
  SCANLET_ARM_FOUR("vmul.f32 ", 24, 25, 26, 27, 4, 5, 6, 7, 24, 25, 26, 27)                   \
  SCANLET_OP("vsub.f32 s13, s20, %[round]") SCANLET_OP("vsub.f32 s16, s16, s13")              \
  SCANLET_OP("vsub.f32 s13, s21, %[round]") SCANLET_OP("vsub.f32 s17, s17, s13")              \
  SCANLET_ARM_POWERS(20, 21)                                                                  \
  SCANLET_OP("vsub.f32 s13, s22, %[round]") SCANLET_OP("vsub.f32 s18, s18, s13")              \
  SCANLET_OP("vsub.f32 s13, s23, %[round]") SCANLET_OP("vsub.f32 s19, s19, s13")              \
  SCANLET_ARM_POWERS(22, 23)                                                                  \
  SCANLET_ARM_FOUR("vmul.f32 ", 16, 17, 18, 19, 20, 21, 22, 23, 16, 17, 18, 19)               \
  SCANLET_OP(SCANLET_ARM_MADD "s20, s16, %[ln2]") SCANLET_OP(SCANLET_ARM_MADD "s21, s17, %[ln2]") \
  SCANLET_OP(SCANLET_ARM_MADD "s22, s18, %[ln2]") SCANLET_OP(SCANLET_ARM_MADD "s23, s19, %[ln2]") \
  SCANLET_OP(SCANLET_ARM_MADD "s24, s20, s12")                                                \
  SCANLET_OP(SCANLET_ARM_MADD "s25, s21, s24") SCANLET_OP(SCANLET_ARM_MADD "s0, s24, s28")    \
  SCANLET_OP(SCANLET_ARM_MADD "s26, s22, s25") SCANLET_OP(SCANLET_ARM_MADD "s1, s25, s29")    \
  SCANLET_OP(SCANLET_ARM_MADD "s27, s23, s26") SCANLET_OP(SCANLET_ARM_MADD "s2, s26, s30")    \
  SCANLET_OP("vstmia %[h]!, {s27}")                                                           \
  SCANLET_OP(SCANLET_ARM_MADD "s3, s27, s31")

// The first two steps of a state, or the first one.
#define SCANLET_ARM_STATE2                                                                    \
  SCANLET_OP("vldmia %[a]!, {s13}")                                                           \
  SCANLET_OP("vldr s12, [%[h]]")                                                              \
  SCANLET_OP("vldmia %[bc]!, {s24-s31}")                                                      \
  SCANLET_OP("vmul.f32 s16, s8, s13") SCANLET_OP("vmul.f32 s17, s9, s13")                     \
  SCANLET_OP("vadd.f32 s20, s16, %[round]") SCANLET_OP("vadd.f32 s21, s17, %[round]")         \
  SCANLET_OP("vmul.f32 s24, s4, s24") SCANLET_OP("vmul.f32 s25, s5, s25")                     \
  SCANLET_OP("vsub.f32 s13, s20, %[round]") SCANLET_OP("vsub.f32 s16, s16, s13")              \
  SCANLET_OP("vsub.f32 s13, s21, %[round]") SCANLET_OP("vsub.f32 s17, s17, s13")              \
  SCANLET_ARM_POWERS(20, 21)                                                                  \
  SCANLET_OP("vmul.f32 s16, s16, s20") SCANLET_OP("vmul.f32 s17, s17, s21")                   \
  SCANLET_OP(SCANLET_ARM_MADD "s20, s16, %[ln2]") SCANLET_OP(SCANLET_ARM_MADD "s21, s17, %[ln2]") \
  SCANLET_OP(SCANLET_ARM_MADD "s24, s20, s12")                                                \
  SCANLET_OP(SCANLET_ARM_MADD "s25, s21, s24") SCANLET_OP(SCANLET_ARM_MADD "s0, s24, s28")    \
  SCANLET_OP("vstmia %[h]!, {s25}")                                                           \
  SCANLET_OP(SCANLET_ARM_MADD "s1, s25, s29")
#define SCANLET_ARM_STATE1                                                        \
  SCANLET_OP("vldmia %[a]!, {s13}")                                               \
  SCANLET_OP("vldr s12, [%[h]]")                                                  \
  SCANLET_OP("vldmia %[bc]!, {s24-s31}")                                          \
  SCANLET_OP("vmul.f32 s16, s8, s13") SCANLET_OP("vadd.f32 s20, s16, %[round]")   \
  SCANLET_OP("vmul.f32 s24, s4, s24")                                             \
  SCANLET_OP("vsub.f32 s13, s20, %[round]") SCANLET_OP("vsub.f32 s16, s16, s13")  \
  SCANLET_OP("vmov %[i], s20")                                                    \
  SCANLET_OP("ubfx %[p], %[i], #0, #10")                                          \
  SCANLET_OP("ldr %[p], [%[table], %[p], lsl #2]")                                \
  SCANLET_OP("add %[i], %[p], %[i], lsl #13")                                     \
  SCANLET_OP("vmov s20, %[i]")                                                    \
  SCANLET_OP("vmul.f32 s16, s16, s20") SCANLET_OP(SCANLET_ARM_MADD "s20, s16, %[ln2]") \
  SCANLET_OP(SCANLET_ARM_MADD "s24, s20, s12")                                    \
  SCANLET_OP("vstmia %[h]!, {s24}")                                               \
  SCANLET_OP(SCANLET_ARM_MADD "s0, s24, s28")

// One channel; h, a, delta and u end up at the next one. q comes in as the address of D, i as that
// of what is added to the inputs. Of an odd number of states, the first enters the loop in the
// middle.
#define SCANLET_ARM_CHANNEL(state)                                             \
  SCANLET_OP("vldmia %[delta]!, {s8-s11}")                                     \
  SCANLET_OP("vldmia %[u], {s16-s19}")                                         \
  SCANLET_OP("vldmia %[q], {s12-s13}")                                         \
  SCANLET_OP("vldmia %[i], {s4-s7}")                                           \
  SCANLET_ARM_FOUR("vmul.f32 ", 0, 1, 2, 3, 12, 12, 12, 12, 16, 17, 18, 19)    \
  SCANLET_ARM_FOUR(SCANLET_ARM_MADD, 4, 5, 6, 7, 8, 9, 10, 11, 16, 17, 18, 19) \
  SCANLET_OP("lsls %[p], %[n], #31")                                           \
  SCANLET_OP("bmi 2f")                                                         \
  "1:\n\t"                                                                     \
  state                                                                        \
  "2:\n\t"                                                                     \
  state                                                                        \
  SCANLET_OP("subs %[n], #2")                                                  \
  SCANLET_OP("bgt 1b")                                                         \
  SCANLET_OP("vstmia %[u]!, {s0-s3}")

// Defines `name`, scanlet_scan for as many of T = 4 steps as `state` does, every delta within its
// limit. lift (4,): what is added to the input of each step.
#define SCANLET_ARM_DEFINE_SCAN(name, state)                                                     \
  SCANLET_NOINLINE void name(                                                                    \
      float* h, const float* a, const float* const bc, const float* delta, float* u,             \
      const float* d, const int32_t channels, const int32_t N, const float* const lift) {        \
    const float round = SCANLET_ROUND;                                                           \
    const float ln2 = SCANLET_LN2;                                                               \
    for (int32_t c = 0; c < channels; ++c) {                                                     \
      const float* row = bc;                                                                     \
      int32_t n = N;                                                                             \
      uint32_t p;                                                                                \
      uint32_t j;                                                                                \
      uint32_t q = (uint32_t)(d + 2 * c);                                                        \
      uint32_t i = (uint32_t)lift;                                                               \
      __asm__ volatile(                                                                          \
          SCANLET_ARM_CHANNEL(state)                                                             \
          : [h] "+r"(h), [a] "+r"(a), [bc] "+r"(row), [delta] "+r"(delta), [u] "+r"(u),          \
            [n] "+r"(n), [p] "=&r"(p), [q] "+r"(q), [i] "+r"(i), [j] "=&r"(j)                    \
          : [table] "r"(scanlet_exp2_table), [round] "t"(round), [ln2] "t"(ln2)                  \
          : "cc", "memory", "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10",   \
            "s11", "s12", "s13", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24",  \
            "s25", "s26", "s27", "s28", "s29", "s30", "s31");                                    \
    }                                                                                            \
  }

// clang-format on

SCANLET_ARM_DEFINE_SCAN(scanlet_arm_scan4, SCANLET_ARM_STATE4)
SCANLET_ARM_DEFINE_SCAN(scanlet_arm_scan2, SCANLET_ARM_STATE2)
SCANLET_ARM_DEFINE_SCAN(scanlet_arm_scan1, SCANLET_ARM_STATE1)

// scanlet_scan for T = 4, all steps; does nothing and returns 0 if a delta is beyond its limit.
SCANLET_INLINE int32_t scanlet_arm_scan(float* const h, const float* const a, const float* const bc,
                                        const float* const delta, float* const u,
                                        const float* const d, const int32_t channels,
                                        const int32_t N) {
  static const float lift[4] = {SCANLET_LIFT, SCANLET_LIFT, SCANLET_LIFT, SCANLET_LIFT};
  uint32_t excess = 0;
  for (int32_t i = 0; i < channels; ++i) {
    excess |= scanlet_scan_excess(delta + 4 * i, d[2 * i + 1], 2);
    excess |= scanlet_scan_excess(delta + 4 * i + 2, d[2 * i + 1], 2);
  }
  if (excess >> 31 != 0) return 0;
  scanlet_arm_scan4(h, a, bc, delta, u, d, channels, N, lift);
  return 1;
}

// The first `steps` < 4 steps; writes to delta beyond them.
SCANLET_NOINLINE int32_t scanlet_arm_scan_part(float* const h, const float* const a,
                                               const float* const bc, float* const delta,
                                               float* const u, const float* const d,
                                               const int32_t channels, const int32_t N,
                                               const int32_t steps) {
  static const float lift[4] = {SCANLET_LIFT, SCANLET_LIFT, SCANLET_LIFT, 0.0f};
  uint32_t excess = 0;
  for (int32_t i = 0; i < channels; ++i) {
    excess |= scanlet_scan_excess(delta + 4 * i, d[2 * i + 1], steps);
    // With three, the fourth leaves the state as it is: 2^0 times it, plus zero times zero.
    delta[4 * i + 3] = 0.0f;
    if (steps == 3) u[4 * i + 3] = 0.0f;
  }
  if (excess >> 31 != 0) return 0;
  if (steps == 1) {
    scanlet_arm_scan1(h, a, bc, delta, u, d, channels, N, lift);
  } else if (steps == 2) {
    scanlet_arm_scan2(h, a, bc, delta, u, d, channels, N, lift);
  } else {
    scanlet_arm_scan4(h, a, bc, delta, u, d, channels, N, lift);
  }
  return 1;
}

#endif  // SCANLET_ARM

#endif  // SCANLET_KERNELS_ARM_SCAN_H_
