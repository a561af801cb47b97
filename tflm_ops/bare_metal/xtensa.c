// SPDX-License-Identifier: Apache-2.0
// Xtensa: host files through the simulator call, exception report.

#include "core.h"

#define SIMCALL_EXIT 1u
#define SIMCALL_WRITE 4u
#define SIMCALL_OPEN 5u
#define OPEN_WRITE_CREATE_TRUNCATE 0x241u  // as the host's open() has them on Linux

#define XTENSA_NULL_POINTER 63u  // set by xtensa_startup.s

// In xtensa_startup.s.
int32_t xtensa_simcall(uint32_t operation, uintptr_t a, uintptr_t b, uintptr_t c);

int32_t core_open(const char* name, uint32_t name_length) {
  (void)name_length;
  return xtensa_simcall(SIMCALL_OPEN, (uintptr_t)name, OPEN_WRITE_CREATE_TRUNCATE, 0x1b6u);
}

void core_write(int32_t handle, const void* data, uint32_t size) {
  (void)xtensa_simcall(SIMCALL_WRITE, (uintptr_t)handle, (uintptr_t)data, size);
}

_Noreturn void core_exit(void) {
  for (;;) (void)xtensa_simcall(SIMCALL_EXIT, 0u, 0u, 0u);
}

__attribute__((used)) _Noreturn void xtensa_report(uint32_t cause, uint32_t pc, uint32_t address,
                                                   uint32_t return_address, uint32_t stack) {
  const struct fault_value values[] = {
      {"pc", pc}, {"exccause", cause}, {"address", address}, {"a0", return_address}, {"a1", stack},
  };
  const uint32_t inside = stack >= (uint32_t)(uintptr_t)scanlet_stack_limit;
  const char* kind = cause == XTENSA_NULL_POINTER ? "null pointer" : "exception";
  program_fault(inside ? kind : "stack overflow", values, 5u);
}
