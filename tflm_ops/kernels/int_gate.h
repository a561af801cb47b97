// SPDX-License-Identifier: Apache-2.0
// The gate: y * silu(z), with z from in_proj's sums.
#ifndef SCANLET_KERNELS_INT_GATE_H_
#define SCANLET_KERNELS_INT_GATE_H_

#include <stddef.h>
#include <stdint.h>

#include "int_layout.h"
#include "int_scale.h"
#include "int_silu.h"
#include "madd.h"
#include "mve_int_gate.h"

// One channel; see scanlet_int_gate.
SCANLET_INLINE void scanlet_int_gate_row(const int32_t* const acc, const int32_t z_factor,
                                         const scanlet_channel* const channel, int16_t* at,
                                         const int32_t steps, const int32_t y_t) {
  const int32_t fraction = channel->gate_fraction;
  const int32_t factor = channel->gate_factor;
  SCANLET_UNROLL(SCANLET_INT_TILE_UNROLL)
  for (int32_t t = 0; t < steps; ++t) {
    const int32_t z = scanlet_saturate16(scanlet_scale(acc[t], z_factor));
    const int32_t gated = *at * scanlet_int_silu(z, fraction);
    *at = (int16_t)scanlet_saturate16(scanlet_scale_small(gated, factor));
    at += y_t;
  }
}

// `count` channels, the first `steps` of T columns: g takes the place of y, element (i, t) at
// i * y_k + t * y_t. acc (count, T): in_proj's sums of z, `rows` their factors.
// |y * silu(z)| <= 2^30. Literal: T, the strides.
SCANLET_INLINE void scanlet_int_gate(const int32_t* const acc, const scanlet_row* const rows,
                                     const scanlet_channel* const channel, int16_t* const y,
                                     const int32_t count, const int32_t T, const int32_t steps,
                                     const int32_t y_k, const int32_t y_t) {
#if SCANLET_INT_MVE
  scanlet_mve_int_gate(acc, rows, channel, y, steps);
  (void)count;
  (void)T;
  (void)y_k;
  (void)y_t;
#else
  for (int32_t i = 0; i < count; ++i) {
    if (steps == T) {
      scanlet_int_gate_row(acc + i * T, rows[i].factor, channel + i, y + scanlet_int_place(i, y_k),
                           T, y_t);
    } else {
      scanlet_int_gate_row(acc + i * T, rows[i].factor, channel + i, y + scanlet_int_place(i, y_k),
                           steps, y_t);
    }
  }
#endif
}

#endif  // SCANLET_KERNELS_INT_GATE_H_
