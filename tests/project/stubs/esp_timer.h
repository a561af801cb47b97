// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_ESP_TIMER_H_
#define STUBS_ESP_TIMER_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

int64_t esp_timer_get_time(void);

#ifdef __cplusplus
}
#endif

#endif  // STUBS_ESP_TIMER_H_
