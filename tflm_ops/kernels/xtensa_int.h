// SPDX-License-Identifier: Apache-2.0
// Xtensa: which instructions the integer kernels use, and rescaling without MULSH.
//
// ESP32 and ESP32-S3 have all of them; layers are planned for SCANLET_ROWS_PAIRS only for such
// cores.
#ifndef SCANLET_KERNELS_XTENSA_INT_H_
#define SCANLET_KERNELS_XTENSA_INT_H_

#include <stdint.h>

#include "int_layout.h"
#include "madd.h"

#if defined(__XTENSA__) && defined(__has_include)
#if __has_include(<xtensa/config/core-isa.h>)
#include <xtensa/config/core-isa.h>
#endif
#endif

// 16-bit multiply-accumulate into 40 bits (MAC16), zero-overhead loops, CLAMPS, MINMAX, SEXT.
// Unoptimized, literals would not reach the assembly.
#if defined(__XTENSA__) && defined(__OPTIMIZE__) && SCANLET_INT_LAYOUT == SCANLET_ROWS_PAIRS
#define SCANLET_XTENSA_MAC16 1
#else
#define SCANLET_XTENSA_MAC16 0
#endif

// The upper half of a 32-bit product, MULSH, which emulated cores lack.
#if defined(XCHAL_HAVE_MUL32_HIGH)
#define SCANLET_XTENSA_MULSH XCHAL_HAVE_MUL32_HIGH
#else
#define SCANLET_XTENSA_MULSH 0
#endif

// Unrolling over a tile's steps takes LLVM more registers than there are.
#if SCANLET_XTENSA_MAC16
#define SCANLET_INT_TILE_UNROLL 1
#else
#define SCANLET_INT_TILE_UNROLL 8
#endif

// Assembly text of one instruction.
#define SCANLET_XTENSA_LINE(text) text "\n\t"

// What assembly with MAC16 or shifts changes besides its operands. gcc uses the accumulator itself
// and has a name for it. No compiler keeps anything in the registers m0 to m3, nor in those of a
// loop around a piece of assembly.
#if defined(__clang__)
#define SCANLET_XTENSA_CLOBBERS "sar", "memory"
#else
#define SCANLET_XTENSA_CLOBBERS "acc", "memory"
#endif

#if defined(__XTENSA__) && !SCANLET_XTENSA_MULSH

// 2^15 in a register: LLVM would load it for each use.
SCANLET_INLINE int32_t scanlet_xtensa_half(void) {
  int32_t half = 1 << 15;
  __asm__("" : "+r"(half));
  return half;
}

// value * factor / 2^32 from halves of 16 bits, both signed: high * 2^16 + low; high, the upper
// half of value to nearest, goes up to 2^15. The middle sum lies within +-(2^31 - 2^14) for 0 <=
// factor, and where low is zero.
SCANLET_INLINE int32_t scanlet_xtensa_scale(const int32_t value, const int32_t high,
                                            const int32_t factor) {
  const int32_t low = (int16_t)value;
  const int32_t factor_low = (int16_t)factor;
  const int32_t factor_high = ((factor >> 15) + 1) >> 1;
  const int32_t lowest = (low * factor_low >> 16) + scanlet_xtensa_half();
  return high * factor_high + ((lowest + low * factor_high + high * factor_low) >> 16);
}

#endif  // defined(__XTENSA__) && !SCANLET_XTENSA_MULSH

#endif  // SCANLET_KERNELS_XTENSA_INT_H_
