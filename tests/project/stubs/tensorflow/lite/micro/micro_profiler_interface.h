// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_TENSORFLOW_LITE_MICRO_MICRO_PROFILER_INTERFACE_H_
#define STUBS_TENSORFLOW_LITE_MICRO_MICRO_PROFILER_INTERFACE_H_

#include <cstdint>

namespace tflite {

class MicroProfilerInterface {
 public:
  virtual ~MicroProfilerInterface() {}
  virtual uint32_t BeginEvent(const char* tag) = 0;
  virtual void EndEvent(uint32_t event_handle) = 0;
};

}  // namespace tflite

#endif  // STUBS_TENSORFLOW_LITE_MICRO_MICRO_PROFILER_INTERFACE_H_
