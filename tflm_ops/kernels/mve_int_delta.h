// SPDX-License-Identifier: Apache-2.0
// Softplus of dt_proj's sums: delta of eight channels at a time.
#ifndef SCANLET_KERNELS_MVE_INT_DELTA_H_
#define SCANLET_KERNELS_MVE_INT_DELTA_H_

#include <stdint.h>

#include "mve_int.h"

#if SCANLET_INT_MVE

// scanlet_int_softplus of one half of an octet: `value`, the table's entry `at` and, in 32 bits,
// how far it is to the next one.
SCANLET_INLINE int32x4_t scanlet_mve_int_softplus_half(const int32x4_t value, const uint32x4_t at,
                                                       const uint32x4_t rest,
                                                       const int32_t fraction) {
  const int32x4_t base = vldrwq_gather_shifted_offset_s32(scanlet_softplus_table, at);
  const int32x4_t next = vldrwq_gather_shifted_offset_s32(scanlet_softplus_table + 1, at);
  const uint32x4_t slope = vreinterpretq_u32_s32(vsubq_s32(next, base));
  const int32x4_t result = vaddq_s32(base, vreinterpretq_s32_u32(vmulhq_u32(slope, rest)));
  if (fraction >= 11) return result;
  const int32x4_t itself = vshlq_r_s32(value, 24 - fraction);
  return vpselq_s32(itself, result, vcmpgeq_n_s32(value, 16 << fraction));
}

// scanlet_int_delta of eight channels; acc, delta (T, 8).
SCANLET_NOINLINE void scanlet_mve_int_delta(const int32_t* acc,
                                            const scanlet_channel* const channel, int16_t* delta,
                                            const int32_t steps, const int32_t fraction) {
  const scanlet_mve_int_wide bias = scanlet_mve_int_field(&channel->dt_bias);
  const scanlet_mve_int_wide dt_factor = scanlet_mve_int_field(&channel->dt_factor);
  const scanlet_mve_int_wide delta_factor = scanlet_mve_int_field(&channel->delta_factor);
  SCANLET_UNROLL(1)
  for (int32_t t = 0; t < steps; ++t) {
    const scanlet_mve_int_wide sum = scanlet_mve_int_add(scanlet_mve_int_load_wide(acc), bias);
    const int16x8_t value = scanlet_mve_int_narrow(scanlet_mve_int_scale(sum, dt_factor));
    // Unsigned: the entry, and what lies below it as a fraction of 16 bits.
    const int16x8_t high = fraction < 11 ? vqshlq_r_s16(value, 11 - fraction) : value;
    const int16x8_t entry = vshlq_r_s16(high, fraction < 11 ? -6 : 5 - fraction);
    const uint16x8_t at = vreinterpretq_u16_s16(vaddq_n_s16(entry, 512));
    const uint16x8_t rest = vreinterpretq_u16_s16(vshlq_r_s16(value, 21 - fraction));
    scanlet_mve_int_wide plus;
    plus.even = scanlet_mve_int_softplus_half(vmovlbq_s16(value), vmovlbq_u16(at),
                                              vshllbq_n_u16(rest, 16), fraction);
    plus.odd = scanlet_mve_int_softplus_half(vmovltq_s16(value), vmovltq_u16(at),
                                             vshlltq_n_u16(rest, 16), fraction);
    vstrhq_s16(delta, scanlet_mve_int_narrow(scanlet_mve_int_scale(plus, delta_factor)));
    acc += 8;
    delta += 8;
  }
}

#endif  // SCANLET_INT_MVE

#endif  // SCANLET_KERNELS_MVE_INT_DELTA_H_
