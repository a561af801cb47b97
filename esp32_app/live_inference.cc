// SPDX-License-Identifier: Apache-2.0
#include "live_inference.h"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>

#include "app_config.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "input_source.h"
#include "stream_hooks.h"
#include "tensor_values.h"

extern "C" __attribute__((weak)) bool scanlet_on_scores(const float* /*scores*/, size_t /*count*/) {
  return false;
}
extern "C" __attribute__((weak)) bool scanlet_input_restarted(void) { return false; }

namespace {

// The idle task, which feeds the watchdog, gets a turn at least this often in stream mode; after
// every inference otherwise.
constexpr int64_t kTurnMicroseconds = 500000;

// In place of a winner: no number came out.
constexpr size_t kNothing = SIZE_MAX - 1;

// An output has no more values than bytes.
float g_scores[config::kOutputBytes[0]];

size_t Winner(const TfLiteTensor* output) {
  return WinningClass(output, config::kLabelCount > 0 ? config::kLabelCount : ValueCount(output));
}

void PrintWinner(const TfLiteTensor* output, long duration_us) {
  const size_t count = ValueCount(output);
  const size_t classes = config::kLabelCount > 0 ? config::kLabelCount : count;
  const size_t winner = Winner(output);
  const double score = static_cast<double>(GetValue(output, count - classes + winner));
  if (config::kLabelCount > 0) {
    std::printf("live: %s, score %.3f, %ld us\n", config::kLabels[winner], score, duration_us);
  } else {
    std::printf("live: class %u, score %.3f, %ld us\n", static_cast<unsigned>(winner), score,
                duration_us);
  }
}

// A NaN or an infinity in the input spoils what depends on it; in stream mode all that follows.
bool Spoilt(const TfLiteTensor* output) {
  const size_t count = ValueCount(output);
  for (size_t i = 0; i < count; ++i) {
    if (!std::isfinite(GetValue(output, i))) return true;
  }
  return false;
}

// True if the user's hook has dealt with it.
bool HandOver(const TfLiteTensor* output) {
  const size_t count = ValueCount(output);
  for (size_t i = 0; i < count; ++i) g_scores[i] = GetValue(output, i);
  return scanlet_on_scores(g_scores, count);
}

// Whether the idle task is to get a turn `now`, after an inference; if so, that is the `last` one.
bool TurnIsDue(bool stream, int64_t now, int64_t* last) {
  if (stream && now - *last < kTurnMicroseconds) return false;
  *last = now;
  return true;
}

}  // namespace

void RunLiveInference(tflite::MicroInterpreter* interpreter) {
  if (config::kInputCount != 1) return;
  const bool stream = std::strcmp(config::kMode, "stream") == 0;
  TfLiteTensor* const input = interpreter->input(0);
  const size_t count = ValueCount(input);
  size_t shown = SIZE_MAX;  // the winner that was printed last
  int64_t last_turn = esp_timer_get_time();
  interpreter->Reset();
  while (const float* const values = scanlet_next_input(count)) {
    if (stream && scanlet_input_restarted()) interpreter->Reset();
    for (size_t i = 0; i < count; ++i) SetValue(input, i, values[i]);
    const int64_t start = esp_timer_get_time();
    const TfLiteStatus status = interpreter->Invoke();
    const int64_t end = esp_timer_get_time();
    if (status != kTfLiteOk) {
      std::printf("live: the inference failed\n");
    } else if (Spoilt(interpreter->output(0))) {
      if (shown != kNothing || !stream) {  // once, and not each hop of a broken sensor
        std::printf("live: no number comes out%s\n", stream ? ", the stream starts again" : "");
      }
      interpreter->Reset();
      shown = kNothing;
    } else if (!stream) {
      PrintWinner(interpreter->output(0), static_cast<long>(end - start));
    } else if (!HandOver(interpreter->output(0)) && Winner(interpreter->output(0)) != shown) {
      shown = Winner(interpreter->output(0));
      PrintWinner(interpreter->output(0), static_cast<long>(end - start));
    }
    if (TurnIsDue(stream, end, &last_turn)) vTaskDelay(1);
  }
  interpreter->Reset();
}
