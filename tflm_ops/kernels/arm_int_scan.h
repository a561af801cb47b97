// SPDX-License-Identifier: Apache-2.0
// Cortex-M with the DSP extension: the integer recurrence of one channel over one step, two states
// in a register.
//
// 47 instructions for four states, 25 for two, 16 for one, and one more each where a decay may
// leave the table. The operations are those of int_scan.h and int_decay.h.
#ifndef SCANLET_KERNELS_ARM_INT_SCAN_H_
#define SCANLET_KERNELS_ARM_INT_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "arm_int.h"
#include "int_scale.h"
#include "int_tables.h"

#if SCANLET_ARM_DSP

// clang-format off

// The decay of a state from the exponent in x, whose upper bits become the entry's number and whose
// lower ones the way to the next; y is free.
#define SCANLET_ARM_INT_DECAY(clamp, x)                               \
  SCANLET_LINE("umull %[y], %[" x "], %[" x "], %[up]")               \
  clamp("%[" x "]")                                                   \
  SCANLET_LINE("lsr %[y], %[y], #24")                                 \
  SCANLET_LINE("ldrh %[" x "], [%[table], %[" x "], lsl #1]")         \
  SCANLET_LINE("smulbb %[y], %[" x "], %[y]")                         \
  SCANLET_LINE("sub %[" x "], %[" x "], %[y], lsr #15")

// Two states `h` with their rates, which are used up. dd: du below delta. `add`: onto what.
#define SCANLET_ARM_INT_TWO(clamp, rates, h, add)                               \
  SCANLET_LINE("smulbt %[x], %[" rates "], %[dd]")                              \
  SCANLET_LINE("smultt %[" rates "], %[" rates "], %[dd]")                      \
  SCANLET_ARM_INT_DECAY(clamp, "x")                                             \
  SCANLET_ARM_INT_DECAY(clamp, rates)                                           \
  SCANLET_LINE("ldr %[y], [%[b]], #4")                                          \
  SCANLET_LINE("smlabb %[x], %[x], %[" h "], %[round]")                         \
  SCANLET_LINE("smlabt %[" rates "], %[" rates "], %[" h "], %[round]")         \
  SCANLET_LINE("smlabb %[x], %[dd], %[y], %[x]")                                \
  SCANLET_LINE("smlabt %[" rates "], %[dd], %[y], %[" rates "]")                \
  SCANLET_LINE("ldr %[y], [%[b], %[c]]")                                        \
  SCANLET_LINE("ssat %[x], #16, %[x], asr #15")                                 \
  SCANLET_LINE("ssat %[" rates "], #16, %[" rates "], asr #15")                 \
  SCANLET_LINE("pkhbt %[" h "], %[x], %[" rates "], lsl #16")                   \
  add(h)

#define SCANLET_ARM_INT_SUM(h) SCANLET_LINE("smuad %[sum], %[" h "], %[y]")
#define SCANLET_ARM_INT_ADD(h) SCANLET_LINE("smlad %[sum], %[" h "], %[y], %[sum]")

// Four states from number `n` on.
#define SCANLET_ARM_INT_FOUR(clamp, n, add)                      \
  SCANLET_LINE("ldrd %[r0], %[r1], [%[rates], #2*" #n "]")       \
  SCANLET_LINE("ldrd %[h0], %[h1], [%[h], #2*" #n "]")           \
  SCANLET_ARM_INT_TWO(clamp, "r0", "h0", add)                    \
  SCANLET_ARM_INT_TWO(clamp, "r1", "h1", SCANLET_ARM_INT_ADD)    \
  SCANLET_LINE("strd %[h0], %[h1], [%[h], #2*" #n "]")

#define SCANLET_ARM_INT_WITHIN(x)
#define SCANLET_ARM_INT_CLAMP(x) SCANLET_LINE("usat " x ", #11, " x)  // the last entry is 0

#define SCANLET_ARM_INT_MORE(clamp, n)                    \
  SCANLET_LINE(".if %c[N] >= " #n " + 4")                 \
  SCANLET_ARM_INT_FOUR(clamp, n, SCANLET_ARM_INT_ADD)     \
  SCANLET_LINE(".endif")

// The last two and the last one of N.
#define SCANLET_ARM_INT_LAST_TWO(clamp)                         \
  SCANLET_LINE("ldr %[r0], [%[rates], %[two]]")                 \
  SCANLET_LINE("ldr %[h0], [%[h], %[two]]")                     \
  SCANLET_ARM_INT_TWO(clamp, "r0", "h0", SCANLET_ARM_INT_ADD)   \
  SCANLET_LINE("str %[h0], [%[h], %[two]]")

#define SCANLET_ARM_INT_LAST(clamp)                             \
  SCANLET_LINE("ldrh %[x], [%[rates], %[one]]")                 \
  SCANLET_LINE("ldrsh %[h0], [%[h], %[one]]")                   \
  SCANLET_LINE("smulbt %[x], %[x], %[dd]")                      \
  SCANLET_ARM_INT_DECAY(clamp, "x")                             \
  SCANLET_LINE("ldr %[y], [%[b]], #4")                          \
  SCANLET_LINE("smlabb %[x], %[x], %[h0], %[round]")            \
  SCANLET_LINE("smlabb %[x], %[dd], %[y], %[x]")                \
  SCANLET_LINE("ldr %[y], [%[b], %[c]]")                        \
  SCANLET_LINE("ssat %[x], #16, %[x], asr #15")                 \
  SCANLET_LINE("strh %[x], [%[h], %[one]]")                     \
  SCANLET_LINE("smlabb %[sum], %[x], %[y], %[sum]")

// All N states of one step after the other: fours, then a two and a one that may be left. The
// assembler leaves away what is beyond N; compilers judge by all lines how far branches go.
#define SCANLET_ARM_INT_STEPS(clamp)                                                       \
  __asm__ volatile(                                                                        \
      SCANLET_LINE("vmov %[x], %[steps]")                                                  \
      "1:\n\t"                                                                             \
      SCANLET_LINE("ldrd %[dd], %[round], [%[x], #4]")                                     \
      SCANLET_LINE(".if %c[N] >= 4")                                                       \
      SCANLET_ARM_INT_FOUR(clamp, 0, SCANLET_ARM_INT_SUM)                                  \
      SCANLET_LINE(".else")                                                                \
      SCANLET_LINE("mov %[sum], #0")                                                       \
      SCANLET_LINE(".endif")                                                               \
      SCANLET_ARM_INT_MORE(clamp, 4) SCANLET_ARM_INT_MORE(clamp, 8)                        \
      SCANLET_ARM_INT_MORE(clamp, 12) SCANLET_ARM_INT_MORE(clamp, 16)                      \
      SCANLET_ARM_INT_MORE(clamp, 20) SCANLET_ARM_INT_MORE(clamp, 24)                      \
      SCANLET_ARM_INT_MORE(clamp, 28)                                                      \
      SCANLET_LINE(".if %c[N] & 2")                                                        \
      SCANLET_ARM_INT_LAST_TWO(clamp)                                                      \
      SCANLET_LINE(".endif")                                                               \
      SCANLET_LINE(".if %c[N] & 1")                                                        \
      SCANLET_ARM_INT_LAST(clamp)                                                          \
      SCANLET_LINE(".endif")                                                               \
      SCANLET_LINE("vmov %[x], %[steps]")                                                  \
      SCANLET_LINE("add %[b], %[b], %[rest]")                                              \
      SCANLET_LINE("str %[sum], [%[x], #12]!")                                             \
      SCANLET_LINE("vmov %[y], %[end]")                                                    \
      SCANLET_LINE("vmov %[steps], %[x]")                                                  \
      SCANLET_LINE("cmp %[x], %[y]")                                                       \
      SCANLET_LINE("bne 1b")                                                               \
      : [b] "+r"(b), [sum] "=&r"(sum), [r0] "=&r"(r0), [r1] "=&r"(r1), [h0] "=&r"(h0),     \
        [h1] "=&r"(h1), [x] "=&r"(x), [y] "=&r"(y), [dd] "=&r"(dd), [round] "=&r"(round),  \
        [steps] "+t"(at)                                                                   \
      : [h] "r"(h), [rates] "r"(rates), [up] "r"(up), [table] "r"(table), [end] "t"(end),  \
        [N] "i"(N), [rest] "i"(4 * S - (N + 1) / 2 * 4), [c] "i"(2 * S - 4),               \
        [two] "i"(2 * (N & ~3)), [one] "i"(2 * (N & ~1))                                   \
      : "cc", "memory")

// clang-format on

// States that one piece of assembly takes at most.
#define SCANLET_ARM_INT_STATES 32

// What a step takes from outside; the sum over n of C times state that it gives back is the `sum`
// of the entry behind it.
typedef struct {
  int32_t sum;
  int32_t dd;        // du in the lower half, delta in the upper
  int32_t rounding;  // what is added before a state's fractional bits are dropped
} scanlet_arm_int_step;

// `steps` steps, one at least, of N states of a channel. b: B of the first step, C of it S elements
// behind, the next step 2 S behind. h and rates start at words. Literal: N, up to 32, and S,
// even.
SCANLET_INLINE void scanlet_arm_int_sums(int16_t* const h, const int16_t* const rates,
                                         const int16_t* b, scanlet_arm_int_step* at,
                                         const int32_t down, const int32_t N, const int32_t S,
                                         const int32_t steps) {
  const int16_t* const table = scanlet_decay_table;
  const uint32_t up = (uint32_t)1 << (24 - down);
  const scanlet_arm_int_step* const end = at + steps;
  int32_t sum;
  int32_t r0;
  int32_t r1;
  int32_t h0;
  int32_t h1;
  int32_t x;
  int32_t y;
  int32_t dd;
  int32_t round;
  // NOLINTNEXTLINE(bugprone-branch-clone): the assembly differs.
  if (down >= 11) {  // an exponent, below 2^30, is then within the table
    SCANLET_ARM_INT_STEPS(SCANLET_ARM_INT_WITHIN);
  } else {
    SCANLET_ARM_INT_STEPS(SCANLET_ARM_INT_CLAMP);
  }
}

// Adds `totals` to the sums of `steps` steps, and replaces them. Literal: steps or nothing.
SCANLET_INLINE void scanlet_arm_int_add(scanlet_arm_int_step* const at, int32_t* const totals,
                                        const int32_t steps) {
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) totals[t] = at[t + 1].sum += totals[t];
}

// The same for any N, in parts. Partial sums stay below 2^31 as the whole does.
SCANLET_INLINE void scanlet_arm_int_all_sums(int16_t* const h, const int16_t* const rates,
                                             const int16_t* const b, scanlet_arm_int_step* const at,
                                             const int32_t down, const int32_t N, const int32_t S,
                                             const int32_t steps) {
  if (N <= SCANLET_ARM_INT_STATES) {
    scanlet_arm_int_sums(h, rates, b, at, down, N, S, steps);
    return;
  }
  int32_t totals[8];
  for (int32_t t = 0; t < steps; ++t) totals[t] = 0;
  const int32_t last = (N - 1) / SCANLET_ARM_INT_STATES * SCANLET_ARM_INT_STATES;
  for (int32_t n = 0; n < last; n += SCANLET_ARM_INT_STATES) {
    scanlet_arm_int_sums(h + n, rates + n, b + n, at, down, SCANLET_ARM_INT_STATES, S, steps);
    if (steps == 4) {
      scanlet_arm_int_add(at, totals, 4);
    } else {
      scanlet_arm_int_add(at, totals, steps);
    }
  }
  scanlet_arm_int_sums(h + last, rates + last, b + last, at, down, N - last, S, steps);
  if (steps == 4) {
    scanlet_arm_int_add(at, totals, 4);
  } else {
    scanlet_arm_int_add(at, totals, steps);
  }
}

// Ahead of the states. Literal: steps or nothing.
SCANLET_INLINE void scanlet_arm_int_inputs(const int16_t* const delta, const int16_t* const u,
                                           const int32_t u_t, const int32_t du_factor,
                                           const int32_t steps, scanlet_arm_int_step* const at) {
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    const int32_t du = scanlet_saturate16(scanlet_scale(delta[t] * u[t * u_t], du_factor));
    at[t].dd = scanlet_arm_pair(du, delta[t]);
  }
}

// Behind the states: y takes the place of u. Literal: steps or nothing.
SCANLET_INLINE void scanlet_arm_int_outputs(const scanlet_arm_int_step* const at, int16_t* const u,
                                            const int32_t u_t, const scanlet_channel* const channel,
                                            const int32_t steps) {
  const int32_t y_factor = channel->y_factor;
  const int32_t d_factor = channel->d_factor;
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < steps; ++t) {
    const int32_t skip = scanlet_scale(u[t * u_t] * 65536, d_factor);
    const int32_t sum = at[t + 1].sum;
    u[t * u_t] = (int16_t)scanlet_saturate16(scanlet_scale(sum, y_factor) + skip);
  }
}

// One channel of scanlet_int_scan: all its N states. `at`: the steps with their rounding.
// Literal: N, S, u_t.
SCANLET_INLINE void scanlet_arm_int_channel(int16_t* const h, const int16_t* const rates,
                                            const int16_t* const bc, const int16_t* const delta,
                                            scanlet_arm_int_step* const at, int16_t* const u,
                                            const int32_t u_t, const scanlet_channel* const channel,
                                            const int32_t N, const int32_t S, const int32_t steps) {
  const int32_t factor = channel->du_factor;
  if (steps == 4) {
    scanlet_arm_int_inputs(delta, u, u_t, factor, 4, at);
  } else {
    scanlet_arm_int_inputs(delta, u, u_t, factor, steps, at);
  }
  scanlet_arm_int_all_sums(h, rates, bc, at, channel->rate_shift - 8, N, S, steps);
  if (steps == 4) {
    scanlet_arm_int_outputs(at, u, u_t, channel, 4);
  } else {
    scanlet_arm_int_outputs(at, u, u_t, channel, steps);
  }
}

#endif  // SCANLET_ARM_DSP

#endif  // SCANLET_KERNELS_ARM_INT_SCAN_H_
