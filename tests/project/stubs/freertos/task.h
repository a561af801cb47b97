// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_FREERTOS_TASK_H_
#define STUBS_FREERTOS_TASK_H_

#include "freertos/FreeRTOS.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef void* TaskHandle_t;

void vTaskDelay(TickType_t ticks);
uint32_t uxTaskGetStackHighWaterMark(TaskHandle_t task);

#ifdef __cplusplus
}
#endif

#endif  // STUBS_FREERTOS_TASK_H_
