// SPDX-License-Identifier: Apache-2.0
// The part of TensorFlow Lite Micro's C interface that generated projects use, as in the version
// that they pin: types in the global namespace.
#ifndef STUBS_TENSORFLOW_LITE_C_COMMON_H_
#define STUBS_TENSORFLOW_LITE_C_COMMON_H_

#include <cstddef>
#include <cstdint>

enum TfLiteStatus { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType {
  kTfLiteNoType = 0,
  kTfLiteFloat32 = 1,
  kTfLiteInt32 = 2,
  kTfLiteInt16 = 7,
  kTfLiteInt8 = 9
};

struct TfLiteContext;

struct TfLiteIntArray {
  int size;
  int data[1];
};

union TfLitePtrUnion {
  void* data;
};

struct TfLiteQuantizationParams {
  float scale;
  int32_t zero_point;
};

struct TfLiteTensor {
  TfLiteType type;
  TfLiteQuantizationParams params;
  TfLitePtrUnion data;
  size_t bytes;
};

struct TfLiteEvalTensor {
  TfLitePtrUnion data;
  TfLiteIntArray* dims;
  TfLiteType type;
};

struct TfLiteNode {
  TfLiteIntArray* inputs;
  TfLiteIntArray* outputs;
  void* user_data;
};

struct TFLMRegistration {
  void* (*init)(TfLiteContext* context, const char* buffer, size_t length);
  TfLiteStatus (*prepare)(TfLiteContext* context, TfLiteNode* node);
  TfLiteStatus (*invoke)(TfLiteContext* context, TfLiteNode* node);
};

#endif  // STUBS_TENSORFLOW_LITE_C_COMMON_H_
