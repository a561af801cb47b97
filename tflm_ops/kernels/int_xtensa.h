// SPDX-License-Identifier: Apache-2.0
// Integer products and scan for Xtensa with MAC16 and zero-overhead loops (ESP32, ESP32-S3).
#ifndef SCANLET_KERNELS_INT_XTENSA_H_
#define SCANLET_KERNELS_INT_XTENSA_H_

#include <stddef.h>
#include <stdint.h>

#include "int_layout.h"
#include "int_tables.h"
#include "madd.h"

// Literals have to reach the assembly.
#if defined(__XTENSA__) && defined(__OPTIMIZE__) && SCANLET_INT_LAYOUT == SCANLET_ROWS_PAIRS
#define SCANLET_INT_XTENSA 1
#else
#define SCANLET_INT_XTENSA 0
#endif

#if SCANLET_INT_XTENSA

// gcc uses the accumulator itself and has a name for it, clang does neither.
#if defined(__clang__)
#define SCANLET_XTENSA_CLOBBERS "memory"
#else
#define SCANLET_XTENSA_CLOBBERS "acc", "memory"
#endif

// Weights of one output that are widened at a time.
#define SCANLET_XTENSA_CHUNK 64

// `fours` times four int8 weights, in the order k, k + 2, k + 1, k + 3, to int16 in plain order,
// each times 256.
SCANLET_INLINE void scanlet_xtensa_widen(const int8_t* weight, int32_t* wide, const int32_t fours) {
  int32_t even;
  int32_t odd;
  __asm__ volatile(
      "loopnez %[fours], 1f\n"
      "l32i %[even], %[weight], 0\n"
      "addi %[weight], %[weight], 4\n"
      "and %[odd], %[even], %[mask]\n"
      "slli %[even], %[even], 8\n"
      "and %[even], %[even], %[mask]\n"
      "s32i %[even], %[wide], 0\n"
      "s32i %[odd], %[wide], 4\n"
      "addi %[wide], %[wide], 8\n"
      "1:\n"
      : [weight] "+r"(weight), [wide] "+r"(wide), [even] "=&r"(even), [odd] "=&r"(odd)
      : [fours] "r"(fours), [mask] "r"(0xff00ff00u)
      : SCANLET_XTENSA_CLOBBERS);
}

// sum[t] = (start + sum over 4 * fours of w * x[t]) / 2^down for `steps` rows of x, `row` bytes
// apart; the accumulator has 40 bits. `high`, `low`: start. down is a literal, 0 or 8. fours > 0.
SCANLET_INLINE void scanlet_xtensa_dots(const void* const w, const int16_t* x, const int32_t row,
                                        const int32_t fours, const int32_t high, const int32_t low,
                                        int32_t* sum, int32_t steps, const int32_t down) {
  const void* at;
  const int16_t* from;
  int32_t result;
  __asm__ volatile(
      "ssai %[down]\n"
      "0:\n"
      "wsr %[low], acclo\n"
      "wsr %[high], acchi\n"
      "addi %[from], %[x], -4\n"
      "addi %[at], %[w], -4\n"
      "ldinc m0, %[from]\n"
      "ldinc m2, %[at]\n"
      "loopnez %[more], 1f\n"
      "mula.dd.ll.ldinc m1, %[from], m0, m2\n"
      "mula.dd.hh.ldinc m3, %[at], m0, m2\n"
      "mula.dd.ll.ldinc m0, %[from], m1, m3\n"
      "mula.dd.hh.ldinc m2, %[at], m1, m3\n"
      "1:\n"
      "mula.dd.ll.ldinc m1, %[from], m0, m2\n"
      "mula.dd.hh.ldinc m3, %[at], m0, m2\n"
      "mula.dd.ll m1, m3\n"
      "mula.dd.hh m1, m3\n"
      "rsr %[from], acclo\n"
      "rsr %[result], acchi\n"
      "src %[result], %[result], %[from]\n"
      "s32i %[result], %[sum], 0\n"
      "addi %[sum], %[sum], 4\n"
      "add %[x], %[x], %[row]\n"
      "addi %[steps], %[steps], -1\n"
      "bnez %[steps], 0b\n"
      : [x] "+r"(x), [sum] "+r"(sum), [steps] "+r"(steps), [at] "=&r"(at), [from] "=&r"(from),
        [result] "=&r"(result)
      : [w] "r"(w), [row] "r"(row), [more] "r"(fours - 1), [high] "r"(high), [low] "r"(low),
        [down] "i"(down)
      : SCANLET_XTENSA_CLOBBERS);
}

// One output of a product: sum[t] = bias + weight x[t] for `steps` rows of x.
SCANLET_NOINLINE void scanlet_xtensa_product(const int8_t* weight, const int32_t bias,
                                             const int16_t* x, const int32_t depth,
                                             const int32_t steps, int32_t* const sum) {
  int32_t wide[SCANLET_XTENSA_CHUNK / 2];
  int32_t left = depth < SCANLET_XTENSA_CHUNK ? depth : SCANLET_XTENSA_CHUNK;
  scanlet_xtensa_widen(weight, wide, left / 4);
  scanlet_xtensa_dots(wide, x, depth * 2, left / 4, bias >> 24, (int32_t)((uint32_t)bias << 8), sum,
                      steps, 8);
  for (int32_t k = left; k < depth; k += left) {
    left = depth - k < SCANLET_XTENSA_CHUNK ? depth - k : SCANLET_XTENSA_CHUNK;
    scanlet_xtensa_widen(weight + k, wide, left / 4);
    for (int32_t t = 0; t < steps; ++t) {
      const int32_t start = sum[t];
      scanlet_xtensa_dots(wide, x + t * depth + k, 0, left / 4, start >> 24,
                          (int32_t)((uint32_t)start << 8), sum + t, 1, 8);
    }
  }
}

// One output of dt_proj, of int16 weights.
SCANLET_INLINE void scanlet_xtensa_dt_product(const int16_t* const weight, const int32_t bias,
                                              const int16_t* const x, const int32_t depth,
                                              const int32_t steps, int32_t* const sum) {
  scanlet_xtensa_dots(weight, x, depth * 2, depth / 4, 0, bias, sum, steps, 0);
}

// What one step of a channel takes, and the sum of h * c that comes out.
typedef struct {
  int32_t delta;
  int32_t du;
  int32_t rounding;
  int32_t sum;
} scanlet_xtensa_step;

// One state; see scanlet_xtensa_scan.
#define SCANLET_XTENSA_STATE(h_at, bc_at) \
  "l16ui %[fine], %[rates], " h_at        \
  "\n"                                    \
  "l32i %[bc_n], %[bc], " bc_at           \
  "\n"                                    \
  "mull %[fine], %[fine], %[delta]\n"     \
  "l16si %[state], %[h], " h_at           \
  "\n"                                    \
  "srl %[fine], %[fine]\n"                \
  "extui %[at], %[fine], 8, 11\n"         \
  "addx2 %[at], %[at], %[table]\n"        \
  "l16ui %[at], %[at], 0\n"               \
  "extui %[fine], %[fine], 0, 8\n"        \
  "mull %[fine], %[fine], %[at]\n"        \
  "srli %[fine], %[fine], 15\n"           \
  "sub %[at], %[at], %[fine]\n"           \
  "mull %[state], %[state], %[at]\n"      \
  "mul16s %[at], %[bc_n], %[du]\n"        \
  "add %[state], %[state], %[rounding]\n" \
  "add %[state], %[state], %[at]\n"       \
  "srai %[state], %[state], 15\n"         \
  "clamps %[state], %[state], 15\n"       \
  "mula.aa.lh %[state], %[bc_n]\n"        \
  "s16i %[state], %[h], " h_at "\n"

// `count` > 0 steps of one channel: h (N,) in and out, bc (count, N, 2). No exponent delta * rate
// may reach 2^(19 + down), beyond the table. N is a literal, even, 64 at most.
SCANLET_INLINE void scanlet_xtensa_scan(int16_t* h, const int16_t* rates, const int16_t* bc,
                                        scanlet_xtensa_step* step, int32_t count, const int32_t N,
                                        const int32_t down) {
  int32_t delta;
  int32_t du;
  int32_t rounding;
  int32_t fine;
  int32_t bc_n;
  int32_t state;
  int32_t at;
  __asm__ volatile(
      "ssr %[down]\n"
      "0:\n"
      "movi %[at], 0\n"
      "wsr %[at], acclo\n"
      "l32i %[delta], %[step], 0\n"
      "l32i %[du], %[step], 4\n"
      "l32i %[rounding], %[step], 8\n"
      "movi %[at], %[pairs]\n"
      "loopnez %[at], 1f\n"  //
      SCANLET_XTENSA_STATE("0", "0") SCANLET_XTENSA_STATE("2", "4")
      "addi %[h], %[h], 4\n"
      "addi %[rates], %[rates], 4\n"
      "addi %[bc], %[bc], 8\n"
      "1:\n"
      "rsr %[at], acclo\n"
      "s32i %[at], %[step], 12\n"
      "addi %[h], %[h], %[back]\n"
      "addi %[rates], %[rates], %[back]\n"
      "addi %[step], %[step], 16\n"
      "addi %[count], %[count], -1\n"
      "bnez %[count], 0b\n"
      : [h] "+r"(h), [rates] "+r"(rates), [bc] "+r"(bc), [step] "+r"(step), [count] "+r"(count),
        [delta] "=&r"(delta), [du] "=&r"(du), [rounding] "=&r"(rounding), [fine] "=&r"(fine),
        [bc_n] "=&r"(bc_n), [state] "=&r"(state), [at] "=&r"(at)
      : [table] "r"(scanlet_decay_table), [down] "r"(down), [pairs] "i"(N / 2), [back] "i"(-2 * N)
      : SCANLET_XTENSA_CLOBBERS);
}

#endif  // SCANLET_INT_XTENSA

#endif  // SCANLET_KERNELS_INT_XTENSA_H_
