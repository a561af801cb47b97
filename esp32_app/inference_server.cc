// SPDX-License-Identifier: Apache-2.0
#include "inference_server.h"

#include <cstring>

#include "app_config.h"
#include "console.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "self_test.h"
#include "serial/server.h"

namespace {

uint8_t g_request[config::kRequestBytes];
scanlet_server g_server;

tflite::MicroInterpreter* Interpreter(void* context) {
  return static_cast<tflite::MicroInterpreter*>(context);
}

int32_t Run(void* context, const uint8_t* inputs) {
  for (size_t i = 0; i < config::kInputCount; ++i) {
    const TfLiteTensor* const input = Interpreter(context)->input(i);
    std::memcpy(input->data.data, inputs, input->bytes);
    inputs += input->bytes;
  }
  return Interpreter(context)->Invoke() == kTfLiteOk ? 0 : -1;
}

const uint8_t* Output(void* context, uint32_t index, uint32_t* bytes) {
  const TfLiteTensor* const output = Interpreter(context)->output(index);
  *bytes = static_cast<uint32_t>(output->bytes);
  return static_cast<const uint8_t*>(output->data.data);
}

int32_t Reset(void* context) { return Interpreter(context)->Reset() == kTfLiteOk ? 0 : -1; }

uint32_t SelfTest(void* context) {
  return static_cast<uint32_t>(config::kGoldenCount - RunSelfTest(Interpreter(context)));
}

uint32_t Microseconds(void* /*context*/) { return static_cast<uint32_t>(esp_timer_get_time()); }

uint32_t StackUnused(void* /*context*/) {
  return uxTaskGetStackHighWaterMark(nullptr);
}  // ESP-IDF: in bytes

void Write(void* /*context*/, const uint8_t* data, uint32_t count) { console::Write(data, count); }

scanlet_service MakeService(tflite::MicroInterpreter* interpreter) {
  scanlet_service service = {};
  service.context = interpreter;
  service.description = config::kDescription;
  service.description_bytes = sizeof(config::kDescription) - 1;
  service.input_bytes = config::kRequestBytes;
  service.output_count = config::kOutputCount;
  service.sample_count = config::kGoldenCount;
  service.memory_used = static_cast<uint32_t>(interpreter->arena_used_bytes());
  service.memory_reserved = config::kArenaBytes;
  service.run = Run;
  service.output = Output;
  service.reset = Reset;
  service.self_test = SelfTest;
  service.microseconds = Microseconds;
  service.stack_unused = StackUnused;
  service.write = Write;
  return service;
}

}  // namespace

void ServeInference(tflite::MicroInterpreter* interpreter) {
  const scanlet_service service = MakeService(interpreter);
  scanlet_server_begin(&g_server, &service, g_request);
  uint8_t received[64];
  uint32_t answered = 0;
  while (true) {
    const size_t count = console::Read(received, sizeof(received), SCANLET_SERVER_SILENCE_MS);
    if (count == 0) scanlet_server_silence(&g_server);
    scanlet_server_receive(&g_server, received, static_cast<uint32_t>(count));
    if (g_server.figures[SCANLET_REQUESTS] != answered) {
      answered = g_server.figures[SCANLET_REQUESTS];
      vTaskDelay(1);  // however fast requests come, the idle task feeds the watchdog
    }
  }
}
