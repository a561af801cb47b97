// SPDX-License-Identifier: Apache-2.0
// Xtensa with MAC16: the integer recurrence of one channel.
//
// 20 instructions for each step of a state, 23 where exponents may lie beyond the table; beyond 24
// states pointers take three for each loop. The operations are those of int_scan.h and int_decay.h;
// MAC16's accumulator holds the sum of h * c.
#ifndef SCANLET_KERNELS_XTENSA_INT_SCAN_H_
#define SCANLET_KERNELS_XTENSA_INT_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "int_layout.h"
#include "int_tables.h"
#include "madd.h"
#include "xtensa_int.h"

#if SCANLET_XTENSA_MAC16

// clang-format off

// One state; w, x, y, z: free. z becomes the pair (b, c), x the exponent and its fraction, y the
// table's entry, the decay and the new state. Loads stand ahead of what waits for them.
#define SCANLET_XTENSA_STATE(clamp, at, pair)                 \
  SCANLET_XTENSA_LINE("l16ui %[x], %[rates], " at)            \
  SCANLET_XTENSA_LINE("l32i %[z], %[bc], " pair)              \
  SCANLET_XTENSA_LINE("mul16u %[x], %[x], %[delta]")          \
  SCANLET_XTENSA_LINE("mul16s %[w], %[z], %[du]")             \
  SCANLET_XTENSA_LINE("srl %[x], %[x]")                       \
  clamp                                                       \
  SCANLET_XTENSA_LINE("extui %[y], %[x], 8, 11")              \
  SCANLET_XTENSA_LINE("addx2 %[y], %[y], %[table]")           \
  SCANLET_XTENSA_LINE("l16ui %[y], %[y], 0")                  \
  SCANLET_XTENSA_LINE("extui %[x], %[x], 0, 8")               \
  SCANLET_XTENSA_LINE("add.n %[w], %[w], %[round]")           \
  SCANLET_XTENSA_LINE("mul16u %[x], %[x], %[y]")              \
  SCANLET_XTENSA_LINE("srli %[x], %[x], 15")                  \
  SCANLET_XTENSA_LINE("sub %[y], %[y], %[x]")                 \
  SCANLET_XTENSA_LINE("l16si %[x], %[h], " at)                \
  SCANLET_XTENSA_LINE("mul16s %[y], %[y], %[x]")              \
  SCANLET_XTENSA_LINE("add.n %[y], %[y], %[w]")               \
  SCANLET_XTENSA_LINE("srai %[y], %[y], 15")                  \
  SCANLET_XTENSA_LINE("clamps %[y], %[y], 15")                \
  SCANLET_XTENSA_LINE("s16i %[y], %[h], " at)                 \
  SCANLET_XTENSA_LINE("mula.aa.lh %[y], %[z]")

// An exponent beyond the table becomes the last one, 2^19 - 1.
#define SCANLET_XTENSA_CLAMP                        \
  SCANLET_XTENSA_LINE("movi.n %[y], -1")            \
  SCANLET_XTENSA_LINE("srli %[y], %[y], 13")        \
  SCANLET_XTENSA_LINE("minu %[x], %[x], %[y]")

#define SCANLET_XTENSA_STATES_1(clamp) SCANLET_XTENSA_STATE(clamp, "0", "0")
#define SCANLET_XTENSA_STATES_2(clamp) \
  SCANLET_XTENSA_STATES_1(clamp) SCANLET_XTENSA_STATE(clamp, "2", "4")
#define SCANLET_XTENSA_STATES_4(clamp) \
  SCANLET_XTENSA_STATES_2(clamp)       \
  SCANLET_XTENSA_STATE(clamp, "4", "8") SCANLET_XTENSA_STATE(clamp, "6", "12")

// The state of number n, if there is one: the assembler leaves it away otherwise.
#define SCANLET_XTENSA_MORE(clamp, n)                          \
  SCANLET_XTENSA_LINE(".if %[N] > " #n)                        \
  SCANLET_XTENSA_STATE(clamp, "2*" #n, "4*" #n)                \
  SCANLET_XTENSA_LINE(".endif")

#define SCANLET_XTENSA_FOUR_MORE(clamp, a, b, c, d)            \
  SCANLET_XTENSA_MORE(clamp, a) SCANLET_XTENSA_MORE(clamp, b)  \
  SCANLET_XTENSA_MORE(clamp, c) SCANLET_XTENSA_MORE(clamp, d)

#define SCANLET_XTENSA_ALL_STATES(clamp)                       \
  SCANLET_XTENSA_FOUR_MORE(clamp, 0, 1, 2, 3)                  \
  SCANLET_XTENSA_FOUR_MORE(clamp, 4, 5, 6, 7)                  \
  SCANLET_XTENSA_FOUR_MORE(clamp, 8, 9, 10, 11)                \
  SCANLET_XTENSA_FOUR_MORE(clamp, 12, 13, 14, 15)              \
  SCANLET_XTENSA_FOUR_MORE(clamp, 16, 17, 18, 19)              \
  SCANLET_XTENSA_FOUR_MORE(clamp, 20, 21, 22, 23)

// As many states at a time as take `bytes`; a loop holds 256 bytes of code at most.
#define SCANLET_XTENSA_LOOP(states)                                                             \
  SCANLET_XTENSA_LINE("movi %[x], %[times]")                                                    \
  SCANLET_XTENSA_LINE("loopnez %[x], 1f")                                                       \
  states                                                                                        \
  SCANLET_XTENSA_LINE("addi.n %[rates], %[rates], %[bytes]")                                    \
  SCANLET_XTENSA_LINE("addi.n %[h], %[h], %[bytes]")                                            \
  SCANLET_XTENSA_LINE("addi %[bc], %[bc], 2*%[bytes]")                                          \
  "1:\n\t"                                                                                      \
  SCANLET_XTENSA_LINE("addi %[rates], %[rates], -2*%[N]")                                       \
  SCANLET_XTENSA_LINE("addi %[h], %[h], -2*%[N]")

// All states one after the other.
#define SCANLET_XTENSA_LINEAR(clamp) \
  SCANLET_XTENSA_ALL_STATES(clamp) SCANLET_XTENSA_LINE("addi %[bc], %[bc], 4*%[N]")

// One step after the other.
#define SCANLET_XTENSA_SCAN(states, step_bytes)                                                 \
  __asm__ volatile(                                                                             \
      SCANLET_XTENSA_LINE("ssr %[x]")                                                           \
      "0:\n\t"                                                                                  \
      SCANLET_XTENSA_LINE("movi.n %[x], 0")                                                     \
      SCANLET_XTENSA_LINE("wsr %[x], acclo")                                                    \
      SCANLET_XTENSA_LINE("l32i.n %[delta], %[step], 0")                                        \
      SCANLET_XTENSA_LINE("l32i.n %[du], %[step], 4")                                           \
      SCANLET_XTENSA_LINE("l32i.n %[round], %[step], 8")                                        \
      states                                                                                    \
      SCANLET_XTENSA_LINE("rsr %[x], acclo")                                                    \
      SCANLET_XTENSA_LINE("s32i.n %[x], %[step], 12")                                           \
      SCANLET_XTENSA_LINE("addi %[step], %[step], 16")                                          \
      SCANLET_XTENSA_LINE("addi.n %[count], %[count], -1")                                      \
      SCANLET_XTENSA_LINE("bnez %[count], 0b")                                                  \
      : [h] "+r"(h), [rates] "+r"(rates), [bc] "+r"(bc), [step] "+r"(step),                     \
        [count] "+r"(count), [delta] "=&r"(delta), [du] "=&r"(du), [round] "=&r"(round),        \
        [w] "=&r"(w), [x] "+r"(x), [y] "=&r"(y), [z] "=&r"(z)                                   \
      : [table] "r"(table), [times] "i"(2 * N / (step_bytes)), [bytes] "i"(step_bytes),         \
        [N] "i"(N)                                                                              \
      : SCANLET_XTENSA_CLOBBERS)

// clang-format on

// What one step of a channel takes, and the sum of h * c that comes out.
typedef struct {
  int32_t delta;
  int32_t du;
  int32_t rounding;
  int32_t sum;
} scanlet_xtensa_step;

// `count` > 0 steps of one channel: h (N,) in and out, bc (count, N, 2). `beyond`: exponents may
// lie beyond the table. Literal: N, 64 at most.
SCANLET_INLINE void scanlet_xtensa_int_scan(int16_t* h, const int16_t* rates, const int16_t* bc,
                                            scanlet_xtensa_step* step, int32_t count,
                                            const int32_t down, const int32_t beyond,
                                            const int32_t N) {
  const int16_t* const table = scanlet_decay_table;
  int32_t delta;
  int32_t du;
  int32_t round;
  int32_t w;
  int32_t y;
  int32_t z;
  int32_t x = down;
  if (N <= 24) {
    // NOLINTNEXTLINE(bugprone-branch-clone): the assembly differs.
    if (beyond) {
      SCANLET_XTENSA_SCAN(SCANLET_XTENSA_LINEAR(SCANLET_XTENSA_CLAMP), 2);
    } else {
      SCANLET_XTENSA_SCAN(SCANLET_XTENSA_LINEAR(""), 2);
    }
  } else if (beyond) {
    if (N % 2 == 0) {
      SCANLET_XTENSA_SCAN(SCANLET_XTENSA_LOOP(SCANLET_XTENSA_STATES_2(SCANLET_XTENSA_CLAMP)), 4);
    } else {
      SCANLET_XTENSA_SCAN(SCANLET_XTENSA_LOOP(SCANLET_XTENSA_STATES_1(SCANLET_XTENSA_CLAMP)), 2);
    }
  } else if (N % 4 == 0) {
    SCANLET_XTENSA_SCAN(SCANLET_XTENSA_LOOP(SCANLET_XTENSA_STATES_4("")), 8);
  } else if (N % 2 == 0) {
    SCANLET_XTENSA_SCAN(SCANLET_XTENSA_LOOP(SCANLET_XTENSA_STATES_2("")), 4);
  } else {
    SCANLET_XTENSA_SCAN(SCANLET_XTENSA_LOOP(SCANLET_XTENSA_STATES_1("")), 2);
  }
}

#endif  // SCANLET_XTENSA_MAC16

#endif  // SCANLET_KERNELS_XTENSA_INT_SCAN_H_
