// SPDX-License-Identifier: Apache-2.0
// The recurrence, eight states of a channel in a vector: 24 instructions a step.
#ifndef SCANLET_KERNELS_MVE_INT_SCAN_H_
#define SCANLET_KERNELS_MVE_INT_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "mve_int.h"

#if SCANLET_INT_MVE

// scanlet_int_decay of rates times delta; shift = 7 - down. The products, doubled and shifted, are
// numbers of table entries with 16 fractional bits, of which eight count. Beyond the table they
// saturate, at the last entry, which is 0: what is left of the others' bits does not matter.
SCANLET_INLINE int16x8_t scanlet_mve_int_decay(const int16x8_t rates, const int16_t delta,
                                               const int32_t shift) {
  const int32x4_t even = vqshlq_r_s32(vqdmullbq_n_s16(rates, delta), shift);
  const int32x4_t odd = vqshlq_r_s32(vqdmulltq_n_s16(rates, delta), shift);
#if defined(__clang__)
  int16x8_t high = vqshrnbq_n_s32(vuninitializedq_s16(), even, 12);
  high = vqshrntq_n_s32(high, odd, 12);
#else  // GNU as 2.40 takes these two for their rounding forms
  int16x8_t high = vshrnbq_n_s32(vuninitializedq_s16(), even, 16);
  high = vqshlq_n_s16(vshrntq_n_s32(high, odd, 16), 4);
#endif
  const uint16x8_t at = vreinterpretq_u16_s16(vshrq_n_s16(high, 4));
  const uint16x8_t low = vreinterpretq_u16_s16(vmovntq_s32(vreinterpretq_s16_s32(even), odd));
  const int16x8_t entry = vldrhq_gather_shifted_offset_s16(scanlet_decay_table, at);
  const int16x8_t fine = vreinterpretq_s16_u16(vshrq_n_u16(low, 8));
  return vsubq_s16(entry, vqdmulhq_s16(entry, fine));
}

// The new state of eight n. `half` is twice the rounding plus 1: everything is doubled, so that
// the sum saturates where its upper half does. The 1 makes up for du * b = 2^30, which doubled
// saturates; elsewhere, next to even numbers, it makes no difference.
SCANLET_INLINE int16x8_t scanlet_mve_int_state(const int16x8_t h, const int16x8_t decay,
                                               const int16x8_t b, const int16_t du,
                                               const int32_t half) {
  int32x4_t even = vqdmullbq_s16(decay, h);
  int32x4_t odd = vqdmulltq_s16(decay, h);
  even = vqaddq_s32(even, vqdmullbq_n_s16(b, du));
  odd = vqaddq_s32(odd, vqdmulltq_n_s16(b, du));
  even = vqaddq_n_s32(even, half);
  odd = vqaddq_n_s32(odd, half);
  return vreinterpretq_s16_s32(vsriq_n_s32(odd, even, 16));
}

// What a channel takes at a step, and the sum over n of h * c, which replaces it.
typedef union {
  int16_t in[2];  // delta, du
  int32_t sum;
} scanlet_mve_int_cell;

// Up to eight of the states of a channel, `count`; others are zeros.
SCANLET_INLINE int16x8_t scanlet_mve_int_load_states(const int16_t* const from,
                                                     const int32_t count) {
  return count >= 8 ? vldrhq_s16(from) : vldrhq_z_s16(from, vctp16q((uint32_t)count));
}

SCANLET_INLINE void scanlet_mve_int_store_states(int16_t* const to, const int16x8_t h,
                                                 const int32_t count) {
  if (count >= 8) {
    vstrhq_s16(to, h);
  } else {
    vstrhq_p_s16(to, h, vctp16q((uint32_t)count));
  }
}

// `count` (1 to 16) states of a channel over `steps` (at least 1) steps; cell (steps, 8), b and,
// `states` behind it, c in each step. With `sums`, what they contribute is added there, else it is
// left in the cells. Literal: count, states, whether there are sums.
SCANLET_INLINE void scanlet_mve_int_states(int16_t* const h, const int16_t* const rates,
                                           const int16_t* b, const int32_t* half,
                                           scanlet_mve_int_cell* cell, int32_t* sums,
                                           const int32_t shift, const int32_t count,
                                           const int32_t states, const int32_t steps) {
  const int16x8_t rate0 = scanlet_mve_int_load_states(rates, count);
  int16x8_t h0 = scanlet_mve_int_load_states(h, count);
  int16x8_t rate1 = count > 8 ? scanlet_mve_int_load_states(rates + 8, count - 8) : rate0;
  int16x8_t h1 = count > 8 ? scanlet_mve_int_load_states(h + 8, count - 8) : h0;
  const int32_t* const end = half + steps;
  do {
    const int16_t delta = cell->in[0];
    const int16_t du = cell->in[1];
    const int32_t up = *half++;
    const int16x8_t decay0 = scanlet_mve_int_decay(rate0, delta, shift);
    h0 = scanlet_mve_int_state(h0, decay0, vldrhq_s16(b), du, up);
    int32_t sum = vmladavq_s16(h0, vldrhq_s16(b + states));
    if (count > 8) {
      // One after the other: interleaved, they do not fit the registers.
      __asm__("" : "+w"(rate1), "+w"(h0));
      const int16x8_t decay1 = scanlet_mve_int_decay(rate1, delta, shift);
      h1 = scanlet_mve_int_state(h1, decay1, vldrhq_s16(b + 8), du, up);
      sum = vmladavaq_s16(sum, h1, vldrhq_s16(b + states + 8));
    }
    b += 2 * states;
    if (sums == NULL) {
      cell->sum = sum;
    } else {
      *sums++ += sum;
    }
    cell += 8;
  } while (half != end);
  scanlet_mve_int_store_states(h, h0, count);
  if (count > 8) scanlet_mve_int_store_states(h + 8, h1, count - 8);
}

// One channel: the sums over all N. Literal: N.
SCANLET_INLINE void scanlet_mve_int_channel(int16_t* const h, const int16_t* const rates,
                                            const int16_t* const bc, const int32_t* const half,
                                            scanlet_mve_int_cell* const cell, const int32_t shift,
                                            const int32_t N, const int32_t steps) {
  const int32_t states = (N + 7) / 8 * 8;
  if (N <= 16) {
    scanlet_mve_int_states(h, rates, bc, half, cell, NULL, shift, N, states, steps);
    return;
  }
  int32_t sums[SCANLET_INT_MAX_T] = {0};
  int32_t n = 0;
  for (; n + 16 <= N; n += 16) {
    scanlet_mve_int_states(h + n, rates + n, bc + n, half, cell, sums, shift, 16, states, steps);
  }
  if (N % 16 != 0) {
    scanlet_mve_int_states(h + n, rates + n, bc + n, half, cell, sums, shift, N % 16, states,
                           steps);
  }
  for (int32_t t = 0; t < steps; ++t) cell[8 * t].sum = sums[t];
}

// scanlet_int_scan for up to eight channels; delta, u and work (T, 8). Literal: N.
SCANLET_INLINE void scanlet_mve_int_scan(int16_t* const h, const int16_t* const rates,
                                         const int16_t* const bc, const int16_t* const delta,
                                         const int32_t* const rounding, int16_t* const u,
                                         const scanlet_channel* const channel, const int32_t count,
                                         const int32_t N, const int32_t steps,
                                         int32_t* const work) {
  scanlet_mve_int_cell* const cell = (scanlet_mve_int_cell*)(void*)work;
  int32_t half[SCANLET_INT_MAX_T];
  const scanlet_mve_int_wide du_factor = scanlet_mve_int_field(&channel->du_factor);
  SCANLET_UNROLL(1)
  for (int32_t t = 0; t < steps; ++t) {
    int16x8x2_t in;
    in.val[0] = vldrhq_s16(delta + 8 * t);
    const scanlet_mve_int_wide du = scanlet_mve_int_multiply(in.val[0], vldrhq_s16(u + 8 * t));
    in.val[1] = scanlet_mve_int_narrow(scanlet_mve_int_scale(du, du_factor));
    vst2q_s16(cell[8 * t].in, in);
    half[t] = 2 * rounding[t] + 1;
  }
  for (int32_t i = 0; i < count; ++i) {
    scanlet_mve_int_channel(h + (ptrdiff_t)i * N, rates + (ptrdiff_t)i * N, bc, half, cell + i,
                            15 - channel[i].rate_shift, N, steps);
  }
  const scanlet_mve_int_wide y_factor = scanlet_mve_int_field(&channel->y_factor);
  const scanlet_mve_int_wide d_factor = scanlet_mve_int_field(&channel->d_factor);
  SCANLET_UNROLL(1)
  for (int32_t t = 0; t < steps; ++t) {
    const int16x8_t value = vldrhq_s16(u + 8 * t);
    const scanlet_mve_int_wide lifted = {vshllbq_n_s16(value, 16), vshlltq_n_s16(value, 16)};
    const scanlet_mve_int_wide sum = scanlet_mve_int_load_wide(&cell[8 * t].sum);
    const scanlet_mve_int_wide skip = scanlet_mve_int_scale(lifted, d_factor);
    const scanlet_mve_int_wide y = scanlet_mve_int_add(scanlet_mve_int_scale(sum, y_factor), skip);
    vstrhq_s16(u + 8 * t, scanlet_mve_int_narrow(y));
  }
}

#endif  // SCANLET_INT_MVE

#endif  // SCANLET_KERNELS_MVE_INT_SCAN_H_
