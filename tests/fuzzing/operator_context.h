// SPDX-License-Identifier: Apache-2.0
// A node's memory: every buffer is an allocation of its own and exactly as large as it was
// declared, so that the sanitizer sees each access beyond it.
#ifndef FUZZING_OPERATOR_CONTEXT_H_
#define FUZZING_OPERATOR_CONTEXT_H_

#include <stdio.h>
#include <stdlib.h>

#include <map>
#include <memory>
#include <string>

#include "operator_case.h"
#include "tensorflow/lite/micro/kernels/kernel_util.h"

constexpr int64_t kLargestBuffer = 1 << 16;
constexpr uint8_t kUnwritten = 0xA5;

// Ends the process as a sanitizer does: the oracle's word that something is wrong.
[[noreturn]] inline void Fail(const char* what, const char* node) {
  fprintf(stderr, "==0== ERROR: libFuzzer: %s (%s)\n", what, node);
  abort();
}

// How often each thing happened; printed at the end, sorted by name, so it outlives all else.
inline std::map<std::string, int64_t>& Counts() {
  static std::map<std::string, int64_t>* const counts = new std::map<std::string, int64_t>;
  return *counts;
}

using Buffer = std::unique_ptr<char, decltype(&free)>;

inline Buffer Allocate(size_t bytes, int fill) {
  Buffer buffer(static_cast<char*>(malloc(bytes)), &free);
  memset(buffer.get(), fill, bytes);
  return buffer;
}

inline Buffer MakeArray(const std::vector<int32_t>& values, int32_t size) {
  Buffer buffer = Allocate((values.size() + 1) * sizeof(int32_t), 0);
  memcpy(buffer.get(), &size, sizeof(size));
  if (!values.empty()) memcpy(buffer.get() + sizeof(size), values.data(), 4 * values.size());
  return buffer;
}

inline int64_t ElementBytes(int32_t type) {
  switch (type) {
    case 3:  // uint8
    case 6:  // bool
    case 9:  // int8
      return 1;
    case 7:   // int16
    case 10:  // float16
      return 2;
    case 4:   // int64
    case 11:  // float64
      return 8;
    default:
      return 4;
  }
}

// Bytes that an interpreter would set aside; kLargestBuffer + 1 for anything more, or nonsense.
inline int64_t DeclaredBytes(const TensorCase& tensor) {
  int64_t bytes = ElementBytes(tensor.type);
  if (!tensor.exists || !tensor.has_dims) return 0;
  for (const int32_t size : tensor.dims) {
    if (size < 0) return kLargestBuffer + 1;
    bytes *= size;
    if (bytes > kLargestBuffer) return kLargestBuffer + 1;
  }
  return bytes;
}

struct TensorMemory {
  Buffer dims{nullptr, &free};
  Buffer data{nullptr, &free};
  size_t bytes = 0;
  TfLiteEvalTensor eval = {};
};

struct Context : TfLiteContext {
  const Case* made = nullptr;
  std::vector<TensorMemory> tensors;
  std::vector<Buffer> persistent;
  Buffer scratch{nullptr, &free};
  size_t scratch_bytes = 0;
  bool failed_allocation = false;  // one that was to fail was asked for
  bool reported = false;
  Buffer options{nullptr, &free};
  Buffer inputs{nullptr, &free};
  Buffer outputs{nullptr, &free};
  TfLiteNode node = {};

  const char* OptionsAddress() const {
    return made->options_null ? nullptr : options.get() + made->options_shift;
  }
};

inline Context* Own(const TfLiteContext* context) {
  return const_cast<Context*>(static_cast<const Context*>(context));
}

// A weight as the model holds it; built once, and checked for changes by CheckWeights.
inline const char* WeightData(const TensorFact* fact) {
  static std::map<const TensorFact*, Buffer> weights;
  auto found = weights.find(fact);
  if (found == weights.end()) {
    Buffer copy = Allocate(fact->bytes, 0);
    memcpy(copy.get(), fact->data, fact->bytes);
    found = weights.emplace(fact, std::move(copy)).first;
  }
  if (memcmp(found->second.get(), fact->data, fact->bytes) != 0) Fail("a weight changed", "");
  return found->second.get();
}

inline bool HasModelWeight(const TensorCase& tensor) {
  return tensor.weight != nullptr && tensor.memory == Memory::kOwn &&
         tensor.dims.size() == static_cast<size_t>(tensor.weight->rank) &&
         std::equal(tensor.dims.begin(), tensor.dims.end(), tensor.weight->dims) &&
         ElementBytes(tensor.type) == ElementBytes(tensor.weight->type);
}

// Values as a network has them, or any bits: `seed` and `which` tell them apart.
inline void Fill(const Case& made, uint32_t which, int32_t type, char* data, size_t bytes) {
  uint32_t state = made.seed * 2654435761u + which * 40503u + 12345u;
  for (size_t i = 0; i < bytes; ++i) {
    state = state * 1664525u + 1013904223u;
    data[i] = static_cast<char>(state >> 24);
  }
  if (made.any_bits || type != 1) return;
  for (size_t i = 0; i + 4 <= bytes; i += 4) {
    const float value = static_cast<float>(data[i]) / 32.0f;
    memcpy(data + i, &value, sizeof(value));
  }
}

inline void Place(const Case& made, size_t which, TensorMemory* memory) {
  const TensorCase& tensor = made.tensors[which];
  memory->eval.type = static_cast<TfLiteType>(tensor.type);
  if (tensor.has_dims) {
    memory->dims = MakeArray(tensor.dims, tensor.size_of_dims);
    memory->eval.dims = reinterpret_cast<TfLiteIntArray*>(memory->dims.get());
  }
  const int64_t bytes = DeclaredBytes(tensor);
  if (tensor.memory == Memory::kNone || bytes > kLargestBuffer) return;
  if (HasModelWeight(tensor)) {
    memory->eval.data.data = const_cast<char*>(WeightData(tensor.weight));
    memory->bytes = tensor.weight->bytes;
    return;
  }
  const size_t shift = tensor.memory == Memory::kOdd ? 1 : 0;
  memory->bytes = static_cast<size_t>(bytes);
  memory->data = Allocate(memory->bytes + shift, 0);
  Fill(made, static_cast<uint32_t>(which), tensor.type, memory->data.get() + shift, memory->bytes);
  memory->eval.data.data = memory->data.get() + shift;
}

inline std::unique_ptr<Context> MakeContext(const Case& made) {
  std::unique_ptr<Context> context = std::make_unique<Context>();
  context->made = &made;
  context->options = Allocate(made.options.size() + made.options_shift, 0);
  if (!made.options.empty()) {
    memcpy(context->options.get() + made.options_shift, made.options.data(), made.options.size());
  }
  context->tensors.resize(made.tensors.size());
  for (size_t i = 0; i < made.tensors.size(); ++i) Place(made, i, &context->tensors[i]);
  context->inputs = MakeArray(made.inputs, static_cast<int32_t>(made.inputs.size()));
  context->outputs = MakeArray(made.outputs, static_cast<int32_t>(made.outputs.size()));
  context->node.inputs = reinterpret_cast<TfLiteIntArray*>(context->inputs.get());
  context->node.outputs = reinterpret_cast<TfLiteIntArray*>(context->outputs.get());
  if (made.inputs_null) context->node.inputs = nullptr;
  if (made.outputs_null) context->node.outputs = nullptr;
  return context;
}

#endif  // FUZZING_OPERATOR_CONTEXT_H_
