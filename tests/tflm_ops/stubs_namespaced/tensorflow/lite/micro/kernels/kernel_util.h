// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_KERNEL_UTIL_H_
#define STUBS_KERNEL_UTIL_H_

#include "tensorflow/lite/micro/micro_context.h"

namespace tflite {
namespace micro {
#include "tflm_functions.h"
}  // namespace micro
}  // namespace tflite

#endif  // STUBS_KERNEL_UTIL_H_
