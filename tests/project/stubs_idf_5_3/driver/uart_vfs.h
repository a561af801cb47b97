// SPDX-License-Identifier: Apache-2.0
// Where printf is told to use the driver, from ESP-IDF 5.3 on.
extern "C" void uart_vfs_dev_use_driver(int uart_num);
