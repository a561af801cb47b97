// SPDX-License-Identifier: Apache-2.0
// Measures each operator of an inference with the microsecond timer.
#ifndef PROFILER_H_
#define PROFILER_H_

#include <cstdint>

#include "app_config.h"
#include "tensorflow/lite/micro/micro_profiler_interface.h"

class Profiler : public tflite::MicroProfilerInterface {
 public:
  ~Profiler() override = default;

  // The interpreter calls these around each operator, in the order of execution.
  uint32_t BeginEvent(const char* tag) override;
  void EndEvent(uint32_t event) override;

  // Starts over; events are recorded from here on, if `enabled`.
  void Start(bool enabled);

  // One line an operator: its name, microseconds, and share of the sum.
  void Print() const;

 private:
  struct Event {
    const char* tag;
    int64_t start_us;
    int64_t duration_us;
  };

  Event events_[config::kOperatorCount] = {};
  uint32_t count_ = 0;
  bool enabled_ = false;
};

#endif  // PROFILER_H_
