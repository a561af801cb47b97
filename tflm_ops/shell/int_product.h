// SPDX-License-Identifier: Apache-2.0
// Products with int8 weights, one scale for each output: fully connected, convolution along time.
#ifndef SCANLET_SHELL_INT_PRODUCT_H_
#define SCANLET_SHELL_INT_PRODUCT_H_

#include "conv1d.h"
#include "int_core.h"

// What turns a sum into an output. Biases are int32 for int8 activations, int64 for int16, in
// steps of the sum; NULL for none.
typedef struct {
  int32_t x_zero;
  const void* bias;
  const int32_t* factor;
  const int8_t* shift;
  scanlet_q_output y;
} scanlet_q_rows;

// sum_k (x[k] - zero) w[k]. The sum of int8 fits 32 bits up to 65,000 products.
SCANLET_INLINE int64_t scanlet_q_dot(const scanlet_q_type type, const void* const x,
                                     const ptrdiff_t at, const int8_t* const w, const int32_t depth,
                                     const int32_t zero) {
  if (type == SCANLET_Q8) {
    const int8_t* const in = (const int8_t*)x + at;
    int32_t sum = 0;
    for (int32_t k = 0; k < depth; ++k) sum += (in[k] - zero) * w[k];
    return sum;
  }
  const int16_t* const in = (const int16_t*)x + at;
  int64_t sum = 0;
  for (int32_t k = 0; k < depth; ++k) {
    const int32_t product = in[k] * w[k];
    sum += product;
  }
  return sum;
}

SCANLET_INLINE int32_t scanlet_q_finish(const scanlet_q_type type, int64_t sum,
                                        const scanlet_q_rows* const rows, const int32_t o) {
  const scanlet_q_factor by = {rows->factor[o], rows->shift[o]};
  if (type == SCANLET_Q8) {
    if (rows->bias != NULL) sum += ((const int32_t*)rows->bias)[o];
    return scanlet_q_saturate(scanlet_q_rescale((int32_t)sum, by), rows->y);
  }
  if (rows->bias != NULL) sum += ((const int64_t*)rows->bias)[o];
  return scanlet_q_saturate(scanlet_q_rescale_wide(sum, by), rows->y);
}

// x (count, depth), weight (outputs, depth), y (count, outputs)
SCANLET_INLINE void scanlet_q_linear(const scanlet_q_type type, const void* const x,
                                     const int8_t* const weight, void* const y, const int32_t count,
                                     const int32_t depth, const int32_t outputs,
                                     const scanlet_q_rows* const rows) {
  for (int32_t row = 0; row < count; ++row) {
    for (int32_t o = 0; o < outputs; ++o) {
      const int64_t sum = scanlet_q_dot(type, x, (ptrdiff_t)row * depth,
                                        weight + (ptrdiff_t)o * depth, depth, rows->x_zero);
      scanlet_q_store(type, y, (ptrdiff_t)row * outputs + o, scanlet_q_finish(type, sum, rows, o));
    }
  }
}

// As scanlet_conv1d: weight (out_channels, kernel, channels), or for depthwise (out_channels,
// kernel, 1). Taps outside the input count as zero.
SCANLET_INLINE void scanlet_q_conv1d(const scanlet_q_type type, const void* const x,
                                     const int8_t* const weight, void* const y,
                                     const scanlet_conv1d_shape* const s,
                                     const scanlet_q_rows* const rows) {
  const int32_t depth = s->depthwise ? 1 : s->channels;
  const int32_t multiplier = s->depthwise ? s->out_channels / s->channels : 1;
  for (int32_t t = 0; t < s->out_length; ++t) {
    for (int32_t o = 0; o < s->out_channels; ++o) {
      const int8_t* const w = weight + (ptrdiff_t)o * s->kernel * depth;
      int64_t sum = 0;
      for (int32_t tap = 0; tap < s->kernel; ++tap) {
        const int32_t from = t * s->stride + tap * s->dilation - s->left_padding;
        if (from < 0 || from >= s->length) continue;
        const ptrdiff_t at = (ptrdiff_t)from * s->channels + (s->depthwise ? o / multiplier : 0);
        sum += scanlet_q_dot(type, x, at, w + (ptrdiff_t)tap * depth, depth, rows->x_zero);
      }
      scanlet_q_store(type, y, (ptrdiff_t)t * s->out_channels + o,
                      scanlet_q_finish(type, sum, rows, o));
    }
  }
}

#endif  // SCANLET_SHELL_INT_PRODUCT_H_
