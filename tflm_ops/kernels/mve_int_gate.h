// SPDX-License-Identifier: Apache-2.0
// The gate of eight channels at a time.
#ifndef SCANLET_KERNELS_MVE_INT_GATE_H_
#define SCANLET_KERNELS_MVE_INT_GATE_H_

#include <stdint.h>

#include "mve_int.h"

#if SCANLET_INT_MVE

// scanlet_int_gate of eight channels; acc and y (T, 8).
SCANLET_NOINLINE void scanlet_mve_int_gate(const int32_t* acc, const scanlet_row* const rows,
                                           const scanlet_channel* const channel, int16_t* y,
                                           const int32_t steps) {
  scanlet_mve_int_wide bias;
  scanlet_mve_int_wide z_factor;
  scanlet_mve_int_constants(rows, &bias, &z_factor);
  const scanlet_mve_int_wide factor = scanlet_mve_int_field(&channel->gate_factor);
  const scanlet_mve_int_shifts shifts =
      scanlet_mve_int_shifts_of(scanlet_mve_int_field(&channel->gate_fraction));
  SCANLET_UNROLL(1)
  for (int32_t t = 0; t < steps; ++t) {
    const scanlet_mve_int_wide sum = scanlet_mve_int_add(scanlet_mve_int_load_wide(acc), bias);
    const int16x8_t z = scanlet_mve_int_narrow(scanlet_mve_int_scale(sum, z_factor));
    const scanlet_mve_int_wide gated =
        scanlet_mve_int_multiply(vldrhq_s16(y), scanlet_mve_int_silu(z, shifts));
    vstrhq_s16(y, scanlet_mve_int_narrow(scanlet_mve_int_scale(gated, factor)));
    acc += 8;
    y += 8;
  }
}

#endif  // SCANLET_INT_MVE

#endif  // SCANLET_KERNELS_MVE_INT_GATE_H_
