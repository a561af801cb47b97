// SPDX-License-Identifier: Apache-2.0
// Pointwise operators of two tensors with broadcasting (an axis of stride 0 repeats).
#ifndef SCANLET_SHELL_BINARY_H_
#define SCANLET_SHELL_BINARY_H_

#include <stddef.h>
#include <stdint.h>

typedef enum {
  SCANLET_ADD,
  SCANLET_SUB,
  SCANLET_MUL,
  SCANLET_DIV,
  SCANLET_MAXIMUM,
  SCANLET_MINIMUM,
  SCANLET_SQUARED_DIFFERENCE
} scanlet_binary_kind;

// Output extents (four axes, leading ones) and each operand's strides in elements.
typedef struct {
  int32_t extent[4];
  int32_t first[4];
  int32_t second[4];
} scanlet_broadcast;

static inline float scanlet_binary_one(const scanlet_binary_kind kind, const float a,
                                       const float b) {
  switch (kind) {
    case SCANLET_ADD:
      return a + b;
    case SCANLET_SUB:
      return a - b;
    case SCANLET_MUL:
      return a * b;
    case SCANLET_DIV:
      return a / b;
    case SCANLET_MAXIMUM:
      return a > b ? a : b;
    case SCANLET_MINIMUM:
      return a < b ? a : b;
    case SCANLET_SQUARED_DIFFERENCE:
    default:
      return (a - b) * (a - b);
  }
}

// `kind` is a literal at every call, so the switch is decided at compile time.
static inline void scanlet_binary(const scanlet_binary_kind kind, const float* first,
                                  const float* second, float* y, const scanlet_broadcast* const s) {
  for (int32_t a = 0; a < s->extent[0]; ++a) {
    for (int32_t b = 0; b < s->extent[1]; ++b) {
      for (int32_t c = 0; c < s->extent[2]; ++c) {
        const float* p = first + (ptrdiff_t)a * s->first[0] + (ptrdiff_t)b * s->first[1] +
                         (ptrdiff_t)c * s->first[2];
        const float* q = second + (ptrdiff_t)a * s->second[0] + (ptrdiff_t)b * s->second[1] +
                         (ptrdiff_t)c * s->second[2];
        for (int32_t d = 0; d < s->extent[3]; ++d) {
          *y = scanlet_binary_one(kind, *p, *q);
          ++y;
          p += s->first[3];
          q += s->second[3];
        }
      }
    }
  }
}

#endif  // SCANLET_SHELL_BINARY_H_
