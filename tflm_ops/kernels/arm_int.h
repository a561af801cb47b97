// SPDX-License-Identifier: Apache-2.0
// Whether integer kernels for Cortex-M with the DSP extension are used.
#ifndef SCANLET_KERNELS_ARM_INT_H_
#define SCANLET_KERNELS_ARM_INT_H_

#include "int_layout.h"
#include "madd.h"

#if SCANLET_INT_LAYOUT == SCANLET_ROWS_DSP && defined(__ARM_FEATURE_DSP) && \
    defined(__ARM_ARCH_PROFILE) && (__ARM_ARCH_PROFILE == 'M') && defined(__ARM_FP)
#define SCANLET_ARM_DSP 1
#else
#define SCANLET_ARM_DSP 0
#endif

// Assembly text of one instruction.
#define SCANLET_LINE(text) text "\n\t"

#if SCANLET_ARM_DSP

#include <arm_acle.h>

// Two int16 in one word.
SCANLET_INLINE int16x2_t scanlet_arm_pair(const int32_t low, const int32_t high) {
  int16x2_t pair;
  __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(low), "r"(high));
  return pair;
}

#endif  // SCANLET_ARM_DSP

#endif  // SCANLET_KERNELS_ARM_INT_H_
