// SPDX-License-Identifier: Apache-2.0
// Writes the model, then each golden sample's inputs and outputs, as the firmware holds them.
#include <cstdint>
#include <cstdio>

#include "app_config.h"

namespace {

bool Write(const void* data, size_t bytes) {
  if (reinterpret_cast<uintptr_t>(data) % 16 != 0) return false;
  return std::fwrite(data, 1, bytes, stdout) == bytes;
}

}  // namespace

int main() {
  if (!Write(config::kModel, config::kModelBytes)) return 1;
  for (size_t sample = 0; sample < config::kGoldenCount; ++sample) {
    for (size_t i = 0; i < config::kInputCount; ++i) {
      const void* const data = config::kGoldenInputs[sample * config::kInputCount + i];
      if (!Write(data, config::kInputBytes[i])) return 1;
    }
    for (size_t i = 0; i < config::kOutputCount; ++i) {
      const void* const data = config::kGoldenOutputs[sample * config::kOutputCount + i];
      if (!Write(data, config::kOutputBytes[i])) return 1;
    }
  }
  return 0;
}
