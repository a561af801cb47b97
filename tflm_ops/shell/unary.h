// SPDX-License-Identifier: Apache-2.0
// Pointwise functions of one tensor, without libm.
#ifndef SCANLET_SHELL_UNARY_H_
#define SCANLET_SHELL_UNARY_H_

#include <stdint.h>

#include "../kernels/bits.h"
#include "../kernels/exp2.h"
#include "../kernels/gelu.h"
#include "../kernels/madd.h"
#include "../kernels/rsqrt.h"
#include "../kernels/softplus.h"

// The smallest normal number; 2^24 makes normal numbers of those below, 2^-12 takes its root back.
#define SCANLET_SMALLEST 1.17549435e-38f
#define SCANLET_RAISE 16777216.0f
#define SCANLET_LOWER 2.44140625e-4f

typedef enum {
  SCANLET_UNARY_RELU,
  SCANLET_UNARY_RELU6,
  SCANLET_UNARY_TANH,
  SCANLET_UNARY_SIGMOID,
  SCANLET_UNARY_EXP,
  SCANLET_UNARY_LOG,
  SCANLET_UNARY_NEG,
  SCANLET_UNARY_ABS,
  SCANLET_UNARY_SQRT,
  SCANLET_UNARY_RSQRT,
  SCANLET_UNARY_SQUARE,
  SCANLET_UNARY_GELU
} scanlet_unary_kind;

// The clamps of scanlet_exp may turn a NaN into a number, so those below look for one themselves.

// e^x for all x: zero below -87, infinite where it is beyond float.
SCANLET_INLINE float scanlet_exp_any(const float x) {
  if (!(x >= -87.0f)) return x < 0.0f ? 0.0f : x;
  if (x <= 87.0f) return scanlet_exp(x);
  const float root = scanlet_exp(0.5f * x);
  return root * root;
}

SCANLET_INLINE float scanlet_sigmoid(const float x) {
  const float e = scanlet_exp(x < 0.0f ? x : -x);  // in (0, 1]
  const float small = e / (1.0f + e);
  const float y = x < 0.0f ? small : 1.0f / (1.0f + e);
  return x != x ? x : y;
}

// Relative error 3e-7. Near zero the quotient would cancel, so a polynomial takes over.
SCANLET_INLINE float scanlet_tanh(const float x) {
  const float magnitude = x < 0.0f ? -x : x;
  if (magnitude < 0.55f) {
    const float q = x * x;
    float p = -6.282467e-03f;
    p = SCANLET_MADD(2.1077754e-02f, p, q);
    p = SCANLET_MADD(-5.385386e-02f, p, q);
    p = SCANLET_MADD(1.3332602e-01f, p, q);
    p = SCANLET_MADD(-3.333332e-01f, p, q);
    return SCANLET_MADD(x, x * q, p);
  }
  const float y = 1.0f - 2.0f / (1.0f + scanlet_exp(2.0f * magnitude));
  if (x != x) return x;
  return x < 0.0f ? -y : y;
}

// Relative error 2e-7; -infinity at zero, where a core may count subnormal x, and NaN below.
SCANLET_INLINE float scanlet_log(const float value) {
  if (!(value > 0.0f)) {
    // Bits of which the compiler knows nothing: LLVM for Xtensa would put both floats into a table
    // and fail to take one out.
    uint32_t special = value == 0.0f ? 0xff800000u : 0x7fc00000u;
    __asm__("" : "+r"(special));
    return scanlet_from_bits(special);
  }
  const int subnormal = value < SCANLET_SMALLEST;
  const float x = subnormal ? value * SCANLET_RAISE : value;
  const uint32_t bits = scanlet_bits(x);
  if (bits >= 0x7f800000u) return x;
  // Mantissa in [sqrt(1/2), sqrt(2)), so that its logarithm and the exponent's do not cancel.
  const int32_t exponent = (int32_t)(bits - 0x3f3504f3u) >> 23;
  const float m = scanlet_from_bits(bits - ((uint32_t)exponent << 23));
  const float s = (m - 1.0f) / (m + 1.0f);
  const float q = s * s;
  float p = 1.21534236e-01f;
  p = SCANLET_MADD(1.07131064e-01f, p, q);
  p = SCANLET_MADD(1.4308503e-01f, p, q);
  p = SCANLET_MADD(1.9999437e-01f, p, q);
  p = SCANLET_MADD(3.3333337e-01f, p, q);
  const float twice = s + s;
  const float fraction = SCANLET_MADD(twice, twice * q, p);
  const float e = (float)(subnormal ? exponent - 24 : exponent);
  return SCANLET_MADD(SCANLET_MADD(fraction, e, -2.12194440e-4f), e, 0.693359375f);
}

SCANLET_INLINE float scanlet_sqrt(const float value) {
  if (value == 0.0f || scanlet_bits(value) == 0x7f800000u) return value;
  if (!(value > 0.0f)) return __builtin_nanf("");
  const int subnormal = value < SCANLET_SMALLEST;
  const float x = subnormal ? value * SCANLET_RAISE : value;
  const float y = scanlet_rsqrt(x);
  const float root = x * y;
  const float residual = SCANLET_MADD(x, -root, root);
  const float result = SCANLET_MADD(root, 0.5f * y, residual);
  return subnormal ? result * SCANLET_LOWER : result;
}

// 1 / sqrt(x): infinite at a zero, with its sign, and NaN below.
SCANLET_INLINE float scanlet_rsqrt_any(const float x) {
  if (!(x > 0.0f)) return x == 0.0f ? 1.0f / x : __builtin_nanf("");
  if (scanlet_bits(x) == 0x7f800000u) return 0.0f;
  return x < SCANLET_SMALLEST ? scanlet_rsqrt(x * SCANLET_RAISE) * 4096.0f : scanlet_rsqrt(x);
}

SCANLET_INLINE float scanlet_unary_one(const scanlet_unary_kind kind, const float x) {
  switch (kind) {
    case SCANLET_UNARY_RELU:
      return x < 0.0f ? 0.0f : x;
    case SCANLET_UNARY_RELU6:
      if (x < 0.0f) return 0.0f;
      return x > 6.0f ? 6.0f : x;
    case SCANLET_UNARY_TANH:
      return scanlet_tanh(x);
    case SCANLET_UNARY_SIGMOID:
      return scanlet_sigmoid(x);
    case SCANLET_UNARY_EXP:
      return scanlet_exp_any(x);
    case SCANLET_UNARY_LOG:
      return scanlet_log(x);
    case SCANLET_UNARY_NEG:
      return -x;
    case SCANLET_UNARY_ABS:
      return scanlet_from_bits(scanlet_bits(x) & 0x7fffffffu);
    case SCANLET_UNARY_SQRT:
      return scanlet_sqrt(x);
    case SCANLET_UNARY_RSQRT:
      return scanlet_rsqrt_any(x);
    case SCANLET_UNARY_SQUARE:
      return x * x;
    case SCANLET_UNARY_GELU:
    default:
      return scanlet_gelu(x);
  }
}

// `kind` is a literal at every call, so the switch is decided at compile time.
SCANLET_INLINE void scanlet_unary(const scanlet_unary_kind kind, const float* const x,
                                  float* const y, const int32_t count) {
  for (int32_t i = 0; i < count; ++i) y[i] = scanlet_unary_one(kind, x[i]);
}

#endif  // SCANLET_SHELL_UNARY_H_
