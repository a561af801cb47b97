// SPDX-License-Identifier: Apache-2.0
// The board mps2-an500 as QEMU emulates it: text and exit status through semihosting, the server's
// line at UART 0. Its counter follows the emulator's clock and says nothing about a chip.
#include "port.h"
#include "semihosting.h"
#include "startup.h"

#define UART_DATA (*(volatile uint32_t*)0x40004000u)
#define UART_STATE (*(volatile uint32_t*)0x40004004u)
#define UART_CONTROL (*(volatile uint32_t*)0x40004008u)
#define UART_DIVIDER (*(volatile uint32_t*)0x40004010u)
#define UART_SENDER_FULL 1u
#define UART_RECEIVER_FULL 2u
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

// UART 0 of Arm's CMSDK, 115200 bits a second of the 25 MHz clock.
static void open_port(void) {
  if (UART_CONTROL == 3u) return;
  UART_DIVIDER = 25000000u / 115200u;
  UART_CONTROL = 3u;  // sender and receiver on
}

int32_t scanlet_port_receive(uint8_t* data, uint32_t capacity, uint32_t timeout_ms) {
  const uint32_t begin = FPGAIO_COUNTER;
  const uint32_t timeout = SystemCoreClock / 1000u * timeout_ms;
  int32_t count = 0;
  open_port();
  while (count == 0 && FPGAIO_COUNTER - begin < timeout) {
    while ((uint32_t)count < capacity && (UART_STATE & UART_RECEIVER_FULL) != 0u) {
      data[count++] = (uint8_t)UART_DATA;
    }
  }
  return count;
}

void scanlet_port_send(const uint8_t* data, uint32_t count) {
  open_port();
  for (uint32_t i = 0; i < count; ++i) {
    while ((UART_STATE & UART_SENDER_FULL) != 0u) {
    }
    UART_DATA = data[i];
  }
}

void scanlet_board_finish(uint32_t failures) {
  const uintptr_t block[2] = {SEMIHOSTING_REASON_APPLICATION_EXIT, failures != 0u};
  (void)semihosting_call(SEMIHOSTING_EXIT_EXTENDED, (uintptr_t)block);
}
