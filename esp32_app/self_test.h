// SPDX-License-Identifier: Apache-2.0
// Runs the golden vectors (inputs with the outputs they should give) through the interpreter.
#ifndef SELF_TEST_H_
#define SELF_TEST_H_

#include <cstddef>

#include "tensorflow/lite/micro/micro_interpreter.h"

// Prints one line a sample, PASS or FAIL with the largest error, and a summary.
// Returns how many passed. The recurrent state is cleared before each
// sample and at the end.
size_t RunSelfTest(tflite::MicroInterpreter* interpreter);

#endif  // SELF_TEST_H_
