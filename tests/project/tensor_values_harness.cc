// SPDX-License-Identifier: Apache-2.0
// Stores floats from standard input in a tensor: "TYPE scale zero_point count", then the floats in
// binary. Writes the tensor's bytes, then its values as floats.
#include <cstdio>
#include <cstring>
#include <vector>

#include "tensor_values.h"

int main() {
  char type[16];
  TfLiteTensor tensor = {};
  size_t count = 0;
  if (std::scanf("%15s %f %d %zu", type, &tensor.params.scale, &tensor.params.zero_point, &count) !=
      4) {
    return 2;
  }
  std::getchar();
  const bool is_float = std::strcmp(type, "float32") == 0;
  const bool is_int8 = std::strcmp(type, "int8") == 0;
  tensor.type = is_float ? kTfLiteFloat32 : is_int8 ? kTfLiteInt8 : kTfLiteInt16;
  tensor.bytes = count * (is_float ? sizeof(float) : is_int8 ? sizeof(int8_t) : sizeof(int16_t));
  std::vector<float> memory(count);  // enough and aligned for each type
  tensor.data.data = memory.data();
  std::vector<float> values(count);
  if (std::fread(values.data(), sizeof(float), count, stdin) != count) return 2;
  if (ValueCount(&tensor) != count) return 3;
  for (size_t i = 0; i < count; ++i) SetValue(&tensor, i, values[i]);
  std::fwrite(tensor.data.data, 1, tensor.bytes, stdout);
  for (size_t i = 0; i < count; ++i) values[i] = GetValue(&tensor, i);
  std::fwrite(values.data(), sizeof(float), count, stdout);
  return 0;
}
