// SPDX-License-Identifier: Apache-2.0
// A device for the application on this machine whose interpreter is the network as plain C, the
// generic library of the same model. Standard input and output is its console; a tick of its
// scheduler takes 2 ms.
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

#include "app_config.h"
#include "board_model.h"
#include "esp_timer.h"
#include "freertos/task.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

namespace {

int8_t g_input[BOARD_INPUT_0_SIZE] __attribute__((aligned(16)));
int8_t g_output[BOARD_OUTPUT_0_SIZE] __attribute__((aligned(16)));
TfLiteTensor g_tensors[] = {
    {kTfLiteInt8, {BOARD_INPUT_0_SCALE, BOARD_INPUT_0_ZERO_POINT}, {g_input}, sizeof(g_input)},
    {kTfLiteInt8, {BOARD_OUTPUT_0_SCALE, BOARD_OUTPUT_0_ZERO_POINT}, {g_output}, sizeof(g_output)},
};

}  // namespace

namespace tflite {

uint32_t Model::version() const { return TFLITE_SCHEMA_VERSION; }
const Model* GetModel(const void* buffer) { return static_cast<const Model*>(buffer); }

MicroInterpreter::MicroInterpreter(const Model*, const MicroOpResolver&, uint8_t*, size_t,
                                   MicroResourceVariables*, MicroProfilerInterface* profiler, bool)
    : profiler_(profiler) {}

TfLiteStatus MicroInterpreter::AllocateTensors() {
  board_init();
  return kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke() {
  profiler_->EndEvent(profiler_->BeginEvent("LIBRARY"));
  const bool good = board_run(g_input, g_output) == 0;
  // Tensors share memory on a device: what an inference leaves of its input is anything.
  for (int8_t& value : g_input) value = 77;
  return good ? kTfLiteOk : kTfLiteError;
}

TfLiteStatus MicroInterpreter::Reset() {
  board_reset();
  return kTfLiteOk;
}

TfLiteTensor* MicroInterpreter::input(size_t) { return &g_tensors[0]; }
TfLiteTensor* MicroInterpreter::output(size_t) { return &g_tensors[1]; }
size_t MicroInterpreter::inputs_size() const { return 1; }
size_t MicroInterpreter::outputs_size() const { return 1; }
size_t MicroInterpreter::arena_used_bytes() const { return BOARD_ARENA_BYTES; }

}  // namespace tflite

extern "C" int64_t esp_timer_get_time(void) {
  timespec now = {};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
}

extern "C" void vTaskDelay(TickType_t ticks) {
  if (getppid() == 1) std::exit(0);  // the test is gone
  usleep(2000 * ticks);
}

extern "C" uint32_t uxTaskGetStackHighWaterMark(TaskHandle_t) { return 2345; }

extern "C" void app_main(void);

int main() {
  // As ESP-IDF's console: a read takes what is there.
  fcntl(STDIN_FILENO, F_SETFL, fcntl(STDIN_FILENO, F_GETFL) | O_NONBLOCK);
  app_main();
}
