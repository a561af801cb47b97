// SPDX-License-Identifier: Apache-2.0
// Helium (MVE): the kernels' functions of four values at once, for fused builds.
//
// The same tables and polynomials as in scalar code. These cores flush subnormals by themselves.
// Non-fused builds keep to the scalar kernels, whose bits are the same on every core.
#ifndef SCANLET_KERNELS_MVE_H_
#define SCANLET_KERNELS_MVE_H_

#include "madd.h"

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 2) && SCANLET_FUSED_MADD
#define SCANLET_MVE 1
#else
#define SCANLET_MVE 0
#endif

#if SCANLET_MVE

#include <arm_mve.h>

#include "exp2.h"

// 2^k for the k that shifted = SCANLET_ROUND + k holds.
SCANLET_INLINE float32x4_t scanlet_mve_exp2_of(const float32x4_t shifted) {
  const uint32x4_t number = vreinterpretq_u32_f32(shifted);
  const uint32x4_t entry = vandq_u32(number, vdupq_n_u32(SCANLET_EXP2_MASK));
  const uint32x4_t power = vldrwq_gather_shifted_offset_u32(scanlet_exp2_table, entry);
  return vreinterpretq_f32_u32(vaddq_u32(power, vshlq_n_u32(number, SCANLET_EXP2_SHIFT)));
}

SCANLET_INLINE float32x4_t scanlet_mve_exp2_within(const float32x4_t x) {
  const float32x4_t shifted = vaddq_n_f32(x, SCANLET_ROUND);
  const float32x4_t f = vsubq_f32(x, vsubq_n_f32(shifted, SCANLET_ROUND));
  const float32x4_t power = scanlet_mve_exp2_of(shifted);
  return vfmaq_n_f32(power, vmulq_f32(power, f), SCANLET_LN2);
}

SCANLET_INLINE float32x4_t scanlet_mve_exp(const float32x4_t x) {
  const float32x4_t low = vmaxnmq_f32(x, vdupq_n_f32(-87.0f));
  const float32x4_t clamped = vminnmq_f32(low, vdupq_n_f32(87.0f));
  const float32x4_t shifted = vfmasq_n_f32(clamped, vdupq_n_f32(1.44269504f), SCANLET_ROUND);
  const float32x4_t k = vsubq_n_f32(shifted, SCANLET_ROUND);
  float32x4_t r = vfmaq_n_f32(clamped, k, -0.6953125f);
  r = vfmaq_n_f32(r, k, 2.16531940e-3f);
  const float32x4_t power = scanlet_mve_exp2_of(shifted);
  return vfmaq_f32(power, power, r);
}

// x from 1 to 2^126: an integer estimate and three Newton steps; there is no vector division.
SCANLET_INLINE float32x4_t scanlet_mve_reciprocal(const float32x4_t x) {
  const float32x4_t one = vdupq_n_f32(1.0f);
  float32x4_t y =
      vreinterpretq_f32_u32(vsubq_u32(vdupq_n_u32(0x7ef311c7u), vreinterpretq_u32_f32(x)));
  y = vfmaq_f32(y, y, vfmsq_f32(one, x, y));
  y = vfmaq_f32(y, y, vfmsq_f32(one, x, y));
  return vfmaq_f32(y, y, vfmsq_f32(one, x, y));
}

// The next two compare bits: to a float comparison "less than" a NaN is less, and compilers turn
// "greater than" into it. All NaN that these cores compute lie above zero.

SCANLET_INLINE float32x4_t scanlet_mve_softplus(const float32x4_t x) {
  const float32x4_t e = scanlet_mve_exp(vnegq_f32(vabsq_f32(x)));
  const float32x4_t s = vmulq_f32(e, scanlet_mve_reciprocal(vaddq_n_f32(e, 2.0f)));
  const float32x4_t q = vmulq_f32(s, s);
  float32x4_t p = vfmasq_n_f32(q, vdupq_n_f32(1.21534236e-01f), 1.07131064e-01f);
  p = vfmasq_n_f32(p, q, 1.4308503e-01f);
  p = vfmasq_n_f32(p, q, 1.9999437e-01f);
  p = vfmasq_n_f32(p, q, 3.3333337e-01f);
  const float32x4_t twice = vaddq_f32(s, s);
  const float32x4_t log1p = vfmaq_f32(twice, vmulq_f32(twice, q), p);
  const int32x4_t positive = vmaxq_s32(vreinterpretq_s32_f32(x), vdupq_n_s32(0));
  return vaddq_f32(vreinterpretq_f32_s32(positive), log1p);
}

SCANLET_INLINE float32x4_t scanlet_mve_silu(const float32x4_t x) {
  const float32x4_t e = scanlet_mve_exp(vnegq_f32(x));
  const float32x4_t y = vmulq_f32(x, scanlet_mve_reciprocal(vaddq_n_f32(e, 1.0f)));
  const mve_pred16_t below = vcmphiq_n_u32(vreinterpretq_u32_f32(x), 0xc2ae0000u);  // -87
  return vpselq_f32(vdupq_n_f32(0.0f), y, below);
}

// The T-strided column of up to four channels as one vector: offsets and which lanes are there.
SCANLET_INLINE uint32x4_t scanlet_mve_column(const int32_t T) {
  return vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)T);
}

SCANLET_INLINE float32x4_t scanlet_mve_load_column(const float* const x, const uint32x4_t column,
                                                   const int32_t channels) {
  return vldrwq_gather_shifted_offset_z_f32(x, column, vctp32q((uint32_t)channels));
}

SCANLET_INLINE void scanlet_mve_store_column(float* const x, const uint32x4_t column,
                                             const int32_t channels, const float32x4_t value) {
  vstrwq_scatter_shifted_offset_p_f32(x, column, value, vctp32q((uint32_t)channels));
}

#endif  // SCANLET_MVE

#endif  // SCANLET_KERNELS_MVE_H_
