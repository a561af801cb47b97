// SPDX-License-Identifier: Apache-2.0
// expf and logf, at most 2 units in the last place off, for what the benchmark compares with.
//
// Generated code calls no libm; the naive transcription does. Debian has none for RV32, and the one
// for Xtensa is built for a core without a float unit: one call for each operation.

#include <stdint.h>

float expf(float x);
float logf(float x);

static float from_bits(uint32_t bits) {
  const union {
    uint32_t bits;
    float value;
  } number = {bits};
  return number.value;
}

static uint32_t to_bits(float x) {
  const union {
    float value;
    uint32_t bits;
  } number = {x};
  return number.bits;
}

static float power_of_two(int32_t exponent) { return from_bits((uint32_t)(exponent + 127) << 23); }

// e^x = 2^k e^r with |r| <= ln(2) / 2, and Taylor's polynomial of degree 7 for e^r.
float expf(float x) {
  if (x != x) return x;
  if (x > 89.0f) return from_bits(0x7f800000u);
  if (x < -104.0f) return 0.0f;
  // Adding 1.5 * 2^23 rounds to a whole number.
  const float whole = (x * 1.44269504f + 12582912.0f) - 12582912.0f;
  const int32_t k = (int32_t)whole;
  // ln(2) in two parts; the product with the first, of fifteen bits, is exact.
  const float r = (x - whole * 0.693145752f) - whole * 1.42860677e-6f;
  float p = 1.98412698e-4f;
  p = p * r + 1.38888889e-3f;
  p = p * r + 8.33333333e-3f;
  p = p * r + 4.16666667e-2f;
  p = p * r + 1.66666667e-1f;
  p = p * r + 0.5f;
  p = (p * r) * r + r + 1.0f;
  // In two steps, of which only the last may leave the normal numbers.
  const int32_t half = k / 2;
  return p * power_of_two(half) * power_of_two(k - half);
}

// ln(2^k (1 + f)) = k ln(2) + 2 atanh(s) with s = f / (2 + f), sqrt(1/2) <= 1 + f < sqrt(2), and 2
// s written as f - s f, whose first term is exact.
float logf(float x) {
  uint32_t bits = to_bits(x);
  if ((bits << 1) == 0u) return from_bits(0xff800000u);        // zeros
  if (bits > 0x7f800000u) return x != x ? x : (x - x) / 0.0f;  // NaN, or negative
  if (bits == 0x7f800000u) return x;
  int32_t k = 0;
  if (bits < 0x00800000u) {
    bits = to_bits(x * 33554432.0f);  // 2^25
    k = -25;
  }
  // The exponent changes where the mantissa is that of sqrt(1/2).
  bits += 0x3f800000u - 0x3f3504f3u;
  k += (int32_t)(bits >> 23) - 127;
  const float f = from_bits((bits & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
  const float s = f / (2.0f + f);
  const float z = s * s;
  float r = 2.22222222e-1f;
  r = r * z + 2.85714286e-1f;
  r = r * z + 4.0e-1f;
  r = r * z + 6.66666667e-1f;
  r = r * z;
  return (float)k * 0.693145752f + (f - (s * (f - r) - (float)k * 1.42860677e-6f));
}
