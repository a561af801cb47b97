// SPDX-License-Identifier: Apache-2.0
// What each core provides to program.c, and what program.c provides to the cores.
#ifndef SCANLET_BARE_METAL_CORE_H_
#define SCANLET_BARE_METAL_CORE_H_

#include <stdint.h>

// Files of the host, through semihosting. `core_open` creates the file and gives its handle.
int32_t core_open(const char* name, uint32_t name_length);
void core_write(int32_t handle, const void* data, uint32_t size);
_Noreturn void core_exit(void);

// One value of a fault report, such as the program counter.
struct fault_value {
  const char* name;
  uint32_t value;
};

// Where a core's reset code goes once registers, stack and float unit are set up.
_Noreturn void program_start(void);
// Where a core's fault handler goes: writes the report and ends the program.
_Noreturn void program_fault(const char* kind, const struct fault_value* values, uint32_t count);

// What a core's scanlet_count_begin goes on with, given the stack pointer of its caller. (That one
// is assembly: what a compiler adds to a function would count as stack of the program.)
void program_count_begin(uint32_t* caller_stack);

// Placed by the linker script.
extern uint32_t scanlet_stack_limit[];
extern uint32_t scanlet_stack_top[];

// Fills memory from `word`, which lies below the stack pointer, up to the stack pointer. One piece
// of assembly: around a loop in C the compiler may still push registers into what is painted.
static inline void core_paint_stack(uint32_t* word, uint32_t paint) {
#if defined(__xtensa__)
  __asm__ volatile("1: s32i %1, %0, 0\n addi %0, %0, 4\n bltu %0, a1, 1b"
                   : "+r"(word)
                   : "r"(paint)
                   : "memory");
#elif defined(__riscv)
  __asm__ volatile("1: sw %1, 0(%0)\n addi %0, %0, 4\n bltu %0, sp, 1b"
                   : "+r"(word)
                   : "r"(paint)
                   : "memory");
#else
  __asm__ volatile("1: str %1, [%0], #4\n cmp sp, %0\n bhi 1b"
                   : "+r"(word)
                   : "r"(paint)
                   : "memory", "cc");
#endif
}

#endif  // SCANLET_BARE_METAL_CORE_H_
