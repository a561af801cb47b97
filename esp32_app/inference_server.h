// SPDX-License-Identifier: Apache-2.0
// Answers inference requests that arrive on the console; see serial/server.h for the protocol.
#ifndef INFERENCE_SERVER_H_
#define INFERENCE_SERVER_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

// Serves for ever.
void ServeInference(tflite::MicroInterpreter* interpreter);

#endif  // INFERENCE_SERVER_H_
