// SPDX-License-Identifier: Apache-2.0
#include "profiler.h"

#include <cstdio>

#include "esp_timer.h"

namespace {

constexpr uint32_t kNoEvent = UINT32_MAX;

}  // namespace

uint32_t Profiler::BeginEvent(const char* tag) {
  if (!enabled_ || count_ >= config::kOperatorCount) return kNoEvent;
  const uint32_t event = count_++;
  events_[event] = {tag, esp_timer_get_time(), 0};
  return event;
}

void Profiler::EndEvent(uint32_t event) {
  if (event >= count_) return;
  events_[event].duration_us = esp_timer_get_time() - events_[event].start_us;
}

void Profiler::Start(bool enabled) {
  count_ = 0;
  enabled_ = enabled;
}

void Profiler::Print() const {
  int64_t sum = 0;
  for (uint32_t i = 0; i < count_; ++i) sum += events_[i].duration_us;
  for (uint32_t i = 0; i < count_; ++i) {
    const long duration = static_cast<long>(events_[i].duration_us);
    const long permille = sum > 0 ? static_cast<long>(1000 * events_[i].duration_us / sum) : 0;
    std::printf("operator %lu: %-20s %8ld us %3ld.%ld %%\n", static_cast<unsigned long>(i),
                events_[i].tag, duration, permille / 10, permille % 10);
  }
}
