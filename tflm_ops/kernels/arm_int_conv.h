// SPDX-License-Identifier: Apache-2.0
// Cortex-M with the DSP extension: a convolution over four steps; of four taps, two a product.
#ifndef SCANLET_KERNELS_ARM_INT_CONV_H_
#define SCANLET_KERNELS_ARM_INT_CONV_H_

#include <stdint.h>

#include "arm_int.h"
#include "madd.h"

#if SCANLET_ARM_DSP

#include <string.h>

// sum[t] = bias + the four weights, the last for x[t], times history and x; history is updated.
SCANLET_INLINE void scanlet_arm_int_conv4(const int16_t* const weight, int16_t* const history,
                                          const int32_t h_j, const int16_t* const x,
                                          const int32_t x_t, const int32_t bias, int32_t sum[4]) {
  int16x2_t taps[2];
  memcpy(taps, weight, sizeof(taps));
  const int16x2_t older = taps[0];
  const int16x2_t newer = taps[1];
  const int32_t h0 = history[0];
  const int32_t h1 = history[h_j];
  const int32_t h2 = history[2 * h_j];
  const int32_t x0 = x[0];
  const int32_t x1 = x[x_t];
  const int32_t x2 = x[2 * x_t];
  const int32_t x3 = x[3 * x_t];
  const int16x2_t h2x0 = scanlet_arm_pair(h2, x0);
  const int16x2_t x0x1 = scanlet_arm_pair(x0, x1);
  sum[0] = __smlad(newer, h2x0, __smlad(older, scanlet_arm_pair(h0, h1), bias));
  sum[1] = __smlad(newer, x0x1, __smlad(older, scanlet_arm_pair(h1, h2), bias));
  sum[2] = __smlad(newer, scanlet_arm_pair(x1, x2), __smlad(older, h2x0, bias));
  sum[3] = __smlad(newer, scanlet_arm_pair(x2, x3), __smlad(older, x0x1, bias));
  history[0] = (int16_t)x1;
  history[h_j] = (int16_t)x2;
  history[2 * h_j] = (int16_t)x3;
}

// Taps of which all inputs of four steps are registers.
#define SCANLET_ARM_INT_TAPS 8

// The same for K weights, SCANLET_ARM_INT_TAPS at most. Literal: K.
SCANLET_INLINE void scanlet_arm_int_conv(const int16_t* const weight, int16_t* const history,
                                         const int32_t h_j, const int16_t* const x,
                                         const int32_t x_t, const int32_t bias, const int32_t K,
                                         int32_t sum[4]) {
  if (K == 4) {
    scanlet_arm_int_conv4(weight, history, h_j, x, x_t, bias, sum);
    return;
  }
  int32_t inputs[SCANLET_ARM_INT_TAPS + 3];
  SCANLET_UNROLL(8)
  for (int32_t j = 0; j < K - 1; ++j) inputs[j] = history[j * h_j];
  SCANLET_UNROLL(4)
  for (int32_t t = 0; t < 4; ++t) {
    inputs[K - 1 + t] = x[t * x_t];
    sum[t] = bias;
  }
  SCANLET_UNROLL(8)
  for (int32_t j = 0; j < K; ++j) {
    const int32_t w = weight[j];
    SCANLET_UNROLL(4)
    for (int32_t t = 0; t < 4; ++t) sum[t] += w * inputs[j + t];
  }
  SCANLET_UNROLL(8)
  for (int32_t j = 0; j < K - 1; ++j) history[j * h_j] = (int16_t)inputs[4 + j];
}

#endif  // SCANLET_ARM_DSP

#endif  // SCANLET_KERNELS_ARM_INT_CONV_H_
