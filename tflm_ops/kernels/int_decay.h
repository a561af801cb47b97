// SPDX-License-Identifier: Apache-2.0
// exp(-x) in fixed point.
#ifndef SCANLET_KERNELS_INT_DECAY_H_
#define SCANLET_KERNELS_INT_DECAY_H_

#include <stdint.h>

#include "int_tables.h"
#include "madd.h"

// exp(-exponent / 2^(shift + 7)) in Q0.15; 0 <= exponent < 2^31, `down` = shift - 8, 0 to 15. The
// tangent at one of 128 entries a unit; beyond 16 units the last one.
SCANLET_INLINE int32_t scanlet_int_decay(const int32_t exponent, const int32_t down) {
  const int32_t far = exponent >> down;
  const int32_t fine = far > 0x7ffff ? 0x7ffff : far;
  const int32_t entry = scanlet_decay_table[fine >> 8];
  return entry - ((entry * (fine & 255)) >> 15);
}

#endif  // SCANLET_KERNELS_INT_DECAY_H_
