// SPDX-License-Identifier: Apache-2.0
// The recurrence of a few channels in float32, from integers to integers.
#ifndef SCANLET_KERNELS_REAL_SCAN_H_
#define SCANLET_KERNELS_REAL_SCAN_H_

#include <stddef.h>
#include <stdint.h>

#include "arm.h"
#include "bits.h"
#include "int_layout.h"
#include "int_scale.h"
#include "madd.h"
#include "mve_int.h"
#include "mve_real_scan.h"
#include "scan.h"

// The real numbers of a channel.
typedef struct {
  float of_delta;  // what a step of delta stands for
  float of_u;
  float per_y;  // one over what a step of y stands for
} scanlet_reals;

// Channels that scanlet_scan takes at once.
#define SCANLET_REAL_LANES 4

// To nearest, halves to even, saturated to int16; for NaN arbitrary. Adding 1.5 * 2^23 leaves the
// integer in the low 16 bits. As integers, the bits of sums above zero lie in the sums' order, and
// those of all others below them: saturation of any number is one of them.
SCANLET_INLINE int16_t scanlet_real_nearest(const float value) {
#if SCANLET_ARM
  float rounded;
  int32_t result;
  __asm__("vcvtr.s32.f32 %0, %1" : "=t"(rounded) : "t"(value));
  __asm__("vmov %0, %1" : "=r"(result) : "t"(rounded));
  return (int16_t)scanlet_saturate16(result);
#else
  const int32_t zero = 0x4b400000;
  const int32_t sum = (int32_t)scanlet_bits(value + 12582912.0f);
  const int32_t most = sum < zero + 32767 ? sum : zero + 32767;
  // cppcheck-suppress knownConditionTrueFalse; it does not know the bits of a float
  return (int16_t)((most > zero - 32768 ? most : zero - 32768) - zero);
#endif
}

// T elements `stride` apart, of which `steps` are there, others become zeros. Literal: T, stride;
// steps or nothing.
SCANLET_INLINE void scanlet_to_real_row(const int16_t* const from, const int32_t stride,
                                        const float unit, float* const to, const int32_t T,
                                        const int32_t steps) {
  SCANLET_UNROLL(8)
  for (int32_t t = 0; t < T; ++t) to[t] = t < steps ? unit * (float)from[t * stride] : 0.0f;
}

SCANLET_INLINE void scanlet_from_real_row(const float* const from, const float per_unit,
                                          int16_t* const to, const int32_t stride,
                                          const int32_t steps) {
  SCANLET_UNROLL(8)
  for (int32_t t = 0; t < steps; ++t) to[t * stride] = scanlet_real_nearest(per_unit * from[t]);
}

// Up to four channels; see scanlet_real_scan. Element (i, t) of delta: i * delta_k + t * delta_t.
SCANLET_INLINE void scanlet_real_scan_lanes(
    float* const h, const float* const a, const float* const bc, const float* const d,
    const scanlet_reals* const reals, const int16_t* const delta, int16_t* const u,
    const int32_t count, const int32_t N, const int32_t T, const int32_t steps, const int32_t u_k,
    const int32_t u_t, const int32_t delta_k, const int32_t delta_t, float* const step) {
  float* const x = step + SCANLET_REAL_LANES * T;
#if SCANLET_MVE_REALS
  if (T == 4 && steps == 4 && count == SCANLET_REAL_LANES) {
    scanlet_mve_to_reals(delta, scanlet_mve_real_field(&reals->of_delta), step);
    scanlet_mve_to_reals(u, scanlet_mve_real_field(&reals->of_u), x);
    scanlet_scan(h, a, bc, step, x, d, SCANLET_REAL_LANES, N, T, steps);
    scanlet_mve_from_reals(x, scanlet_mve_real_field(&reals->per_y), u);
    return;
  }
#endif
  for (int32_t i = 0; i < count; ++i) {
    const int16_t* const of_delta = delta + i * delta_k;
    const int16_t* const of_u = u + scanlet_int_place(i, u_k);
    if (steps == T) {
      scanlet_to_real_row(of_delta, delta_t, reals[i].of_delta, step + i * T, T, T);
      scanlet_to_real_row(of_u, u_t, reals[i].of_u, x + i * T, T, T);
    } else {
      scanlet_to_real_row(of_delta, delta_t, reals[i].of_delta, step + i * T, T, steps);
      scanlet_to_real_row(of_u, u_t, reals[i].of_u, x + i * T, T, steps);
    }
  }
  scanlet_scan(h, a, bc, step, x, d, count, N, T, steps);
  for (int32_t i = 0; i < count; ++i) {
    int16_t* const y = u + scanlet_int_place(i, u_k);
    if (steps == T) {
      scanlet_from_real_row(x + i * T, reals[i].per_y, y, u_t, T);
    } else {
      scanlet_from_real_row(x + i * T, reals[i].per_y, y, u_t, steps);
    }
  }
}

// scanlet_scan of up to SCANLET_INT_LANES channels, `count`, whose delta, u and, in its place, y
// are int16: delta (count, T), with Helium (T, 8); element (i, t) of u where scanlet_int_place says
// for i, + t * u_t. h, a, bc and d as in scan.h; work (2, SCANLET_REAL_LANES, T). Literal: N, T,
// the strides.
SCANLET_INLINE void scanlet_real_scan(float* const h, const float* const a, const float* const bc,
                                      const float* const d, const scanlet_reals* const reals,
                                      const int16_t* const delta, int16_t* const u,
                                      const int32_t count, const int32_t N, const int32_t T,
                                      const int32_t steps, const int32_t u_k, const int32_t u_t,
                                      float* const work) {
#if SCANLET_INT_MVE
  const int32_t delta_k = 1;
  const int32_t delta_t = 8;
#else
  const int32_t delta_k = T;
  const int32_t delta_t = 1;
#endif
  for (int32_t i = 0; i < SCANLET_INT_LANES; i += SCANLET_REAL_LANES) {
    const int32_t left = count - i;
    if (left <= 0) break;
    scanlet_real_scan_lanes(h + (ptrdiff_t)i * N, a + (ptrdiff_t)i * N, bc, d + 2 * i, reals + i,
                            delta + i * delta_k, u + scanlet_int_place(i, u_k),
                            left < SCANLET_REAL_LANES ? left : SCANLET_REAL_LANES, N, T, steps, u_k,
                            u_t, delta_k, delta_t, work);
  }
}

#endif  // SCANLET_KERNELS_REAL_SCAN_H_
