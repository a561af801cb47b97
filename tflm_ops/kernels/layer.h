// SPDX-License-Identifier: Apache-2.0
// What the registration knows of a generated layer: one entry of the table in the generated C.
#ifndef SCANLET_KERNELS_LAYER_H_
#define SCANLET_KERNELS_LAYER_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Sizes of the parameter block in custom_options: what all kinds of layer have, and the most that
// one may have.
#define SCANLET_BLOCK_BYTES 52
#define SCANLET_MAX_BLOCK_BYTES 84
#define SCANLET_MAX_RANK 3
#define SCANLET_MAX_WEIGHTS 20

// Element types, numbered as in TfLiteType.
enum { SCANLET_FLOAT32 = 1, SCANLET_INT32 = 2, SCANLET_INT16 = 7, SCANLET_INT8 = 9 };

typedef struct {
  int32_t type;
  int32_t rank;
  int32_t dims[SCANLET_MAX_RANK];
} scanlet_dims;

// Runs `length` >= 1 steps on the layer's type of activation: x (length, in_features), y (ahead +
// length, d_out) or (d_out,) when pooled. `weights` in the order of the table, `scratch` and
// `state` 16-byte aligned.
typedef void (*scanlet_run)(const void* x, void* y, int32_t length, const void* const* weights,
                            uint8_t* scratch, uint8_t* state);

typedef struct {
  uint8_t block[SCANLET_MAX_BLOCK_BYTES];  // must equal the model's custom_options
  uint32_t block_bytes;
  int32_t activation;  // type of x and y
  int32_t in_features;
  int32_t d_out;
  int32_t pooled;      // 1: the output is (1, d_out), whatever the length
  int32_t ahead;       // steps that the output has more than the input
  int32_t max_length;  // in steps; 0: any
  int32_t stream;      // 1: the state persists from call to call
  uint32_t scratch_bytes;
  uint32_t state_bytes;
  int32_t weight_count;
  scanlet_dims weights[SCANLET_MAX_WEIGHTS];
  scanlet_run run;
} scanlet_layer;

#ifdef __cplusplus
}
#endif

#endif  // SCANLET_KERNELS_LAYER_H_
