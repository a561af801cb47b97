// SPDX-License-Identifier: Apache-2.0
#include "tensor_values.h"

#include <cmath>
#include <cstdint>
#include <limits>

#include "comparison.h"

namespace {

template <typename T>
float Dequantize(const TfLiteTensor* tensor, size_t index) {
  const T stored = static_cast<const T*>(tensor->data.data)[index];
  return tensor->params.scale * static_cast<float>(stored - tensor->params.zero_point);
}

template <typename T>
T Quantize(const TfLiteTensor* tensor, float value) {
  constexpr float kLowest = std::numeric_limits<T>::min();
  constexpr float kHighest = std::numeric_limits<T>::max();
  const float zero_point = static_cast<float>(tensor->params.zero_point);
  const float stored = std::round(value / tensor->params.scale) + zero_point;
  if (!(stored > kLowest)) return std::numeric_limits<T>::min();
  return stored < kHighest ? static_cast<T>(stored) : std::numeric_limits<T>::max();
}

template <typename T>
size_t LargestOfLast(const TfLiteTensor* output, size_t classes) {
  const size_t count = output->bytes / sizeof(T);
  return ArgMax(static_cast<const T*>(output->data.data) + (count - classes), classes);
}

}  // namespace

size_t ValueCount(const TfLiteTensor* tensor) {
  switch (tensor->type) {
    case kTfLiteFloat32:
      return tensor->bytes / sizeof(float);
    case kTfLiteInt8:
      return tensor->bytes;
    case kTfLiteInt16:
      return tensor->bytes / sizeof(int16_t);
    default:
      return 0;
  }
}

float GetValue(const TfLiteTensor* tensor, size_t index) {
  switch (tensor->type) {
    case kTfLiteFloat32:
      return static_cast<const float*>(tensor->data.data)[index];
    case kTfLiteInt8:
      return Dequantize<int8_t>(tensor, index);
    case kTfLiteInt16:
      return Dequantize<int16_t>(tensor, index);
    default:
      return 0.0f;
  }
}

void SetValue(TfLiteTensor* tensor, size_t index, float value) {
  switch (tensor->type) {
    case kTfLiteFloat32:
      static_cast<float*>(tensor->data.data)[index] = value;
      break;
    case kTfLiteInt8:
      static_cast<int8_t*>(tensor->data.data)[index] = Quantize<int8_t>(tensor, value);
      break;
    case kTfLiteInt16:
      static_cast<int16_t*>(tensor->data.data)[index] = Quantize<int16_t>(tensor, value);
      break;
    default:
      break;
  }
}

size_t WinningClass(const TfLiteTensor* output, size_t classes) {
  switch (output->type) {
    case kTfLiteFloat32:
      return LargestOfLast<float>(output, classes);
    case kTfLiteInt8:
      return LargestOfLast<int8_t>(output, classes);
    case kTfLiteInt16:
      return LargestOfLast<int16_t>(output, classes);
    default:
      return 0;
  }
}
