// SPDX-License-Identifier: Apache-2.0
// A stand-in for the interpreter behind the host's ABI: runs nodes that a file describes.
//
// Input, all int32 unless stated: node count; for each node the number of calls (0: prepare only),
// the bytes of the custom options and these; the number of inputs and these; the number of outputs
// and these. A tensor: type, rank (-1: no shape), sizes, kind of its memory (0 none, 1 aligned,
// 2 at an odd address), bytes given, and these. Output: a line for each node: status (0: fine),
// requested scratch and persistent bytes, the outputs of all calls (hexadecimal, reset between the
// last two), and the message.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "host_abi.h"

extern "C" bool SCANLET_HOST_REGISTERER(void* resolver);

namespace tflite {
namespace micro {

struct Tensor {
  TfLiteEvalTensor eval;
  char* memory;
  size_t bytes;
};

struct TfLiteContext {
  Tensor inputs[24];
  Tensor outputs[4];
  void* persistent[4];
  int persistent_count;
  int persistent_bytes;
  void* scratch;
  int scratch_bytes;
  char message[512];
};

// Each buffer is an allocation of its own, filled with NaN: the sanitizer sees every stray access.
static void* Allocate(size_t bytes) {
  void* const memory = aligned_alloc(16, (bytes + 15) / 16 * 16);
  memset(memory, 0xff, bytes);
  return memory;
}

void* MicroContextAllocatePersistentBuffer(TfLiteContext* context, size_t bytes) {
  context->persistent_bytes += static_cast<int>(bytes);
  return context->persistent[context->persistent_count++] = Allocate(bytes);
}

TfLiteStatus MicroContextRequestScratchBufferInArena(TfLiteContext* context, size_t bytes,
                                                     int* index) {
  context->scratch_bytes = static_cast<int>(bytes);
  context->scratch = Allocate(bytes);
  *index = 7;
  return kTfLiteOk;
}

void* MicroContextGetScratchBuffer(TfLiteContext* context, int index) {
  return index == 7 ? context->scratch : nullptr;
}

void MicroContextReportOpError(TfLiteContext* context, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(context->message, sizeof(context->message), format, arguments);
  va_end(arguments);
}

const TfLiteEvalTensor* GetEvalInput(const TfLiteContext* context, const TfLiteNode* node, int i) {
  if (i < 0 || i >= node->inputs->size) abort();
  return &context->inputs[i].eval;
}

TfLiteEvalTensor* GetEvalOutput(const TfLiteContext* context, const TfLiteNode* node, int i) {
  if (i < 0 || i >= node->outputs->size) abort();
  return const_cast<TfLiteEvalTensor*>(&context->outputs[i].eval);
}

TFLMRegistration RegisterOp(void* (*init)(TfLiteContext*, const char*, size_t),
                            TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*),
                            TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*),
                            void (*free)(TfLiteContext*, void*),
                            void (*reset)(TfLiteContext*, void*)) {
  return TFLMRegistration{init, free, prepare, invoke, reset, 0, nullptr};
}

}  // namespace micro
}  // namespace tflite

using namespace tflite::micro;  // NOLINT

static int ReadInt(FILE* file) {
  int32_t value = 0;
  if (fread(&value, sizeof(value), 1, file) != 1) exit(3);
  return value;
}

static TfLiteIntArray* ReadArray(FILE* file, int size) {
  TfLiteIntArray* const array = static_cast<TfLiteIntArray*>(malloc((1 + size) * sizeof(int)));
  array->size = size;
  for (int i = 0; i < size; ++i) array->data[i] = ReadInt(file);
  return array;
}

static TfLiteIntArray* MakeIndices(int size, int first) {
  TfLiteIntArray* const array = static_cast<TfLiteIntArray*>(malloc((1 + size) * sizeof(int)));
  array->size = size;
  for (int i = 0; i < size; ++i) array->data[i] = first + i;
  return array;
}

static void ReadTensor(FILE* file, Tensor* tensor) {
  tensor->eval.type = static_cast<TfLiteType>(ReadInt(file));
  const int rank = ReadInt(file);
  tensor->eval.dims = rank < 0 ? nullptr : ReadArray(file, rank);
  const int kind = ReadInt(file);
  tensor->bytes = static_cast<size_t>(ReadInt(file));
  const size_t bytes = tensor->bytes;
  tensor->memory = kind == 0 ? nullptr : static_cast<char*>(malloc(bytes + 1));
  char* const data = kind == 0 ? nullptr : tensor->memory + (kind == 2);
  if (kind != 0 && fread(data, 1, bytes, file) != bytes) exit(3);
  tensor->eval.data.data = data;
}

static void RunNode(FILE* file, const TFLMRegistration& registration) {
  TfLiteContext* const context = static_cast<TfLiteContext*>(calloc(1, sizeof(TfLiteContext)));
  const int calls = ReadInt(file);
  const size_t options_bytes = static_cast<size_t>(ReadInt(file));
  char* const options = static_cast<char*>(malloc(options_bytes));
  if (fread(options, 1, options_bytes, file) != options_bytes) exit(3);
  TfLiteNode node = {};
  node.inputs = MakeIndices(ReadInt(file), 0);
  for (int i = 0; i < node.inputs->size; ++i) ReadTensor(file, &context->inputs[i]);
  node.outputs = MakeIndices(ReadInt(file), node.inputs->size);
  for (int i = 0; i < node.outputs->size; ++i) ReadTensor(file, &context->outputs[i]);
  node.user_data = registration.init(context, options, options_bytes);
  const TfLiteStatus status = registration.prepare(context, &node);
  printf("%d %d %d ", status, context->scratch_bytes, context->persistent_bytes);
  for (int call = 0; status == kTfLiteOk && call < calls; ++call) {
    if (call > 0 && call == calls - 1) registration.reset(context, node.user_data);
    if (registration.invoke(context, &node) != kTfLiteOk) exit(4);
    const Tensor& y = context->outputs[0];
    for (size_t i = 0; i < y.bytes; ++i) {
      printf("%02x", static_cast<uint8_t*>(y.eval.data.data)[i]);
    }
  }
  printf(" %s\n", context->message);
  for (Tensor& tensor : context->inputs) {
    free(tensor.memory);
    free(tensor.eval.dims);
  }
  for (Tensor& tensor : context->outputs) {
    free(tensor.memory);
    free(tensor.eval.dims);
  }
  for (void* memory : context->persistent) free(memory);
  free(context->scratch);
  free(options);
  free(node.inputs);
  free(node.outputs);
  free(context);
}

int main(int argc, char** argv) {
  if (argc != 3 || freopen(argv[2], "w", stdout) == nullptr) return 2;
  FILE* const file = fopen(argv[1], "rb");
  static scanlet_host::Resolver resolver;
  resolver.registrations[0].invoke = [](TfLiteContext*, TfLiteNode*) { return kTfLiteOk; };
  if (SCANLET_HOST_REGISTERER(&resolver)) return 5;  // an empty resolver is none of the wheel's
  resolver.count = 1;
  if (!SCANLET_HOST_REGISTERER(&resolver) || resolver.count != 2) return 6;
  if (SCANLET_HOST_REGISTERER(&resolver) || resolver.count != 2) return 7;  // twice
  resolver.registrations[0].builtin_code = -559038737;
  if (SCANLET_HOST_REGISTERER(&resolver)) return 8;
  const TFLMRegistration& registration = resolver.registrations[1];
  if (registration.builtin_code != 32 || strcmp(registration.custom_name, "SELECTIVE_SSM") != 0) {
    return 9;
  }
  for (int left = ReadInt(file); left > 0; --left) RunNode(file, registration);
  return fclose(file);
}
