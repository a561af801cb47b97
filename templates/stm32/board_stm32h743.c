// SPDX-License-Identifier: Apache-2.0
// The STM32H743, as reset leaves it: 64 MHz from the internal oscillator. This file is the place
// for the hooks of your board; startup/startup.h lists them. The server's line is USART3 on PD8 and
// PD9, which the ST-LINK of a NUCLEO-H743ZI or -H743ZI2 makes a serial port of the PC.
#include "board.h"
#include "port.h"
#include "startup.h"

#define REGISTER(address) (*(volatile uint32_t*)(address))
#define DBGMCU_IDCODE REGISTER(0x5c001000u)
#define AXI_TARG7_FN_MOD REGISTER(0x51008108u)
#define IDCODE_REVISION_V 0x20000000u
#define RCC_AHB4ENR REGISTER(0x580244e0u)
#define RCC_APB1LENR REGISTER(0x580244e8u)
#define GPIOD_MODER REGISTER(0x58020c00u)
#define GPIOD_AFRH REGISTER(0x58020c24u)
#define USART3_CR1 REGISTER(0x40004800u)
#define USART3_BRR REGISTER(0x4000480cu)
#define USART3_ISR REGISTER(0x4000481cu)
#define USART3_ICR REGISTER(0x40004820u)
#define USART3_RDR REGISTER(0x40004824u)
#define USART3_TDR REGISTER(0x40004828u)
#define ISR_ERRORS 0x0fu  // parity, framing, noise, overrun; the same bits clear them in ICR
#define ISR_RECEIVED (1u << 5)
#define ISR_ROOM_TO_SEND (1u << 7)
#define CR1_ON (1u << 29 | 1u << 3 | 1u << 2 | 1u)  // both FIFOs, sender, receiver, unit

// The clock that USART3 gets: after reset that of APB1, 64 MHz. Where your SystemInit changes the
// APB1 prescalers or the choice in RCC_D2CCIP2R, change this, too.
#define USART3_HERTZ 64000000u
#define BAUDRATE 115200u

// Both are weak so that ST's system_stm32h7xx.c can take their place.
__attribute__((weak)) uint32_t SystemCoreClock = 64000000u;

__attribute__((weak)) void SystemInit(void) {
  // Chips before revision V may read wrong values from AXI SRAM (errata sheet ES0392) unless its
  // port takes one read at a time.
  if ((DBGMCU_IDCODE & 0xffff0000u) < IDCODE_REVISION_V) AXI_TARG7_FN_MOD = 1u;
}

static void open_port(void) {
  if ((USART3_CR1 & 1u) != 0u) return;
  RCC_AHB4ENR |= 1u << 3;                                  // port D
  RCC_APB1LENR |= 1u << 18;                                // USART3
  (void)RCC_APB1LENR;                                      // until the clocks run
  GPIOD_MODER = (GPIOD_MODER & ~(15u << 16)) | 10u << 16;  // PD8 and PD9: alternate function
  GPIOD_AFRH = (GPIOD_AFRH & ~0xffu) | 0x77u;              // 7, USART3
  USART3_BRR = (USART3_HERTZ + BAUDRATE / 2u) / BAUDRATE;
  USART3_CR1 = CR1_ON;
}

// The FIFO holds 16 bytes, which is 1.4 ms at 115200 bits a second: the server never sleeps longer
// than that while a frame arrives. What comes during an inference and finds no room is sent again.
int32_t scanlet_port_receive(uint8_t* data, uint32_t capacity, uint32_t timeout_ms) {
  const uint32_t begin = scanlet_board_cycles();
  const uint32_t timeout = scanlet_board_hertz() / 1000u * timeout_ms;
  int32_t count = 0;
  open_port();
  while (count == 0 && scanlet_board_cycles() - begin < timeout) {
    if ((USART3_ISR & ISR_ERRORS) != 0u) USART3_ICR = ISR_ERRORS;  // the checksum finds the damage
    while ((uint32_t)count < capacity && (USART3_ISR & ISR_RECEIVED) != 0u) {
      data[count++] = (uint8_t)USART3_RDR;
    }
  }
  return count;
}

void scanlet_port_send(const uint8_t* data, uint32_t count) {
  open_port();
  for (uint32_t i = 0; i < count; ++i) {
    while ((USART3_ISR & ISR_ROOM_TO_SEND) == 0u) {
    }
    USART3_TDR = data[i];
  }
}
