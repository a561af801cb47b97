// SPDX-License-Identifier: Apache-2.0
// Compares two arrays from standard input: "TYPE count tolerance", then both arrays in binary.
#include <cstdio>
#include <cstring>
#include <vector>

#include "comparison.h"

template <typename T>
int Run(size_t count, float tolerance) {
  std::vector<T> got(count);
  std::vector<T> expected(count);
  if (std::fread(got.data(), sizeof(T), count, stdin) != count) return 2;
  if (std::fread(expected.data(), sizeof(T), count, stdin) != count) return 2;
  const Comparison result = Compare(got.data(), expected.data(), count, tolerance);
  std::printf("%d %.9g %zu\n", result.passed ? 1 : 0, static_cast<double>(result.max_error),
              ArgMax(got.data(), count));
  return 0;
}

int main() {
  char type[16];
  size_t count = 0;
  float tolerance = 0.0f;
  if (std::scanf("%15s %zu %f", type, &count, &tolerance) != 3) return 2;
  std::getchar();
  if (std::strcmp(type, "float32") == 0) return Run<float>(count, tolerance);
  if (std::strcmp(type, "int8") == 0) return Run<int8_t>(count, tolerance);
  if (std::strcmp(type, "int16") == 0) return Run<int16_t>(count, tolerance);
  return Run<int32_t>(count, tolerance);
}
