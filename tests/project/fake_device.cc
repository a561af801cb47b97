// SPDX-License-Identifier: Apache-2.0
// A device for the application on the host: an interpreter that answers a golden input with its
// golden output, a clock, and a scheduler. FAKE_DEVICE in the environment says what goes wrong.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "app_config.h"
#include "esp_timer.h"
#include "freertos/task.h"
#include "tensorflow/lite/micro/micro_interpreter.h"

namespace {

bool Mode(const char* mode) {
  const char* const chosen = std::getenv("FAKE_DEVICE");
  return chosen != nullptr && std::strcmp(chosen, mode) == 0;
}

struct Buffer {
  std::vector<float> values;
  TfLiteTensor tensor;
};

// What the description says of a tensor: the text behind `kind`<index>.`key`=, or none.
std::string Described(const char* kind, size_t index, const char* key) {
  const std::string text = config::kDescription;
  const std::string start = kind + std::to_string(index) + "." + key + "=";
  const size_t found = text.find(start);
  if (found == std::string::npos) return "";
  const size_t begin = found + start.size();
  return text.substr(begin, text.find('\n', begin) - begin);
}

Buffer MakeBuffer(const char* kind, size_t index, size_t bytes) {
  Buffer buffer = {std::vector<float>(bytes / sizeof(float) + 1), {}};
  const std::string dtype = Described(kind, index, "dtype");
  buffer.tensor = {kTfLiteFloat32, {}, {buffer.values.data()}, bytes};
  if (dtype == "int8") buffer.tensor.type = kTfLiteInt8;
  if (dtype == "int16") buffer.tensor.type = kTfLiteInt16;
  if (!Described(kind, index, "scale").empty()) {
    buffer.tensor.params.scale = std::stof(Described(kind, index, "scale"));
    buffer.tensor.params.zero_point = std::stoi(Described(kind, index, "zero_point"));
  }
  return buffer;
}

std::vector<Buffer> MakeBuffers(const char* kind, const size_t* bytes, size_t count, size_t extra) {
  std::vector<Buffer> buffers;
  for (size_t i = 0; i < count; ++i) buffers.push_back(MakeBuffer(kind, i, bytes[i] + extra));
  for (Buffer& buffer : buffers) buffer.tensor.data.data = buffer.values.data();
  return buffers;
}

std::vector<Buffer>& Inputs() {
  static std::vector<Buffer> buffers =
      MakeBuffers("input", config::kInputBytes, config::kInputCount, Mode("wrong-tensors") ? 4 : 0);
  return buffers;
}

std::vector<Buffer>& Outputs() {
  static std::vector<Buffer> buffers =
      MakeBuffers("output", config::kOutputBytes, config::kOutputCount, 0);
  return buffers;
}

// Moves the first value of a quantized output by `steps`, towards the middle of its range.
template <typename T>
void MoveFirst(const TfLiteTensor& tensor, int steps) {
  T* const stored = static_cast<T*>(tensor.data.data);
  *stored = static_cast<T>(*stored < 0 ? *stored + steps : *stored - steps);
}

// Makes the first value of an output wrong by about twice the tolerance.
void MoveOff(const Buffer& buffer) {
  const float error = 2.0f * config::kGoldenTolerance;
  const float scale = buffer.tensor.params.scale;
  if (buffer.tensor.type == kTfLiteFloat32) *static_cast<float*>(buffer.tensor.data.data) += error;
  if (buffer.tensor.type == kTfLiteInt8) {
    MoveFirst<int8_t>(buffer.tensor, static_cast<int>(error / scale));
  }
  if (buffer.tensor.type == kTfLiteInt16) {
    MoveFirst<int16_t>(buffer.tensor, static_cast<int>(error / scale));
  }
}

bool IsSample(size_t sample) {
  for (size_t i = 0; i < config::kInputCount; ++i) {
    const void* const golden = config::kGoldenInputs[sample * config::kInputCount + i];
    if (std::memcmp(Inputs()[i].values.data(), golden, config::kInputBytes[i]) != 0) return false;
  }
  return true;
}

// Whether a NaN came in, since the last reset in stream mode.
bool g_spoilt = false;

}  // namespace

namespace tflite {

uint32_t Model::version() const { return TFLITE_SCHEMA_VERSION; }
const Model* GetModel(const void* buffer) { return static_cast<const Model*>(buffer); }

MicroInterpreter::MicroInterpreter(const Model*, const MicroOpResolver&, uint8_t*, size_t,
                                   MicroResourceVariables*, MicroProfilerInterface* profiler, bool)
    : profiler_(profiler) {}

TfLiteStatus MicroInterpreter::AllocateTensors() {
  return Mode("no-memory") ? kTfLiteError : kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Invoke() {
  for (size_t i = 0; i < config::kOperatorCount; ++i) {
    profiler_->EndEvent(profiler_->BeginEvent("FAKE"));
  }
  for (size_t i = 0; i < config::kOutputCount; ++i) {
    std::vector<float>& values = Outputs()[i].values;
    for (float& value : values) value = 0.0f;
    for (size_t sample = 0; sample < config::kGoldenCount; ++sample) {
      const void* const golden = config::kGoldenOutputs[sample * config::kOutputCount + i];
      if (IsSample(sample)) std::memcpy(values.data(), golden, config::kOutputBytes[i]);
    }
    for (const Buffer& input : Inputs()) {
      if (input.tensor.type != kTfLiteFloat32) continue;  // the bits of integers may look like NaN
      for (const float value : input.values) g_spoilt = g_spoilt || std::isnan(value);
    }
    for (float& value : values) value = g_spoilt ? NAN : value;
    if (Mode("nan")) values[1] = NAN;
    if (Mode("infinite")) values[0] = INFINITY;
    if (Mode("off")) MoveOff(Outputs()[i]);
  }
  // Tensors share memory on a device: what an inference leaves of its input is anything.
  for (Buffer& buffer : Inputs()) {
    for (float& value : buffer.values) value = 77.0f;
  }
  if (std::strcmp(config::kMode, "stream") != 0) g_spoilt = false;
  return Mode("failing") ? kTfLiteError : kTfLiteOk;
}

TfLiteStatus MicroInterpreter::Reset() {
  g_spoilt = false;
  if (Mode("telling")) std::printf("[reset]\n");
  return kTfLiteOk;
}
TfLiteTensor* MicroInterpreter::input(size_t index) { return &Inputs()[index].tensor; }
TfLiteTensor* MicroInterpreter::output(size_t index) { return &Outputs()[index].tensor; }
size_t MicroInterpreter::inputs_size() const { return config::kInputCount; }
size_t MicroInterpreter::outputs_size() const { return config::kOutputCount; }
size_t MicroInterpreter::arena_used_bytes() const { return 1234; }

}  // namespace tflite

extern "C" int64_t esp_timer_get_time(void) {
  static int64_t now = 0;
  return now += 100;
}

// Ends the program where a device would go on for ever: parked, or without requests.
extern "C" void vTaskDelay(TickType_t ticks) {
  constexpr TickType_t kEnd = 5000;
  static TickType_t now = 0;
  now += ticks;
  if (now < kEnd) return;
  std::printf("[%u seconds passed]\n", static_cast<unsigned>(now / 100));
  std::exit(0);
}

extern "C" uint32_t uxTaskGetStackHighWaterMark(TaskHandle_t) { return 2345; }

extern "C" void app_main(void);

int main() { app_main(); }
