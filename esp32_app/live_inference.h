// SPDX-License-Identifier: Apache-2.0
// Runs the model on live input; see input_source.h for where it comes from.
#ifndef LIVE_INFERENCE_H_
#define LIVE_INFERENCE_H_

#include "tensorflow/lite/micro/micro_interpreter.h"

// Prints one line an inference, the class and its score, until the input source has no more (at
// once if there is none). Models with several inputs have no live input.
void RunLiveInference(tflite::MicroInterpreter* interpreter);

#endif  // LIVE_INFERENCE_H_
