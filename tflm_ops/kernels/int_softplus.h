// SPDX-License-Identifier: Apache-2.0
// ln(1 + exp(x)) in fixed point, and delta from dt_proj's sums.
#ifndef SCANLET_KERNELS_INT_SOFTPLUS_H_
#define SCANLET_KERNELS_INT_SOFTPLUS_H_

#include <stddef.h>
#include <stdint.h>

#include "arm_int.h"
#include "int_layout.h"
#include "int_scale.h"
#include "int_tables.h"
#include "madd.h"
#include "mve_int_delta.h"

// The argument is an int16 with `fraction` fractional bits, 9 to 15; the result Q24, the argument
// itself from 16 on. The line between two entries takes 2^19 * 2^10 at most, the result is at most
// 2^30. Literal: fraction.
SCANLET_INLINE int32_t scanlet_int_softplus(const int32_t value, const int32_t fraction) {
  const int32_t low = fraction - 5;
  if (fraction < 11 && value >> fraction >= 16) return value * (1 << (24 - fraction));
  const int32_t entry = fraction < 11 ? scanlet_int_entry(value >> low) : value >> low;
  const int32_t* middle = scanlet_softplus_table + 512;
#if SCANLET_ARM_DSP
  __asm__("" : "+r"(middle));  // kept in a register
#endif
  const int32_t* const at = middle + entry;
  const int32_t rest = value & ((1 << low) - 1);
  return at[0] + (((at[1] - at[0]) * rest) >> low);
}

// One channel; see scanlet_int_delta.
SCANLET_INLINE void scanlet_int_delta_row(const int32_t* const acc,
                                          const scanlet_channel* const channel,
                                          int16_t* const delta, const int32_t steps,
                                          const int32_t fraction) {
  const int32_t dt_factor = channel->dt_factor;
  const int32_t delta_factor = channel->delta_factor;
  SCANLET_UNROLL(SCANLET_INT_TILE_UNROLL)
  for (int32_t t = 0; t < steps; ++t) {
    const int32_t argument = scanlet_saturate16(scanlet_scale(acc[t], dt_factor));
    const int32_t value =
        scanlet_scale_small(scanlet_int_softplus(argument, fraction), delta_factor);
    delta[t] = (int16_t)scanlet_saturate16(value);
  }
}

// acc (count, T) of `count` channels, the first `steps` columns: dt_proj's sums become delta
// (count, T), 0 to 32767. `fraction` is that of softplus' argument. Literal: T, fraction.
SCANLET_INLINE void scanlet_int_delta(const int32_t* const acc,
                                      const scanlet_channel* const channel, int16_t* const delta,
                                      const int32_t count, const int32_t T, const int32_t steps,
                                      const int32_t fraction) {
#if SCANLET_INT_MVE
  scanlet_mve_int_delta(acc, channel, delta, steps, fraction);
  (void)count;
  (void)T;
#else
  for (int32_t i = 0; i < count; ++i) {
    if (steps == T) {
      scanlet_int_delta_row(acc + i * T, channel + i, delta + i * T, T, fraction);
    } else {
      scanlet_int_delta_row(acc + i * T, channel + i, delta + i * T, steps, fraction);
    }
  }
#endif
}

#endif  // SCANLET_KERNELS_INT_SOFTPLUS_H_
