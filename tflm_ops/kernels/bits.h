// SPDX-License-Identifier: Apache-2.0
// Reinterpreting a float as its bits and back.
#ifndef SCANLET_KERNELS_BITS_H_
#define SCANLET_KERNELS_BITS_H_

#include <stdint.h>

#include "madd.h"

SCANLET_INLINE uint32_t scanlet_bits(const float value) {
  const union {
    float f;
    uint32_t u;
  } pun = {.f = value};
  return pun.u;
}

SCANLET_INLINE float scanlet_from_bits(const uint32_t bits) {
  const union {
    uint32_t u;
    float f;
  } pun = {.u = bits};
  return pun.f;
}

#endif  // SCANLET_KERNELS_BITS_H_
