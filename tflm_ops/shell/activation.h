// SPDX-License-Identifier: Apache-2.0
// The activations that TFLite fuses into products.
#ifndef SCANLET_SHELL_ACTIVATION_H_
#define SCANLET_SHELL_ACTIVATION_H_

typedef enum { SCANLET_NONE = 0, SCANLET_RELU = 1, SCANLET_RELU6 = 2 } scanlet_activation;

static inline float scanlet_activate(const float x, const scanlet_activation activation) {
  if (activation == SCANLET_NONE) return x;
  const float low = x < 0.0f ? 0.0f : x;  // a NaN stays one
  return activation == SCANLET_RELU6 && low > 6.0f ? 6.0f : low;
}

#endif  // SCANLET_SHELL_ACTIVATION_H_
