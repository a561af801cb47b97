// SPDX-License-Identifier: Apache-2.0
// The functions of TFLM that the operator calls, for operator_fuzzer.cc alone: as TFLM does where a
// node is well-formed, and the end of the process where the operator asks for what is none.
#ifndef FUZZING_OPERATOR_TFLM_H_
#define FUZZING_OPERATOR_TFLM_H_

#include <stdarg.h>

#include "operator_context.h"

namespace tflite {

void* MicroContextAllocatePersistentBuffer(TfLiteContext* context, size_t bytes) {
  Context* const own = Own(context);
  const int number = static_cast<int>(own->persistent.size());
  if (number == own->made->failing_allocation) {
    own->failed_allocation = true;
    return nullptr;
  }
  own->persistent.push_back(Allocate(bytes, kUnwritten));
  return own->persistent.back().get();
}

TfLiteStatus MicroContextRequestScratchBufferInArena(TfLiteContext* context, size_t bytes,
                                                     int* index) {
  Context* const own = Own(context);
  if (own->made->failing_scratch) {
    own->failed_allocation = true;
    return kTfLiteError;
  }
  own->scratch = Allocate(bytes, kUnwritten);
  own->scratch_bytes = bytes;
  *index = 5;
  return kTfLiteOk;
}

void* MicroContextGetScratchBuffer(TfLiteContext* context, int index) {
  if (index != 5 || Own(context)->scratch == nullptr) Fail("a scratch buffer never requested", "");
  return Own(context)->scratch.get();
}

void MicroContextReportOpError(TfLiteContext* context, const char* format, ...) {
  static const char kStart[] = "SELECTIVE_SSM: ";
  char message[512];
  va_list arguments;
  va_start(arguments, format);
  const int written = vsnprintf(message, sizeof(message), format, arguments);
  va_end(arguments);
  if (strncmp(message, kStart, strlen(kStart)) != 0 || written >= 512)
    Fail("an odd message", format);
  Own(context)->reported = true;
  ++Counts()[std::string("message: ") + (format + strlen(kStart))];
}

namespace micro {

const TfLiteEvalTensor* GetEval(const TfLiteContext* context, const TfLiteIntArray* list,
                                int index) {
  if (index < 0 || index >= list->size) Fail("a tensor beyond the node's", "");
  const int which = list->data[index];
  if (which < 0) return nullptr;
  const Context* const own = Own(context);
  const size_t at = static_cast<size_t>(which);
  return own->made->tensors[at].exists ? &own->tensors[at].eval : nullptr;
}

const TfLiteEvalTensor* GetEvalInput(const TfLiteContext* context, const TfLiteNode* node,
                                     int index) {
  return GetEval(context, node->inputs, index);
}

// TFLM follows an output's index unchecked.
TfLiteEvalTensor* GetEvalOutput(const TfLiteContext* context, const TfLiteNode* node, int index) {
  if (index == 0 && node->outputs->size > 0 && node->outputs->data[0] < 0) {
    Fail("asked for an output that is none", "");
  }
  return const_cast<TfLiteEvalTensor*>(GetEval(context, node->outputs, index));
}

TFLMRegistration RegisterOp(void* (*init)(TfLiteContext*, const char*, size_t),
                            TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*),
                            TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*),
                            void (*free)(TfLiteContext*, void*),
                            void (*reset)(TfLiteContext*, void*)) {
  return TFLMRegistration{init, free, prepare, invoke, reset};
}

}  // namespace micro
}  // namespace tflite

#endif  // FUZZING_OPERATOR_TFLM_H_
