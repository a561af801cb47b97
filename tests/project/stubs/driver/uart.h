// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_DRIVER_UART_H_
#define STUBS_DRIVER_UART_H_

#include <stddef.h>
#include <stdint.h>

#include "esp_err.h"
#include "freertos/FreeRTOS.h"

typedef enum { UART_NUM_0, UART_NUM_1 } uart_port_t;
typedef struct QueueDefinition* QueueHandle_t;

#ifdef __cplusplus
extern "C" {
#endif

esp_err_t uart_driver_install(uart_port_t uart_num, int rx_buffer_size, int tx_buffer_size,
                              int queue_size, QueueHandle_t* uart_queue, int intr_alloc_flags);
int uart_read_bytes(uart_port_t uart_num, void* buf, uint32_t length, TickType_t ticks_to_wait);
int uart_write_bytes(uart_port_t uart_num, const void* src, size_t size);

#ifdef __cplusplus
}
#endif

#endif  // STUBS_DRIVER_UART_H_
