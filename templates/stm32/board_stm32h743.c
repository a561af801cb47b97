// SPDX-License-Identifier: Apache-2.0
// The STM32H743, as reset leaves it: 64 MHz from the internal oscillator, no port. This file is the
// place for the hooks of your board; startup/startup.h lists them, README.md shows a UART.
#include "startup.h"

#define REGISTER(address) (*(volatile uint32_t*)(address))
#define DBGMCU_IDCODE REGISTER(0x5c001000u)
#define AXI_TARG7_FN_MOD REGISTER(0x51008108u)
#define IDCODE_REVISION_V 0x20000000u

// Both are weak so that ST's system_stm32h7xx.c can take their place.
__attribute__((weak)) uint32_t SystemCoreClock = 64000000u;

__attribute__((weak)) void SystemInit(void) {
  // Chips before revision V may read wrong values from AXI SRAM (errata sheet ES0392) unless its
  // port takes one read at a time.
  if ((DBGMCU_IDCODE & 0xffff0000u) < IDCODE_REVISION_V) AXI_TARG7_FN_MOD = 1u;
}
