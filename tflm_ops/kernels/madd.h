// SPDX-License-Identifier: Apache-2.0
// The one multiply-add of all kernels, and the hints that let compilers keep tiles in registers.
#ifndef SCANLET_KERNELS_MADD_H_
#define SCANLET_KERNELS_MADD_H_

// SCANLET_FUSED_MADD 1: one rounding (a fused instruction). 0: multiply, round, add, round, which
// gives the same bits on every core; such a build also needs -ffp-contract=off.
#ifndef SCANLET_FUSED_MADD
#define SCANLET_FUSED_MADD 0
#endif

#if SCANLET_FUSED_MADD
#define SCANLET_MADD(acc, a, b) __builtin_fmaf((a), (b), (acc))
#else
#define SCANLET_MADD(acc, a, b) ((acc) + (a) * (b))
#endif

// The larger and the smaller of x and a constant; a NaN in x may give either.
#if defined(__ARM_FEATURE_NUMERIC_MAXMIN) || (defined(__ARM_ARCH_7EM__) && (__ARM_FP & 8))
#define SCANLET_MAX(x, limit) __builtin_fmaxf((x), (limit))
#define SCANLET_MIN(x, limit) __builtin_fminf((x), (limit))
#else
#define SCANLET_MAX(x, limit) ((x) < (limit) ? (limit) : (x))
#define SCANLET_MIN(x, limit) ((x) > (limit) ? (limit) : (x))
#endif

#define SCANLET_PRAGMA(text) _Pragma(#text)
#define SCANLET_UNROLL(count) SCANLET_PRAGMA(GCC unroll count)

// Kernels take tile sizes as literals: only inlined do the loops over them unroll.
#define SCANLET_INLINE static inline __attribute__((always_inline))

// A function of its own: what runs rarely, or for layers of all shapes.
#define SCANLET_NOINLINE static __attribute__((noinline, unused))

#endif  // SCANLET_KERNELS_MADD_H_
