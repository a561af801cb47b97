// SPDX-License-Identifier: Apache-2.0
// How the integer kernels' activations and weights lie in memory, and what goes with a channel.
//
// Element (k, t) of an activation tile of T steps lies at k * k_stride + t * t_stride:
//   SCANLET_COLUMNS    (depth, T): strides T and 1. Weights in blocks of SCANLET_INT_LANES outputs,
//                      (blocks, depth, lanes): one pointer walks them.
//   SCANLET_ROWS_PAIRS   (T, depth), depth padded to 4: strides 1 and depth. Weights (outputs,
//                      depth), zeros where padded; of each four the bytes k, k + 2, k + 1, k + 3,
//                      so that one mask gives pairs of neighbours (SXTB16 on Arm; Xtensa's MAC16).
//                      For the ESP32-S3 depth is padded to 16, so that every row starts at a
//                      multiple of 16 bytes and consists of whole vectors.
//   SCANLET_ROWS_DSP     the same, and B and C of a step apart, each padded to 2; so are
//                      a channel's state and rates.
//   SCANLET_OCTETS     (depth / 8, T, 8), depth padded to 8: strides T and 8, the former from octet
//                      to octet, in octets. Weights (outputs / 2, depth / 8, 2, 8), zeros where
//                      padded: one pointer walks those of two outputs. Vectors run across channels
//                      in the convolution, whose weights are (taps, channels).
// Outputs are padded to whole lanes everywhere. The generated C defines SCANLET_INT_LAYOUT and
// SCANLET_INT_LANES ahead of the kernels.
#ifndef SCANLET_KERNELS_INT_LAYOUT_H_
#define SCANLET_KERNELS_INT_LAYOUT_H_

#include <stddef.h>
#include <stdint.h>

#include "madd.h"

#define SCANLET_COLUMNS 1
#define SCANLET_ROWS_PAIRS 2
#define SCANLET_OCTETS 3
#define SCANLET_ROWS_DSP 4

#ifndef SCANLET_INT_LAYOUT
#define SCANLET_INT_LAYOUT SCANLET_COLUMNS
#endif
#ifndef SCANLET_INT_LANES
#define SCANLET_INT_LANES 4
#endif

// The largest time tile and the widest convolution.
#define SCANLET_INT_MAX_T 8
#define SCANLET_INT_MAX_D_CONV 24

// Where feature k lies; k_stride as above.
SCANLET_INLINE ptrdiff_t scanlet_int_place(const int32_t k, const int32_t k_stride) {
#if SCANLET_INT_LAYOUT == SCANLET_OCTETS
  return (ptrdiff_t)(k & ~7) * k_stride + (k & 7);
#else
  return (ptrdiff_t)k * k_stride;
#endif
}

// One output of a product: int16 result = saturate(scale(bias + product, factor)).
typedef struct {
  int32_t bias;
  int32_t factor;
} scanlet_row;

// One channel; the fields of CHANNEL_FIELDS in graph/operators/integer_ssm.py.
typedef struct {
  int32_t conv_bias;
  int32_t conv_factor;
  int32_t conv_fraction;  // fractional bits of SiLU's argument and of u, 5 to 20
  int32_t dt_bias;
  int32_t dt_factor;
  int32_t delta_factor;
  int32_t du_factor;
  int32_t rate_shift;  // 8 to 23
  int32_t d_factor;    // may be negative
  int32_t y_factor;
  int32_t gate_fraction;  // fractional bits of z, 5 to 20
  int32_t gate_factor;
  int32_t pool_factor;
} scanlet_channel;

#endif  // SCANLET_KERNELS_INT_LAYOUT_H_
