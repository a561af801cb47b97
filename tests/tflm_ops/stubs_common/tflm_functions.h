// SPDX-License-Identifier: Apache-2.0
// The functions of kernel_util.h that the operator uses, to be included in tflite::micro.
const TfLiteEvalTensor* GetEvalInput(const TfLiteContext* context, const TfLiteNode* node,
                                     int index);
TfLiteEvalTensor* GetEvalOutput(const TfLiteContext* context, const TfLiteNode* node, int index);
TFLMRegistration RegisterOp(void* (*init)(TfLiteContext*, const char*, size_t),
                            TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*),
                            TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*),
                            void (*free)(TfLiteContext*, void*) = nullptr,
                            void (*reset)(TfLiteContext*, void*) = nullptr);
TFLMInferenceRegistration RegisterOp(TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*),
                                     void (*reset)(TfLiteContext*, void*) = nullptr);
