// SPDX-License-Identifier: Apache-2.0
// What the operator's registration calls, for programs whose interpreter does not run it.
#include "tensorflow/lite/micro/kernels/kernel_util.h"
#include "tensorflow/lite/micro/micro_context.h"

namespace tflite {

void* MicroContextAllocatePersistentBuffer(TfLiteContext*, size_t) { return nullptr; }
TfLiteStatus MicroContextRequestScratchBufferInArena(TfLiteContext*, size_t, int*) {
  return kTfLiteError;
}
void* MicroContextGetScratchBuffer(TfLiteContext*, int) { return nullptr; }
void MicroContextReportOpError(TfLiteContext*, const char*, ...) {}

namespace micro {

TFLMRegistration RegisterOp(void* (*init)(TfLiteContext*, const char*, size_t),
                            TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*),
                            TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*),
                            void (*)(TfLiteContext*, void*), void (*)(TfLiteContext*, void*)) {
  return {init, prepare, invoke};
}
const TfLiteEvalTensor* GetEvalInput(const TfLiteContext*, const TfLiteNode*, int) {
  return nullptr;
}
TfLiteEvalTensor* GetEvalOutput(const TfLiteContext*, const TfLiteNode*, int) { return nullptr; }

}  // namespace micro
}  // namespace tflite
