// SPDX-License-Identifier: Apache-2.0
// Whether kernels for Cortex-M with a scalar float unit are used, and their multiply-add.
#ifndef SCANLET_KERNELS_ARM_H_
#define SCANLET_KERNELS_ARM_H_

#include "madd.h"
#include "mve.h"

// Builds without optimisation take the portable kernels: there compilers run out of registers.
#if defined(__OPTIMIZE__) && defined(__ARM_ARCH_PROFILE) && (__ARM_ARCH_PROFILE == 'M') && \
    defined(__ARM_FP) && (__ARM_FP & 4) && !SCANLET_MVE
#define SCANLET_ARM 1
#else
#define SCANLET_ARM 0
#endif

#if SCANLET_ARM

// acc += a * b with one rounding, or with two (the product's and the sum's).
#if SCANLET_FUSED_MADD
#define SCANLET_ARM_MADD "vfma.f32 "
#else
#define SCANLET_ARM_MADD "vmla.f32 "
#endif

// All float registers, for the list of those that assembly changes.
#define SCANLET_ARM_ALL_FLOATS                                                                   \
  "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "s12", "s13", "s14", \
      "s15", "s16", "s17", "s18", "s19", "s20", "s21", "s22", "s23", "s24", "s25", "s26", "s27", \
      "s28", "s29", "s30", "s31"

// Assembly text of one instruction.
#define SCANLET_OP(text) text "\n\t"

#endif  // SCANLET_ARM

#endif  // SCANLET_KERNELS_ARM_H_
