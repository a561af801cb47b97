// SPDX-License-Identifier: Apache-2.0
// Helium (MVE) for the integer kernels: what they share. The bits are those of the portable ones.
//
// Vectors are octets of int16 (SCANLET_OCTETS in int_layout.h). Where 32 bits are needed, an octet
// is a vector of its even elements and one of its odd ones: widening and narrowing instructions
// take the lower ("b") and the upper ("t") halves of 32-bit lanes.
#ifndef SCANLET_KERNELS_MVE_INT_H_
#define SCANLET_KERNELS_MVE_INT_H_

#include "int_layout.h"
#include "madd.h"

// Literals have to reach the assembly of the products.
#if defined(__ARM_FEATURE_MVE) && defined(__OPTIMIZE__) && SCANLET_INT_LAYOUT == SCANLET_OCTETS
#define SCANLET_INT_MVE 1
#else
#define SCANLET_INT_MVE 0
#endif

#if SCANLET_INT_MVE

#include <arm_mve.h>

#include "int_tables.h"

typedef struct {
  int32x4_t even;
  int32x4_t odd;
} scanlet_mve_int_wide;

SCANLET_INLINE scanlet_mve_int_wide scanlet_mve_int_load_wide(const int32_t* const from) {
  const int32x4x2_t pair = vld2q_s32(from);
  const scanlet_mve_int_wide result = {pair.val[0], pair.val[1]};
  return result;
}

// A field of eight channels; `field` is that of the first one.
SCANLET_INLINE scanlet_mve_int_wide scanlet_mve_int_field(const int32_t* const field) {
  const uint32_t words = sizeof(scanlet_channel) / sizeof(int32_t);
  const uint32x4_t offset = vmulq_n_u32(vidupq_n_u32(0, 2), words);
  const scanlet_mve_int_wide result = {vldrwq_gather_shifted_offset_s32(field, offset),
                                       vldrwq_gather_shifted_offset_s32(field + words, offset)};
  return result;
}

// (bias, factor) of eight outputs.
SCANLET_INLINE void scanlet_mve_int_constants(const scanlet_row* const rows,
                                              scanlet_mve_int_wide* const bias,
                                              scanlet_mve_int_wide* const factor) {
  const int32x4x4_t all = vld4q_s32(&rows->bias);
  bias->even = all.val[0];
  factor->even = all.val[1];
  bias->odd = all.val[2];
  factor->odd = all.val[3];
}

SCANLET_INLINE scanlet_mve_int_wide scanlet_mve_int_add(const scanlet_mve_int_wide a,
                                                        const scanlet_mve_int_wide b) {
  const scanlet_mve_int_wide result = {vaddq_s32(a.even, b.even), vaddq_s32(a.odd, b.odd)};
  return result;
}

SCANLET_INLINE scanlet_mve_int_wide scanlet_mve_int_multiply(const int16x8_t a, const int16x8_t b) {
  const scanlet_mve_int_wide result = {vmullbq_int_s16(a, b), vmulltq_int_s16(a, b)};
  return result;
}

// scanlet_scale.
SCANLET_INLINE scanlet_mve_int_wide scanlet_mve_int_scale(const scanlet_mve_int_wide value,
                                                          const scanlet_mve_int_wide factor) {
  const scanlet_mve_int_wide result = {vrmulhq_s32(value.even, factor.even),
                                       vrmulhq_s32(value.odd, factor.odd)};
  return result;
}

// scanlet_saturate16.
SCANLET_INLINE int16x8_t scanlet_mve_int_narrow(const scanlet_mve_int_wide value) {
  const int16x8_t half = vqmovnbq_s32(vreinterpretq_s16_s32(value.even), value.even);
  return vqmovntq_s32(half, value.odd);
}

// Shifts for scanlet_mve_int_silu: by `up`, arguments have 11 fractional bits, and by `rest` what
// lies below an entry of the table fills 16 bits.
typedef struct {
  int16x8_t up;
  int16x8_t rest;
} scanlet_mve_int_shifts;

SCANLET_INLINE scanlet_mve_int_shifts
scanlet_mve_int_shifts_of(const scanlet_mve_int_wide fraction) {
  const int16x8_t both =
      vmovntq_s32(vreinterpretq_s16_s32(fraction.even), fraction.odd);  // all below 2^16
  const scanlet_mve_int_shifts result = {vsubq_s16(vdupq_n_s16(11), both),
                                         vsubq_s16(vdupq_n_s16(21), both)};
  return result;
}

// scanlet_int_silu: value + value * (sigmoid - 1), so that the factor is an int16. Beyond 16 units
// neighbours in the table are equal: there, what lies between them does not matter.
SCANLET_INLINE int16x8_t scanlet_mve_int_silu(const int16x8_t value,
                                              const scanlet_mve_int_shifts shifts) {
  const int16x8_t index = vshrq_n_s16(vqshlq_s16(value, shifts.up), 6);
  const uint16x8_t at = vreinterpretq_u16_s16(vaddq_n_s16(index, 512));
  const uint16x8_t rest = vreinterpretq_u16_s16(vshlq_s16(value, shifts.rest));
  const uint16x8_t base = vldrhq_gather_shifted_offset_u16(scanlet_sigmoid_table, at);
  const uint16x8_t next = vldrhq_gather_shifted_offset_u16(scanlet_sigmoid_table + 1, at);
  const uint16x8_t sigmoid = vaddq_u16(base, vmulhq_u16(vsubq_u16(next, base), rest));
  const int16x8_t less = vreinterpretq_s16_u16(vaddq_n_u16(sigmoid, 32768));
  const scanlet_mve_int_wide product = scanlet_mve_int_multiply(value, less);
  // Of the 17 bits that may result, 16 do for the sum.
  int16x8_t gain = vrshrnbq_n_s32(value, product.even, 15);
  gain = vrshrntq_n_s32(gain, product.odd, 15);
  return vaddq_s16(value, gain);
}

#endif  // SCANLET_INT_MVE

#endif  // SCANLET_KERNELS_MVE_INT_H_
