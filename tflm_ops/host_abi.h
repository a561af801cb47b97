// SPDX-License-Identifier: Apache-2.0
// What the tflite-micro Python wheel (0.dev20261023182759) exports, declared without its headers.
//
// Only exported functions and structures that the interpreter hands over are used. The one fact
// beyond them is the resolver's layout, which Append checks before it writes.
#ifndef SCANLET_HOST_ABI_H_
#define SCANLET_HOST_ABI_H_

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

namespace tflite {
namespace micro {

struct TfLiteContext;

// The interpreter uses values beyond these; with a fixed underlying type they are valid.
enum TfLiteStatus : int32_t { kTfLiteOk = 0, kTfLiteError = 1 };
enum TfLiteType : int32_t { kTfLiteNoType = 0, kTfLiteFloat32 = 1 };

struct TfLiteIntArray {
  int size;
  int data[];  // NOLINT: the interpreter's own layout
};

struct TfLiteEvalTensor {
  union {
    void* data;
  } data;
  TfLiteIntArray* dims;
  TfLiteType type;
};

struct TfLiteNode {
  TfLiteIntArray* inputs;
  TfLiteIntArray* outputs;
  TfLiteIntArray* intermediates;
  void* user_data;
  void* builtin_data;
  const void* custom_initial_data;
  int custom_initial_data_size;
};

struct TFLMRegistration {
  void* (*init)(TfLiteContext*, const char*, size_t);
  void (*free)(TfLiteContext*, void*);
  TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*);
  TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*);
  void (*reset)(TfLiteContext*, void*);
  int32_t builtin_code;
  const char* custom_name;
};

void* MicroContextAllocatePersistentBuffer(TfLiteContext*, size_t);
TfLiteStatus MicroContextRequestScratchBufferInArena(TfLiteContext*, size_t, int*);
void* MicroContextGetScratchBuffer(TfLiteContext*, int);
void MicroContextReportOpError(TfLiteContext*, const char*, ...);
const TfLiteEvalTensor* GetEvalInput(const TfLiteContext*, const TfLiteNode*, int);
TfLiteEvalTensor* GetEvalOutput(const TfLiteContext*, const TfLiteNode*, int);
TFLMRegistration RegisterOp(void* (*init)(TfLiteContext*, const char*, size_t),
                            TfLiteStatus (*prepare)(TfLiteContext*, TfLiteNode*),
                            TfLiteStatus (*invoke)(TfLiteContext*, TfLiteNode*),
                            void (*free)(TfLiteContext*, void*),
                            void (*reset)(TfLiteContext*, void*));

}  // namespace micro
}  // namespace tflite

namespace scanlet_host {

constexpr int32_t kCustomCode = 32;       // BuiltinOperator_CUSTOM of the schema
constexpr int32_t kLargestBuiltin = 512;  // beyond any builtin code
constexpr unsigned kCapacity = 200;

struct Resolver {
  void* vtable;
  tflite::micro::TFLMRegistration registrations[kCapacity];
  unsigned count;
};

// Append a custom operator to the interpreter's resolver; false, with a message, if the resolver
// does not look as this wheel's does.
inline bool Append(void* resolver_memory, const char* name,
                   tflite::micro::TFLMRegistration registration) {
  Resolver* const resolver = static_cast<Resolver*>(resolver_memory);
  const tflite::micro::TFLMRegistration& first = resolver->registrations[0];
  if (resolver->count == 0 || resolver->count >= kCapacity || first.builtin_code < 0 ||
      first.builtin_code > kLargestBuiltin || first.invoke == nullptr) {
    fprintf(stderr,
            "%s: this tflite-micro wheel has another resolver layout; install the pinned one\n",
            name);
    return false;
  }
  for (unsigned i = 0; i < resolver->count; ++i) {
    const tflite::micro::TFLMRegistration& other = resolver->registrations[i];
    if (other.builtin_code == kCustomCode && other.custom_name != nullptr &&
        strcmp(other.custom_name, name) == 0) {
      fprintf(stderr, "%s: registered twice in one interpreter\n", name);
      return false;
    }
  }
  registration.builtin_code = kCustomCode;
  registration.custom_name = name;
  resolver->registrations[resolver->count++] = registration;
  return true;
}

}  // namespace scanlet_host

#endif  // SCANLET_HOST_ABI_H_
