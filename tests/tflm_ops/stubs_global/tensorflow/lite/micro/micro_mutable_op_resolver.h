// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_MICRO_MUTABLE_OP_RESOLVER_H_
#define STUBS_MICRO_MUTABLE_OP_RESOLVER_H_

#include "tensorflow/lite/micro/micro_context.h"

namespace tflite {
template <unsigned int kCount>
class MicroMutableOpResolver {
 public:
  TfLiteStatus AddCustom(const char* name, const TFLMRegistration* registration);
};
}  // namespace tflite

#endif  // STUBS_MICRO_MUTABLE_OP_RESOLVER_H_
