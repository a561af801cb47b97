// SPDX-License-Identifier: Apache-2.0
#ifndef STUBS_ESP_ERR_H_
#define STUBS_ESP_ERR_H_

typedef int esp_err_t;
#define ESP_OK 0

#endif  // STUBS_ESP_ERR_H_
