// SPDX-License-Identifier: Apache-2.0
#include "self_test.h"

#include <cstdio>
#include <cstring>

#include "app_config.h"
#include "comparison.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "tensor_values.h"

namespace {

// Compares stored integers; error and tolerance are those of the values that they stand for.
template <typename T>
Comparison CompareQuantized(const TfLiteTensor* got, const void* expected) {
  const float scale = got->params.scale;
  Comparison steps = Compare(static_cast<const T*>(got->data.data), static_cast<const T*>(expected),
                             got->bytes / sizeof(T), config::kGoldenTolerance / scale);
  steps.max_error *= scale;
  return steps;
}

Comparison CompareTensor(const TfLiteTensor* got, const void* expected) {
  const float tolerance = config::kGoldenTolerance;
  const void* const data = got->data.data;
  switch (got->type) {
    case kTfLiteFloat32:
      return Compare(static_cast<const float*>(data), static_cast<const float*>(expected),
                     got->bytes / sizeof(float), tolerance);
    case kTfLiteInt8:
      return CompareQuantized<int8_t>(got, expected);
    case kTfLiteInt16:
      return CompareQuantized<int16_t>(got, expected);
    case kTfLiteInt32:
      return Compare(static_cast<const int32_t*>(data), static_cast<const int32_t*>(expected),
                     got->bytes / sizeof(int32_t), tolerance);
    default:
      return {0.0f, false};
  }
}

bool RunSample(tflite::MicroInterpreter* interpreter, size_t sample) {
  const bool reset = interpreter->Reset() == kTfLiteOk;
  for (size_t i = 0; i < config::kInputCount; ++i) {
    const TfLiteTensor* const input = interpreter->input(i);
    std::memcpy(input->data.data, config::kGoldenInputs[sample * config::kInputCount + i],
                input->bytes);
  }
  const bool invoked = reset && interpreter->Invoke() == kTfLiteOk;
  Comparison total = {0.0f, invoked};
  for (size_t i = 0; i < config::kOutputCount && invoked; ++i) {
    const Comparison one = CompareTensor(interpreter->output(i),
                                         config::kGoldenOutputs[sample * config::kOutputCount + i]);
    total.passed = total.passed && one.passed;
    if (!(one.max_error <= total.max_error)) total.max_error = one.max_error;  // keeps a NaN
  }
  std::printf("self-test %u/%u: %s  max error %.3g (tolerance %.3g)",
              static_cast<unsigned>(sample + 1), static_cast<unsigned>(config::kGoldenCount),
              total.passed ? "PASS" : "FAIL", static_cast<double>(total.max_error),
              static_cast<double>(config::kGoldenTolerance));
  if (!invoked) std::printf("  the inference failed");
  if (invoked && config::kLabelCount > 0) {
    std::printf("  class %s",
                config::kLabels[WinningClass(interpreter->output(0), config::kLabelCount)]);
  }
  std::printf("\n");
  return total.passed;
}

}  // namespace

size_t RunSelfTest(tflite::MicroInterpreter* interpreter) {
  if (config::kGoldenCount == 0) {
    std::printf("self-test: none, no golden vectors are stored\n");
    return 0;
  }
  size_t passed = 0;
  for (size_t sample = 0; sample < config::kGoldenCount; ++sample) {
    if (RunSample(interpreter, sample)) ++passed;
    vTaskDelay(1);  // lets the idle task feed the watchdog
  }
  interpreter->Reset();
  std::printf("self-test: %s (%u of %u)\n", passed == config::kGoldenCount ? "PASS" : "FAIL",
              static_cast<unsigned>(passed), static_cast<unsigned>(config::kGoldenCount));
  return passed;
}
