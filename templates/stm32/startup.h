// SPDX-License-Identifier: Apache-2.0
// The start of the firmware, and its hooks. What is called a hook has a weak default: define a
// function of that name in boards/ or in a file of your own, and it takes the default's place.
// scanlet_board_write, _cycles and _hertz (board.h) are hooks, too.
#ifndef SCANLET_STARTUP_H_
#define SCANLET_STARTUP_H_

#include <stdint.h>

#include "board.h"

// CMSIS's names, defined in boards/: clocks and power, called before variables are set up; hertz
// of the core, for latencies.
void SystemInit(void);
extern uint32_t SystemCoreClock;

// Hook, called first in main. The default switches on both caches and the cycle counter; yours
// does that, too, and sets up a UART.
void scanlet_board_init(void);

// Hook, called after the self-test with the number of samples that failed, and after a fault. The
// emulated board ends the emulation; the default returns.
void scanlet_board_finish(uint32_t failures);

// Cortex-M7: the data watchpoint unit's cycle counter, the caches (both for code and constants in
// flash; with DMA into cached memory, clean and invalidate as ST's AN4839 says).
void scanlet_start_cycle_counter(void);
void scanlet_enable_instruction_cache(void);
void scanlet_enable_data_cache(void);

// The linker script's entry, and what the vectors without a function of their own lead to.
void Reset_Handler(void);
void Default_Handler(void);

#endif  // SCANLET_STARTUP_H_
