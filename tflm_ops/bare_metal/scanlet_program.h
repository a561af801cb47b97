// SPDX-License-Identifier: Apache-2.0
// What a program on an emulated core may use. The program itself is `scanlet_main`.
#ifndef SCANLET_BARE_METAL_SCANLET_PROGRAM_H_
#define SCANLET_BARE_METAL_SCANLET_PROGRAM_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Written by the user; a value other than 0 is reported as a failure.
int scanlet_main(void);

// The input, placed in RAM by the emulator: writable, 16-byte aligned, counted in no section.
extern unsigned char scanlet_input[];
uint32_t scanlet_input_size(void);

// Appends bytes to the program's output, exactly as they lie in memory.
void scanlet_emit(const void* data, uint32_t size);

// Appends text to the program's log.
void scanlet_print(const char* text);
void scanlet_print_unsigned(uint32_t value);

// Instructions, memory accesses and stack depth are measured between these two calls. Several
// pairs add up; the stack is the deepest of them.
void scanlet_count_begin(void);
void scanlet_count_end(void);

#ifdef __cplusplus
}
#endif

#endif  // SCANLET_BARE_METAL_SCANLET_PROGRAM_H_
