// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_TENSORFLOW_LITE_MICRO_MICRO_MUTABLE_OP_RESOLVER_H_
#define STUBS_TENSORFLOW_LITE_MICRO_MICRO_MUTABLE_OP_RESOLVER_H_

#include "tensorflow/lite/c/common.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"

namespace tflite {

class MicroOpResolver {
 public:
  unsigned count() const { return count_; }

 protected:
  unsigned count_ = 0;
};

// Refuses one operator too many, as the real one does.
template <unsigned kCapacity>
class MicroMutableOpResolver : public MicroOpResolver {
 public:
  static constexpr unsigned capacity() { return kCapacity; }
  TfLiteStatus AddCustom(const char*, const TFLMRegistration*) { return Add(); }
  TfLiteStatus AddConv2D() { return Add(); }
  TfLiteStatus AddFullyConnected() { return Add(); }
  TfLiteStatus AddMean() { return Add(); }
  TfLiteStatus AddRelu() { return Add(); }
  TfLiteStatus AddReshape() { return Add(); }

 private:
  TfLiteStatus Add() {
    if (count_ >= kCapacity) return kTfLiteError;
    ++count_;
    return kTfLiteOk;
  }
};

}  // namespace tflite

#endif  // STUBS_TENSORFLOW_LITE_MICRO_MICRO_MUTABLE_OP_RESOLVER_H_
