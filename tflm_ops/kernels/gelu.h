// SPDX-License-Identifier: Apache-2.0
// GELU with the error function (Hendrycks and Gimpel 2016), x * Phi(x).
#ifndef SCANLET_KERNELS_GELU_H_
#define SCANLET_KERNELS_GELU_H_

#include <stdint.h>

#include "exp2.h"
#include "madd.h"
#include "reciprocal.h"

// exp(z^2) erfc(z) for z >= 0 as a polynomial in 1 / (1 + 0.4 z), relative error 5e-7.
SCANLET_INLINE float scanlet_erfcx(const float z) {
  const float t = scanlet_reciprocal(SCANLET_MADD(1.0f, z, 0.4f));
  float p = -3.0800413e-02f;
  p = SCANLET_MADD(2.0459874e-01f, p, t);
  p = SCANLET_MADD(-5.143913e-01f, p, t);
  p = SCANLET_MADD(5.6835437e-01f, p, t);
  p = SCANLET_MADD(-3.0189934e-01f, p, t);
  p = SCANLET_MADD(2.8155917e-01f, p, t);
  p = SCANLET_MADD(1.263656e-01f, p, t);
  p = SCANLET_MADD(2.1563713e-01f, p, t);
  p = SCANLET_MADD(2.2486453e-01f, p, t);
  p = SCANLET_MADD(2.2571146e-01f, p, t);
  return p * t;
}

// Absolute error 1.2e-7 * max(1, |x|). The negative tail is a product, no difference, so it keeps a
// relative error of 2e-5 down to x = -13. NaN in, NaN out.
SCANLET_INLINE float scanlet_gelu(const float x) {
  const float magnitude = x < 0.0f ? -x : x;
  const float limited = SCANLET_MIN(magnitude, 13.0f);  // beyond, the tail is below 1e-37
  const float z = limited * 0.70710678f;
  const float tail = 0.5f * limited * (scanlet_erfcx(z) * scanlet_exp(-z * z));
  return (x < 0.0f ? 0.0f : x) - tail;
}

SCANLET_INLINE void scanlet_gelu_array(const float* const x, float* const y, const int32_t count) {
  for (int32_t i = 0; i < count; ++i) y[i] = scanlet_gelu(x[i]);
}

#endif  // SCANLET_KERNELS_GELU_H_
