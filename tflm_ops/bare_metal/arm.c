// SPDX-License-Identifier: Apache-2.0
// Cortex-M: vectors, reset, fault report.

#include "core.h"
#include "scanlet_program.h"
#include "semihosting.h"

#define CPACR (*(volatile uint32_t*)0xe000ed88u)
#define CFSR (*(volatile uint32_t*)0xe000ed28u)
#define HFSR (*(volatile uint32_t*)0xe000ed2cu)
#define MMFAR (*(volatile uint32_t*)0xe000ed34u)
#define BFAR (*(volatile uint32_t*)0xe000ed38u)
#define MPU_CTRL (*(volatile uint32_t*)0xe000ed94u)
#define MPU_RNR (*(volatile uint32_t*)0xe000ed98u)
#define MPU_RBAR (*(volatile uint32_t*)0xe000ed9cu)
#define MPU_RASR (*(volatile uint32_t*)0xe000eda0u)  // MPU_RLAR on Armv8-M

#define CFSR_MMARVALID (1u << 7)
#define CFSR_BFARVALID (1u << 15)

int32_t core_open(const char* name, uint32_t name_length) {
  return semihosting_open(name, name_length);
}

void core_write(int32_t handle, const void* data, uint32_t size) {
  semihosting_write(handle, data, size);
}

_Noreturn void core_exit(void) { semihosting_exit(); }

__attribute__((naked)) void scanlet_count_begin(void) {
  __asm__ volatile("mov r0, sp\n b program_count_begin");
}

// The program may not touch addresses 0 to 1023, so that null pointers fault. The vector table that
// lies there on some boards is read by the hardware, which the protection unit does not stop. (A
// smaller region would do, but the emulator's own accesses obey it by pages of that size.)
static void protect_null(void) {
#if __ARM_ARCH >= 8
  // No attribute says "no access at all", but an address in two regions always faults.
  for (uint32_t region = 0; region < 2u; ++region) {
    MPU_RNR = region;
    MPU_RBAR = 0u;
    MPU_RASR = (1023u & ~31u) | 1u;
  }
#else
  MPU_RNR = 0u;
  MPU_RBAR = 0u;
  MPU_RASR = (1u << 28) | (9u << 1) | 1u;  // execute never, no access, 2^(9+1) bytes, enabled
#endif
  MPU_CTRL = (1u << 2) | 1u;  // everything else as without the unit
  __asm__ volatile("dsb\nisb" ::: "memory");
}

_Noreturn void arm_reset(void) {
  CPACR |= 0xfu << 20;  // float (and vector) unit; its control register keeps its reset value
  __asm__ volatile("dsb\nisb" ::: "memory");
  protect_null();
  program_start();
}

// `frame` is what the hardware pushed: r0-r3, r12, lr, pc, xpsr.
__attribute__((used)) _Noreturn void arm_report(const uint32_t* frame, uint32_t exception) {
  const uint32_t cfsr = CFSR;
  const uintptr_t position = (uintptr_t)frame;
  const uint32_t readable =
      position >= (uintptr_t)scanlet_stack_limit && position + 32u <= (uintptr_t)scanlet_stack_top;
  uint32_t address = 0;
  if (cfsr & CFSR_MMARVALID) address = MMFAR;
  if (cfsr & CFSR_BFARVALID) address = BFAR;
  const struct fault_value values[] = {
      {"pc", readable ? frame[6] : 0u},
      {"lr", readable ? frame[5] : 0u},
      {"cfsr", cfsr},
      {"hfsr", HFSR},
      {"address", address},
  };
  const char* kind = exception == 3u ? "HardFault" : "unexpected exception";
  program_fault(readable ? kind : "stack overflow", values, 5u);
}

// Takes a fresh stack: the old one may be what failed.
__attribute__((naked, used)) void arm_exception(void) {
  __asm__ volatile(
      "mov r0, sp\n"
      "mrs r1, ipsr\n"
      "ldr r2, =scanlet_stack_top\n"
      "mov sp, r2\n"
      "b arm_report\n");
}

typedef void (*vector)(void);

__attribute__((used, section(".vectors"))) const vector arm_vectors[16] = {
    (vector)(uintptr_t)scanlet_stack_top,
    (vector)arm_reset,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
    arm_exception,
};
