// SPDX-License-Identifier: Apache-2.0
// Access to scratch memory, and vectors in it.
#ifndef SCANLET_KERNELS_BUFFERS_H_
#define SCANLET_KERNELS_BUFFERS_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"

// The floats at a byte offset (a multiple of 16) of a 16-byte aligned block.
SCANLET_INLINE float* scanlet_floats(uint8_t* const block, const size_t offset) {
  return (float*)(void*)(block + offset);
}

SCANLET_INLINE void scanlet_clear(float* const x, const int32_t count) {
  for (int32_t i = 0; i < count; ++i) x[i] = 0.0f;
}

SCANLET_INLINE void scanlet_add(float* const y, const float* const x, const int32_t count) {
  for (int32_t i = 0; i < count; ++i) y[i] += x[i];
}

#endif  // SCANLET_KERNELS_BUFFERS_H_
