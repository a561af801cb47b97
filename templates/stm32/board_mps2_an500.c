// SPDX-License-Identifier: Apache-2.0
// The board mps2-an500 as QEMU emulates it: text and exit status through semihosting. Its counter
// follows the emulator's clock and says nothing about a chip.
#include "semihosting.h"
#include "startup.h"

#define FPGAIO_COUNTER (*(volatile uint32_t*)0x40028018u)
#define MPU_CTRL (*(volatile uint32_t*)0xe000ed94u)
#define MPU_RNR (*(volatile uint32_t*)0xe000ed98u)
#define MPU_RBAR (*(volatile uint32_t*)0xe000ed9cu)
#define MPU_RASR (*(volatile uint32_t*)0xe000eda0u)
#define SEMIHOSTING_EXIT_EXTENDED 0x20u

uint32_t SystemCoreClock = 25000000u;

// On the chip nothing lies below the stack's memory, so that an overflow faults. The emulator takes
// what is written there, all the way down to the code: 512 KB without access stand in.
void SystemInit(void) {
  MPU_RNR = 0u;
  MPU_RBAR = 0x1ff80000u;
  MPU_RASR = (1u << 28) | (18u << 1) | 1u;  // execute never, no access, 2^(18+1) bytes, enabled
  MPU_CTRL = (1u << 2) | 1u;                // everything else as without the unit
  __asm__ volatile("dsb\nisb" ::: "memory");
}

void scanlet_board_write(const char* text, uint32_t length) {
  static int32_t console;
  if (console == 0) console = semihosting_open(":tt", 3u);
  semihosting_write(console, text, length);
}

uint32_t scanlet_board_cycles(void) { return FPGAIO_COUNTER; }

void scanlet_board_finish(uint32_t failures) {
  const uintptr_t block[2] = {SEMIHOSTING_REASON_APPLICATION_EXIT, failures != 0u};
  (void)semihosting_call(SEMIHOSTING_EXIT_EXTENDED, (uintptr_t)block);
}
