// SPDX-License-Identifier: Apache-2.0
// RV32: reset, trap report.

#include "core.h"
#include "scanlet_program.h"
#include "semihosting.h"

int32_t core_open(const char* name, uint32_t name_length) {
  return semihosting_open(name, name_length);
}

void core_write(int32_t handle, const void* data, uint32_t size) {
  semihosting_write(handle, data, size);
}

_Noreturn void core_exit(void) { semihosting_exit(); }

__attribute__((naked)) void scanlet_count_begin(void) {
  __asm__ volatile("mv a0, sp\n j program_count_begin");
}

__attribute__((used)) _Noreturn void riscv_report(uint32_t cause, uint32_t pc, uint32_t value,
                                                  uint32_t ra, uint32_t stack) {
  const struct fault_value values[] = {
      {"pc", pc}, {"mcause", cause}, {"mtval", value}, {"ra", ra}, {"sp", stack},
  };
  const uint32_t inside = stack >= (uint32_t)(uintptr_t)scanlet_stack_limit;
  program_fault(inside ? "trap" : "stack overflow", values, 5u);
}

// Takes a fresh stack: the old one may be what failed.
__attribute__((naked, used, aligned(4))) void riscv_trap(void) {
  __asm__ volatile(
      "csrr a0, mcause\n"
      "csrr a1, mepc\n"
      "csrr a2, mtval\n"
      "mv a3, ra\n"
      "mv a4, sp\n"
      "la sp, scanlet_stack_top\n"
      "j riscv_report\n");
}

// Locks the 64 KB below the stack, which the linker script leaves free: no access at all.
__attribute__((used)) _Noreturn void riscv_start(void) {
  const uint32_t guard = (uint32_t)(uintptr_t)scanlet_stack_limit - 0x10000u;
  const uint32_t naturally_aligned_64k = 0x1fffu;  // ones below the size's bit, in units of 4 bytes
  const uint32_t locked_napot_nothing = 0x98u;
  __asm__ volatile("csrw pmpaddr0, %0" ::"r"((guard >> 2) | naturally_aligned_64k));
  __asm__ volatile("csrw pmpcfg0, %0" ::"r"(locked_napot_nothing));
  program_start();
}

__attribute__((naked, used, section(".vectors"))) void riscv_reset(void) {
  __asm__ volatile(
      "la sp, scanlet_stack_top\n"
      "la t0, riscv_trap\n"
      "csrw mtvec, t0\n"
      "j riscv_start\n");
}
