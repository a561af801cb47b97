// SPDX-License-Identifier: Apache-2.0
// Layer and RMS normalization of a tile's steps in integers; the norm's weight is in_proj's matter.
#ifndef SCANLET_KERNELS_INT_NORM_H_
#define SCANLET_KERNELS_INT_NORM_H_

#include <stddef.h>
#include <stdint.h>

#include "int_layout.h"
#include "int_scale.h"
#include "madd.h"

// The largest root with root^2 <= value < 2^63, bit by bit.
SCANLET_INLINE uint32_t scanlet_int_sqrt(const uint64_t value) {
  uint64_t rest = value;
  uint64_t root = 0;
  for (uint64_t bit = (uint64_t)1 << 62; bit != 0u; bit >>= 2) {
    const uint64_t trial = root + bit;
    root >>= 1;
    if (rest >= trial) {
      rest -= trial;
      root += bit;
    }
  }
  return (uint32_t)root;
}

// value / divisor, divisor <= 2^16: long division by digits of 16 bits, as not every core's
// compiler library divides 64 bits.
SCANLET_INLINE uint64_t scanlet_int_divide(const uint64_t value, const uint32_t divisor) {
  uint64_t quotient = 0;
  uint32_t rest = 0;
  for (int32_t shift = 48; shift >= 0; shift -= 16) {
    const uint32_t digits = rest << 16 | (uint32_t)(value >> shift & 0xffffu);
    quotient = quotient << 16 | digits / divisor;
    rest = digits % divisor;
  }
  return quotient;
}

// 2^61 / divisor, 2^30 <= divisor < 2^31: bit by bit from the 2^29 that is below any divisor.
SCANLET_INLINE uint32_t scanlet_int_inverse(const uint32_t divisor) {
  uint32_t quotient = 0;
  uint32_t rest = (uint32_t)1 << 29;
  for (int32_t bit = 0; bit < 32; ++bit) {
    rest <<= 1;
    quotient <<= 1;
    if (rest >= divisor) {
      rest -= divisor;
      quotient |= 1;
    }
  }
  return quotient;
}

SCANLET_INLINE int32_t scanlet_int_bit_length(uint32_t value) {
  int32_t bits = 0;
  for (; value != 0u; value >>= 1) ++bits;
  return bits;
}

// y = c / sqrt(mean square of c + eps) * 2^fraction for the first `steps` columns, c = x or, with
// `centre` 1, width * x - sum of x. Element (m, t) lies at m * k_stride + t * t_stride of both.
//
// width <= 1024: |c| <= 2^26, sums of squares are below 2^62; eps < 2^62, so the root takes 32 bits
// at most and the inverse, of a root scaled to 31 bits, lies in (2^30, 2^31]. Their product with c
// is below 2^58.
SCANLET_NOINLINE void scanlet_int_norm(const int16_t* const x, int16_t* const y,
                                       const int32_t width, const int32_t steps,
                                       const int32_t k_stride, const int32_t t_stride,
                                       const int32_t centre, const int32_t fraction,
                                       const uint64_t eps) {
  for (int32_t t = 0; t < steps; ++t) {
    const int16_t* const in = x + (ptrdiff_t)t * t_stride;
    int16_t* const out = y + (ptrdiff_t)t * t_stride;
    int32_t sum = 0;
    for (int32_t m = 0; m < (centre ? width : 0); ++m) sum += in[scanlet_int_place(m, k_stride)];
    const int32_t times = centre ? width : 1;
    uint64_t squares = 0;
    for (int32_t m = 0; m < width; ++m) {
      const int32_t c = in[scanlet_int_place(m, k_stride)] * times - sum;
      squares += (uint64_t)((int64_t)c * c);
    }
    const uint32_t found = scanlet_int_sqrt(scanlet_int_divide(squares, (uint32_t)width) + eps);
    const uint32_t root = found > 0u ? found : 1u;
    const int32_t lift = 31 - scanlet_int_bit_length(root);
    const uint32_t scaled = lift >= 0 ? root << lift : root >> 1;
    const int64_t inverse = scanlet_int_inverse(scaled);
    const int32_t down = 61 - lift - fraction;
    for (int32_t m = 0; m < width; ++m) {
      const int32_t c = in[scanlet_int_place(m, k_stride)] * times - sum;
      const int64_t value = (c * inverse + ((int64_t)1 << (down - 1))) >> down;
      const int64_t most = value > 32767 ? 32767 : value;
      out[scanlet_int_place(m, k_stride)] = (int16_t)(most < -32768 ? -32768 : most);
    }
  }
}

#endif  // SCANLET_KERNELS_INT_NORM_H_
