// SPDX-License-Identifier: Apache-2.0
// Where live input comes from: a microphone, a motion sensor. Without one (no_input_source.cc) the
// application answers requests on the console.
//
// Your sources belong into main/user/: what lies there is built instead of no_input_source.cc and
// has to define the function below. For a microphone and a model of STEPS x 40 features:
//
//   static float recording[STEPS * 40];
//
//   const float* scanlet_next_input(size_t count) {
//     // Once: i2s_new_channel, i2s_channel_init_std_mode and i2s_channel_enable (driver/i2s_std.h)
//     // for 16 kHz mono; FrontendPopulateState with the settings that the model was trained with
//     // (tensorflow/lite/experimental/microfrontend/lib/frontend_util.h, part of the build).
//     // Then, each call:
//     // 1. Move the recording forward by as many steps as shall be new.
//     // 2. For each new step: i2s_channel_read of 160 samples (10 ms) as int16, which waits for
//     //    them; FrontendProcessSamples; its 40 values times the factor that was used in training.
//     return recording;
//   }
//
// A model in stream mode takes one hop a call, its chunk of steps, and goes on from the state of
// the last one: no recording is moved, each step is returned once. sample_ring.h has a ring buffer
// to collect a hop in, stream_hooks.h what to do with the scores.
#ifndef INPUT_SOURCE_H_
#define INPUT_SOURCE_H_

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// Waits for the next recording (in stream mode: the next hop) and returns its `count` values: what
// the model takes in Python, in the same order (a quantized model's input is quantized from them).
// They have to stay valid until the next call. Returns NULL when none will come; the console is
// served from then on. Called in the main task; sleep while you wait (the I2S driver does), which
// feeds the watchdog.
const float* scanlet_next_input(size_t count);

#ifdef __cplusplus
}
#endif

#endif  // INPUT_SOURCE_H_
