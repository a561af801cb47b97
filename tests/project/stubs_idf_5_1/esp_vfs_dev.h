// SPDX-License-Identifier: Apache-2.0
// Where printf is told to use a driver, up to ESP-IDF 5.2.
extern "C" {
void esp_vfs_dev_uart_use_driver(int uart_num);
void esp_vfs_usb_serial_jtag_use_driver(void);
}
