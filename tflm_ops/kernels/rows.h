// SPDX-License-Identifier: Apache-2.0
// Pointwise functions of a few channels' steps.
#ifndef SCANLET_KERNELS_ROWS_H_
#define SCANLET_KERNELS_ROWS_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"
#include "mve.h"
#include "silu.h"
#include "softplus.h"

// In large functions LLVM for Xtensa loads constants anew in every iteration; a small one keeps
// them.
#if defined(__XTENSA__)
#define SCANLET_ROWS_APART 1
#else
#define SCANLET_ROWS_APART 0
#endif

// x (channels, T): the first `steps` < T columns, channels <= 4.
SCANLET_NOINLINE void scanlet_softplus_part(float* const x, const int32_t channels, const int32_t T,
                                            const int32_t steps) {
#if SCANLET_MVE
  const uint32x4_t column = scanlet_mve_column(T);
  SCANLET_UNROLL(1)
  for (int32_t t = 0; t < steps; ++t) {
    const float32x4_t value = scanlet_mve_load_column(x + t, column, channels);
    scanlet_mve_store_column(x + t, column, channels, scanlet_mve_softplus(value));
  }
#else
  for (int32_t i = 0; i < channels; ++i) {
    float* const row = x + (ptrdiff_t)i * T;
    for (int32_t t = 0; t < steps; ++t) row[t] = scanlet_softplus(row[t]);
  }
#endif
}

// x (channels, T), the first `steps` columns; channels <= 4, T is a literal.
SCANLET_INLINE void scanlet_softplus_rows(float* const x, const int32_t channels, const int32_t T,
                                          const int32_t steps) {
  if (steps < T) {
    scanlet_softplus_part(x, channels, T, steps);
    return;
  }
#if SCANLET_MVE
  if (T % 4 == 0) {
    for (int32_t i = 0; i < channels * T; i += 4) {
      vstrwq_f32(x + i, scanlet_mve_softplus(vldrwq_f32(x + i)));
    }
    return;
  }
#endif
  if (SCANLET_ROWS_APART) {
    scanlet_softplus_part(x, 1, T, channels * T);
    return;
  }
  for (int32_t i = 0; i < channels * T; ++i) x[i] = scanlet_softplus(x[i]);
}

// y = y * silu(z), alike.
SCANLET_NOINLINE void scanlet_gate_part(float* const y, const float* const z,
                                        const int32_t channels, const int32_t T,
                                        const int32_t steps) {
#if SCANLET_MVE
  const uint32x4_t column = scanlet_mve_column(T);
  SCANLET_UNROLL(1)
  for (int32_t t = 0; t < steps; ++t) {
    const float32x4_t gate = scanlet_mve_silu(scanlet_mve_load_column(z + t, column, channels));
    const float32x4_t value = scanlet_mve_load_column(y + t, column, channels);
    scanlet_mve_store_column(y + t, column, channels, vmulq_f32(value, gate));
  }
#else
  for (int32_t i = 0; i < channels; ++i) {
    float* const row = y + (ptrdiff_t)i * T;
    const float* const gate = z + (ptrdiff_t)i * T;
    for (int32_t t = 0; t < steps; ++t) row[t] *= scanlet_silu(gate[t]);
  }
#endif
}

SCANLET_INLINE void scanlet_gate_rows(float* const y, const float* const z, const int32_t channels,
                                      const int32_t T, const int32_t steps) {
  if (steps < T) {
    scanlet_gate_part(y, z, channels, T, steps);
    return;
  }
#if SCANLET_MVE
  if (T % 4 == 0) {
    for (int32_t i = 0; i < channels * T; i += 4) {
      const float32x4_t gate = scanlet_mve_silu(vldrwq_f32(z + i));
      vstrwq_f32(y + i, vmulq_f32(vldrwq_f32(y + i), gate));
    }
    return;
  }
#endif
  if (SCANLET_ROWS_APART) {
    scanlet_gate_part(y, z, 1, T, channels * T);
    return;
  }
  for (int32_t i = 0; i < channels * T; ++i) y[i] *= scanlet_silu(z[i]);
}

#endif  // SCANLET_KERNELS_ROWS_H_
