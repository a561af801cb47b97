// SPDX-License-Identifier: Apache-2.0
// Compares an output with its golden vector. Pure C++, tested on the host.
#ifndef COMPARISON_H_
#define COMPARISON_H_

#include <cmath>
#include <cstddef>
#include <cstdint>

struct Comparison {
  float max_error;  // largest absolute difference; NaN if a value is NaN
  bool passed;      // every difference is at most the tolerance; never true for a NaN
};

// `T` is float, int8_t, int16_t or int32_t. A NaN or an infinite value fails.
template <typename T>
Comparison Compare(const T* got, const T* expected, size_t count, float tolerance) {
  Comparison result = {0.0f, true};
  for (size_t i = 0; i < count; ++i) {
    const float difference = static_cast<float>(got[i]) - static_cast<float>(expected[i]);
    const float error = difference < 0.0f ? -difference : difference;
    // Written so that a NaN fails: it compares false with everything.
    if (!(error <= tolerance)) result.passed = false;
    if (!(error <= result.max_error) && !std::isnan(result.max_error)) {
      result.max_error = error;
    }
  }
  return result;
}

// Index of the largest of `count` (at least one) values, the first of equals.
template <typename T>
size_t ArgMax(const T* values, size_t count) {
  size_t best = 0;
  for (size_t i = 1; i < count; ++i) {
    if (values[i] > values[best]) best = i;
  }
  return best;
}

#endif  // COMPARISON_H_
