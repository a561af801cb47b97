// SPDX-License-Identifier: Apache-2.0
// Loads of four consecutive floats.
#ifndef SCANLET_KERNELS_LOAD_FOUR_H_
#define SCANLET_KERNELS_LOAD_FOUR_H_

#include "madd.h"

// SCANLET_LOAD_FOUR(register, v, p): declares v0 to v3, reads them from p (aligned to 4 bytes) and
// moves p on by four. Compilers for Cortex-M do not use the instruction that loads several
// registers at once; it takes consecutive ones, from `register` on.
#if defined(__ARM_ARCH_7EM__) && (__ARM_FP & 4)
#define SCANLET_LOAD_FOUR(r0, r1, r2, r3, v, p)                     \
  register float v##0 __asm__(r0);                                  \
  register float v##1 __asm__(r1);                                  \
  register float v##2 __asm__(r2);                                  \
  register float v##3 __asm__(r3);                                  \
  __asm__("vldmia %0!, {" r0 "-" r3 "}"                             \
          : "+r"(p), "=t"(v##0), "=t"(v##1), "=t"(v##2), "=t"(v##3) \
          : "m"(*(const float (*)[4])(p)))
#else
#define SCANLET_LOAD_FOUR(r0, r1, r2, r3, v, p) \
  const float v##0 = (p)[0];                    \
  const float v##1 = (p)[1];                    \
  const float v##2 = (p)[2];                    \
  const float v##3 = (p)[3];                    \
  (p) += 4
#endif

#endif  // SCANLET_KERNELS_LOAD_FOUR_H_
