// SPDX-License-Identifier: Apache-2.0
#include "live_inference.h"

#include <cstdio>

#include "app_config.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "input_source.h"
#include "tensor_values.h"

namespace {

void PrintWinner(const TfLiteTensor* output, long duration_us) {
  const size_t count = ValueCount(output);
  const size_t classes = config::kLabelCount > 0 ? config::kLabelCount : count;
  const size_t winner = WinningClass(output, classes);
  const double score = static_cast<double>(GetValue(output, count - classes + winner));
  if (config::kLabelCount > 0) {
    std::printf("live: %s, score %.3f, %ld us\n", config::kLabels[winner], score, duration_us);
  } else {
    std::printf("live: class %u, score %.3f, %ld us\n", static_cast<unsigned>(winner), score,
                duration_us);
  }
}

}  // namespace

void RunLiveInference(tflite::MicroInterpreter* interpreter) {
  if (config::kInputCount != 1) return;
  TfLiteTensor* const input = interpreter->input(0);
  const size_t count = ValueCount(input);
  while (const float* const values = scanlet_next_input(count)) {
    for (size_t i = 0; i < count; ++i) SetValue(input, i, values[i]);
    const int64_t start = esp_timer_get_time();
    const TfLiteStatus status = interpreter->Invoke();
    const int64_t duration = esp_timer_get_time() - start;
    if (status == kTfLiteOk) {
      PrintWinner(interpreter->output(0), static_cast<long>(duration));
    } else {
      std::printf("live: the inference failed\n");
    }
    vTaskDelay(1);  // lets the idle task feed the watchdog
  }
  interpreter->Reset();
}
