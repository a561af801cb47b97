// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_TENSORFLOW_LITE_SCHEMA_SCHEMA_GENERATED_H_
#define STUBS_TENSORFLOW_LITE_SCHEMA_SCHEMA_GENERATED_H_

#include <cstdint>

namespace tflite {

struct Model {
  uint32_t version() const;
};
const Model* GetModel(const void* buffer);

}  // namespace tflite

#endif  // STUBS_TENSORFLOW_LITE_SCHEMA_SCHEMA_GENERATED_H_
