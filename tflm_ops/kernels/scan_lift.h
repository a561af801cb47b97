// SPDX-License-Identifier: Apache-2.0
// What keeps subnormal numbers out of the recurrent state.
#ifndef SCANLET_KERNELS_SCAN_LIFT_H_
#define SCANLET_KERNELS_SCAN_LIFT_H_

#include <stdint.h>

#include "madd.h"

// 2^-51 is added to each element of B and to each delta * u. Neither changes a number above 2^-27,
// but their product, the input of a state, is no longer zero, so that a state fades to about
// 2^-102 and not through the subnormal numbers: no work at all for each state. (Only an input that
// cancels a lift to the last bit, B = -2^-51 exactly, could still let one through.)
#define SCANLET_LIFT 4.44089210e-16f

// Lift the first `steps` of T columns of the rows of B in bc (N, 2, T); B and C of the columns that
// are not there become zero, since what lies in memory may be no number. T is a literal.
SCANLET_INLINE void scanlet_scan_lift(float* const bc, const int32_t N, const int32_t T,
                                      const int32_t steps) {
  for (int32_t n = 0; n < N; ++n) {
    for (int32_t t = 0; t < steps; ++t) bc[2 * n * T + t] += SCANLET_LIFT;
    for (int32_t t = steps; t < T; ++t) {
      bc[2 * n * T + t] = 0.0f;
      bc[(2 * n + 1) * T + t] = 0.0f;
    }
  }
}

#endif  // SCANLET_KERNELS_SCAN_LIFT_H_
