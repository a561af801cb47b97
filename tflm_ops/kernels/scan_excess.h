// SPDX-License-Identifier: Apache-2.0
// Whether a step is so long that powers of two need a clamp.
#ifndef SCANLET_KERNELS_SCAN_EXCESS_H_
#define SCANLET_KERNELS_SCAN_EXCESS_H_

#include <stdint.h>

#include "bits.h"
#include "madd.h"

// The top bit is set if any of the first `steps` of delta, none below zero, is above `limit`; for
// NaN either. Of numbers that are not negative, the larger one has the larger bits.
SCANLET_INLINE uint32_t scanlet_scan_excess(const float* const delta, const float limit,
                                            const int32_t steps) {
  uint32_t excess = 0;
  const uint32_t most = scanlet_bits(limit);
  for (int32_t t = 0; t < steps; ++t) excess |= most - scanlet_bits(delta[t]);
  return excess;
}

#endif  // SCANLET_KERNELS_SCAN_EXCESS_H_
