// SPDX-License-Identifier: Apache-2.0
// The few functions of math.h that generated code and the naive transcription use.
#ifndef SCANLET_BARE_METAL_RISCV_LIBC_MATH_H_
#define SCANLET_BARE_METAL_RISCV_LIBC_MATH_H_

#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")

float sqrtf(float x);

// In small_libm.c.
float expf(float x);
float logf(float x);

static inline float fabsf(float x) { return __builtin_fabsf(x); }

#endif  // SCANLET_BARE_METAL_RISCV_LIBC_MATH_H_
