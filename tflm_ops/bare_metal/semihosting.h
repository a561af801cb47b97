// SPDX-License-Identifier: Apache-2.0
// Host files through the semihosting protocol that Arm defined and RISC-V took over.
#ifndef SCANLET_BARE_METAL_SEMIHOSTING_H_
#define SCANLET_BARE_METAL_SEMIHOSTING_H_

#include <stdint.h>

#define SEMIHOSTING_OPEN 0x01u
#define SEMIHOSTING_WRITE 0x05u
#define SEMIHOSTING_EXIT 0x18u
#define SEMIHOSTING_MODE_WRITE_BINARY 5u
#define SEMIHOSTING_REASON_APPLICATION_EXIT 0x20026u

// `argument` is a block of words, or for SEMIHOSTING_EXIT the reason itself.
static inline int32_t semihosting_call(uint32_t operation, uintptr_t argument);

#if defined(__riscv)
static inline int32_t semihosting_call(uint32_t operation, uintptr_t argument) {
  register uintptr_t a0 __asm__("a0") = operation;
  register uintptr_t a1 __asm__("a1") = argument;
  // Three uncompressed instructions in one page are what the emulator recognises.
  __asm__ volatile(
      ".option push\n.option norvc\n.balign 16\n"
      "slli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n.option pop"
      : "+r"(a0)
      : "r"(a1)
      : "memory");
  return (int32_t)a0;
}
#else
static inline int32_t semihosting_call(uint32_t operation, uintptr_t argument) {
  register uintptr_t r0 __asm__("r0") = operation;
  register uintptr_t r1 __asm__("r1") = argument;
  __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
  return (int32_t)r0;
}
#endif

static inline int32_t semihosting_open(const char* name, uint32_t name_length) {
  const uintptr_t block[3] = {(uintptr_t)name, SEMIHOSTING_MODE_WRITE_BINARY, name_length};
  return semihosting_call(SEMIHOSTING_OPEN, (uintptr_t)block);
}

static inline void semihosting_write(int32_t handle, const void* data, uint32_t size) {
  const uintptr_t block[3] = {(uintptr_t)handle, (uintptr_t)data, size};
  (void)semihosting_call(SEMIHOSTING_WRITE, (uintptr_t)block);
}

static inline _Noreturn void semihosting_exit(void) {
  for (;;) (void)semihosting_call(SEMIHOSTING_EXIT, SEMIHOSTING_REASON_APPLICATION_EXIT);
}

#endif  // SCANLET_BARE_METAL_SEMIHOSTING_H_
