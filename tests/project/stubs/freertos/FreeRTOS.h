// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_FREERTOS_FREERTOS_H_
#define STUBS_FREERTOS_FREERTOS_H_

#include <stdint.h>

typedef uint32_t TickType_t;
// 100 ticks a second, ESP-IDF's default.
#define portTICK_PERIOD_MS ((TickType_t)10)
#define pdMS_TO_TICKS(ms) ((TickType_t)((ms) / 10))

#endif  // STUBS_FREERTOS_FREERTOS_H_
