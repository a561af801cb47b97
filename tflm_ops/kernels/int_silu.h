// SPDX-License-Identifier: Apache-2.0
// x * sigmoid(x) in fixed point.
#ifndef SCANLET_KERNELS_INT_SILU_H_
#define SCANLET_KERNELS_INT_SILU_H_

#include <stdint.h>

#include "arm_int_silu.h"
#include "int_scale.h"
#include "int_tables.h"
#include "madd.h"
#include "xtensa_int_silu.h"

// Argument (an int16) and result have `fraction` fractional bits, 5 to 20. Interpolated between
// the table's 32 entries a unit; beyond 16 units the last two. The last product is at most 2^30.
SCANLET_INLINE int32_t scanlet_int_silu(const int32_t value, const int32_t fraction) {
  const int32_t low = fraction - 5;
#if SCANLET_XTENSA_MAC16
  return scanlet_xtensa_int_silu(value, low, (1 << low) - 1, scanlet_sigmoid_table + 512);
#else
  const int32_t entry = scanlet_int_entry(value >> low);
  const int32_t rest = value & ((1 << low) - 1);
#if SCANLET_ARM_DSP
  const uint32_t* middle = scanlet_sigmoid_steps + 512;
  __asm__("" : "+r"(middle));  // kept in a register
  const uint32_t line = middle[entry];
  const int32_t base = (int32_t)(line >> 16);
  const int32_t moved = (int16_t)line * (int16_t)rest;  // SMULBB
#else
  const uint16_t* const at = scanlet_sigmoid_table + 512 + entry;
  const int32_t base = at[0];
  const int32_t moved = (at[1] - base) * rest;
#endif
  const int32_t sigmoid = base + (moved >> low);
  return (value * sigmoid + (1 << 14)) >> 15;
#endif
}

#endif  // SCANLET_KERNELS_INT_SILU_H_
