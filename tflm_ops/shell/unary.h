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

SCANLET_INLINE float scanlet_sigmoid(const float x) {
  const float e = scanlet_exp(x < 0.0f ? x : -x);  // in (0, 1]
  const float small = e / (1.0f + e);
  const float y = x < 0.0f ? small : 1.0f / (1.0f + e);
  return y + 0.0f * x;  // a NaN stays one
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
  return (x < 0.0f ? -y : y) + 0.0f * x;
}

// Relative error 2e-7 for normal x; -infinity at zero, NaN below.
SCANLET_INLINE float scanlet_log(const float x) {
  if (!(x > 0.0f)) return x == 0.0f ? -__builtin_inff() : __builtin_nanf("");
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
  const float e = (float)exponent;
  return SCANLET_MADD(SCANLET_MADD(fraction, e, -2.12194440e-4f), e, 0.693359375f);
}

SCANLET_INLINE float scanlet_sqrt(const float x) {
  if (x == 0.0f) return x;
  if (!(x > 0.0f)) return __builtin_nanf("");
  const float y = scanlet_rsqrt(x);
  const float root = x * y;
  const float residual = SCANLET_MADD(x, -root, root);
  return SCANLET_MADD(root, 0.5f * y, residual);
}

SCANLET_INLINE float scanlet_unary_one(const scanlet_unary_kind kind, const float x) {
  switch (kind) {
    case SCANLET_UNARY_RELU:
      return x < 0.0f ? 0.0f : x;
    case SCANLET_UNARY_RELU6:
      return x < 0.0f ? 0.0f : (x > 6.0f ? 6.0f : x);
    case SCANLET_UNARY_TANH:
      return scanlet_tanh(x);
    case SCANLET_UNARY_SIGMOID:
      return scanlet_sigmoid(x);
    case SCANLET_UNARY_EXP:
      return scanlet_exp(x);
    case SCANLET_UNARY_LOG:
      return scanlet_log(x);
    case SCANLET_UNARY_NEG:
      return -x;
    case SCANLET_UNARY_ABS:
      return x < 0.0f ? -x : x;
    case SCANLET_UNARY_SQRT:
      return scanlet_sqrt(x);
    case SCANLET_UNARY_RSQRT:
      return scanlet_rsqrt(x);
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
