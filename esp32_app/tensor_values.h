// SPDX-License-Identifier: Apache-2.0
// Values of a tensor as floats, whatever it stores: value = scale * (stored - zero_point).
#ifndef TENSOR_VALUES_H_
#define TENSOR_VALUES_H_

#include <cstddef>

#include "tensorflow/lite/c/common.h"

// How many values there are; 0 for a type other than float32, int8 and int16.
size_t ValueCount(const TfLiteTensor* tensor);

float GetValue(const TfLiteTensor* tensor, size_t index);

// Stores the nearest value there is. A NaN becomes the smallest one of a quantized tensor.
void SetValue(TfLiteTensor* tensor, size_t index, float value);

// Index of the largest of the last `classes` values, which are those of an output's last step.
size_t WinningClass(const TfLiteTensor* output, size_t classes);

#endif  // TENSOR_VALUES_H_
