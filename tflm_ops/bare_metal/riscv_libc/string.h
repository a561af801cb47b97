// SPDX-License-Identifier: Apache-2.0
// The part of the C library that generated code and compilers use.
#ifndef SCANLET_BARE_METAL_RISCV_LIBC_STRING_H_
#define SCANLET_BARE_METAL_RISCV_LIBC_STRING_H_

#include <stddef.h>

void* memcpy(void* restrict target, const void* restrict source, size_t size);
void* memmove(void* target, const void* source, size_t size);
void* memset(void* target, int value, size_t size);
int memcmp(const void* a, const void* b, size_t size);
size_t strlen(const char* text);

#endif  // SCANLET_BARE_METAL_RISCV_LIBC_STRING_H_
