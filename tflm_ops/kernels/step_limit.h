// SPDX-License-Identifier: Apache-2.0
// Step sizes kept within limits.
#ifndef SCANLET_KERNELS_STEP_LIMIT_H_
#define SCANLET_KERNELS_STEP_LIMIT_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"

// dt (heads, T), the first `steps` columns: not below `least` and not above `most`.
SCANLET_INLINE void scanlet_step_limit(float* const dt, const int32_t heads, const int32_t T,
                                       const int32_t steps, const float least, const float most) {
  for (int32_t i = 0; i < heads; ++i) {
    float* const row = dt + (ptrdiff_t)i * T;
    for (int32_t t = 0; t < steps; ++t) {
      const float low = SCANLET_MAX(row[t], least);
      row[t] = SCANLET_MIN(low, most);
    }
  }
}

#endif  // SCANLET_KERNELS_STEP_LIMIT_H_
