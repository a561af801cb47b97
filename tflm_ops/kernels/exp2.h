// SPDX-License-Identifier: Apache-2.0
// 2^x and e^x: exponent arithmetic, a table of 64 powers, and a polynomial of degree two.
#ifndef SCANLET_KERNELS_EXP2_H_
#define SCANLET_KERNELS_EXP2_H_

#include <stdint.h>

#include "bits.h"
#include "madd.h"

// Bits of 2^(i / 64), less i * 2^17: adding (64 n + i) * 2^17 gives the bits of 2^(n + i / 64).
static const uint32_t scanlet_exp2_table[64] = {
    0x3f800000u, 0x3f7f64d2u, 0x3f7ecd87u, 0x3f7e3a29u, 0x3f7daac3u, 0x3f7d1f62u, 0x3f7c980fu,
    0x3f7c14d5u, 0x3f7b95c2u, 0x3f7b1adfu, 0x3f7aa43au, 0x3f7a31dcu, 0x3f79c3d3u, 0x3f795a2bu,
    0x3f78f4f0u, 0x3f78942du, 0x3f7837f0u, 0x3f77e046u, 0x3f778d3au, 0x3f773edau, 0x3f76f532u,
    0x3f76b051u, 0x3f767043u, 0x3f763516u, 0x3f75fed7u, 0x3f75cd94u, 0x3f75a15bu, 0x3f757a3au,
    0x3f75583fu, 0x3f753b79u, 0x3f7523f6u, 0x3f7511c4u, 0x3f7504f3u, 0x3f74fd92u, 0x3f74fbafu,
    0x3f74ff5bu, 0x3f7508a4u, 0x3f75179au, 0x3f752c4du, 0x3f7546cdu, 0x3f75672au, 0x3f758d75u,
    0x3f75b9beu, 0x3f75ec15u, 0x3f76248cu, 0x3f766334u, 0x3f76a81eu, 0x3f76f35bu, 0x3f7744fdu,
    0x3f779d16u, 0x3f77fbb8u, 0x3f7860f5u, 0x3f78ccdfu, 0x3f793f89u, 0x3f79b907u, 0x3f7a396au,
    0x3f7ac0c7u, 0x3f7b4f30u, 0x3f7be4bau, 0x3f7c8177u, 0x3f7d257du, 0x3f7dd0dfu, 0x3f7e83b3u,
    0x3f7f3e0cu,
};

// Adding 1.5 * 2^17 rounds to a multiple of 1 / 64 (ties to even), whose number then sits in the
// low bits.
#define SCANLET_ROUND 196608.0f

// 2^k for the k that `shifted` = SCANLET_ROUND + k holds.
SCANLET_INLINE float scanlet_exp2_of(const float shifted) {
  const uint32_t number = scanlet_bits(shifted);
  return scanlet_from_bits(scanlet_exp2_table[number & 63u] + (number << 17));
}

// 2^x for x <= 127; below -126 the result stays 2^-126. Relative error 1.7e-7.
// A NaN gives an arbitrary number: callers multiply the result with what held the NaN.
SCANLET_INLINE float scanlet_exp2(const float x) {
  const float clamped = SCANLET_MAX(x, -126.0f);
  const float shifted = clamped + SCANLET_ROUND;
  const float f = clamped - (shifted - SCANLET_ROUND);  // exact, in [-1 / 128, 1 / 128]
  const float p = SCANLET_MADD(0.693149745f, 0.240227044f, f);
  const float power = scanlet_exp2_of(shifted);
  return SCANLET_MADD(power, power * f, p);
}

// e^x for -87 <= x <= 87, clamped to that range. The argument is reduced in two parts (Cody and
// Waite 1980), so the relative error stays at 1.8e-7 however large x is.
SCANLET_INLINE float scanlet_exp(const float x) {
  const float low = SCANLET_MAX(x, -87.0f);
  const float clamped = SCANLET_MIN(low, 87.0f);
  const float shifted = SCANLET_MADD(SCANLET_ROUND, clamped, 1.44269504f);
  const float k = shifted - SCANLET_ROUND;
  float r = SCANLET_MADD(clamped, k, -0.693359375f);  // exact: ten bits times fourteen
  r = SCANLET_MADD(r, k, 2.12194440e-4f);             // 0.693359375 - ln 2
  const float p = SCANLET_MADD(1.0000037f, 0.500001132f, r);
  const float power = scanlet_exp2_of(shifted);
  return SCANLET_MADD(power, power * r, p);
}

#endif  // SCANLET_KERNELS_EXP2_H_
