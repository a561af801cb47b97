// SPDX-License-Identifier: Apache-2.0
// Whether kernels for Cortex-M with a scalar float unit are used, and their multiply-add.
#ifndef SCANLET_KERNELS_ARM_H_
#define SCANLET_KERNELS_ARM_H_

#include "madd.h"
#include "mve.h"

#if defined(__ARM_ARCH_PROFILE) && (__ARM_ARCH_PROFILE == 'M') && defined(__ARM_FP) && \
    (__ARM_FP & 4) && !SCANLET_MVE
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

// Assembly text of one instruction.
#define SCANLET_OP(text) text "\n\t"

#endif  // SCANLET_ARM

#endif  // SCANLET_KERNELS_ARM_H_
