// SPDX-License-Identifier: Apache-2.0
#include "console.h"

#include <cstdio>

#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "sdkconfig.h"

#if CONFIG_ESP_CONSOLE_USB_SERIAL_JTAG
#include "driver/usb_serial_jtag.h"
#if __has_include("driver/usb_serial_jtag_vfs.h")  // from ESP-IDF 5.3 on
#include "driver/usb_serial_jtag_vfs.h"
#define USE_DRIVER_FOR_PRINTF usb_serial_jtag_vfs_use_driver
#else
#include "esp_vfs_dev.h"
#include "esp_vfs_usb_serial_jtag.h"
#define USE_DRIVER_FOR_PRINTF esp_vfs_usb_serial_jtag_use_driver
#endif
#elif CONFIG_ESP_CONSOLE_UART
#include "driver/uart.h"
#if __has_include("driver/uart_vfs.h")  // from ESP-IDF 5.3 on
#include "driver/uart_vfs.h"
#define USE_DRIVER_FOR_PRINTF uart_vfs_dev_use_driver
#else
#include "esp_vfs_dev.h"
#define USE_DRIVER_FOR_PRINTF esp_vfs_dev_uart_use_driver
#endif
#endif

namespace console {

namespace {

// The host sends one request at a time, so this only has to bridge the task's wake-ups.
constexpr int kReceiveBytes = 4096;

}  // namespace

#if CONFIG_ESP_CONSOLE_USB_SERIAL_JTAG

bool Open() {
  usb_serial_jtag_driver_config_t settings = {};
  settings.tx_buffer_size = 1024;
  settings.rx_buffer_size = kReceiveBytes;
  if (usb_serial_jtag_driver_install(&settings) != ESP_OK) {
    std::printf("console: cannot install the USB-Serial-JTAG driver\n");
    return false;
  }
  USE_DRIVER_FOR_PRINTF();
  return true;
}

size_t Read(uint8_t* data, size_t capacity, uint32_t timeout_ms) {
  // The driver waits for the first byte only.
  const int count =
      usb_serial_jtag_read_bytes(data, static_cast<uint32_t>(capacity), pdMS_TO_TICKS(timeout_ms));
  return count > 0 ? static_cast<size_t>(count) : 0;
}

void Write(const uint8_t* data, size_t count) {
  std::fflush(stdout);
  for (size_t done = 0; done < count;) {
    const size_t chunk = count - done < 512 ? count - done : 512;  // fits the driver's buffer
    const int written = usb_serial_jtag_write_bytes(data + done, chunk, pdMS_TO_TICKS(1000));
    if (written <= 0) return;  // nobody reads at the other end
    done += static_cast<size_t>(written);
  }
}

#elif CONFIG_ESP_CONSOLE_UART

namespace {

constexpr uart_port_t kPort = static_cast<uart_port_t>(CONFIG_ESP_CONSOLE_UART_NUM);

}  // namespace

bool Open() {
  if (uart_driver_install(kPort, kReceiveBytes, 0, 0, nullptr, 0) != ESP_OK) {
    std::printf("console: cannot install the UART driver\n");
    return false;
  }
  USE_DRIVER_FOR_PRINTF(kPort);
  return true;
}

size_t Read(uint8_t* data, size_t capacity, uint32_t timeout_ms) {
  // The driver waits until all bytes asked for are there: wait for one, then take what came.
  if (capacity == 0 || uart_read_bytes(kPort, data, 1, pdMS_TO_TICKS(timeout_ms)) != 1) return 0;
  const int more = uart_read_bytes(kPort, data + 1, static_cast<uint32_t>(capacity - 1), 0);
  return 1 + (more > 0 ? static_cast<size_t>(more) : 0);
}

void Write(const uint8_t* data, size_t count) {
  std::fflush(stdout);
  uart_write_bytes(kPort, data, count);
}

#else  // another console: standard input and output

bool Open() { return true; }

size_t Read(uint8_t* data, size_t capacity, uint32_t timeout_ms) {
  for (uint32_t waited = 0; waited <= timeout_ms; waited += portTICK_PERIOD_MS) {
    const size_t count = std::fread(data, 1, capacity < 64 ? capacity : 64, stdin);
    if (count > 0) return count;
    std::clearerr(stdin);  // "nothing there" reads as the end of the file
    vTaskDelay(1);
  }
  return 0;
}

void Write(const uint8_t* data, size_t count) {
  (void)std::fwrite(data, 1, count, stdout);
  (void)std::fflush(stdout);
}

#endif

}  // namespace console
