// SPDX-License-Identifier: Apache-2.0
// Feeds standard input to the frame parser and prints what it finds, one line an event.
// Argument: the parser's capacity. "-" as a second argument: every 255 is a silence.
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "serial/crc32.h"
#include "serial/frame.h"

int main(int count, char** arguments) {
  if (count < 2) return 2;
  const size_t capacity = static_cast<size_t>(std::atol(arguments[1]));
  std::vector<uint8_t> buffer(capacity);  // exactly: the sanitizer sees a write beyond
  scanlet_frame_parser parser = {};
  parser.payload = buffer.data();
  parser.capacity = static_cast<uint32_t>(capacity);
  for (int byte = std::getchar(); byte != EOF; byte = std::getchar()) {
    if (count > 2 && byte == 255) {
      scanlet_frame_forget(&parser);
      continue;
    }
    const scanlet_frame_event event = scanlet_frame_feed(&parser, static_cast<uint8_t>(byte));
    if (event == SCANLET_FRAME_NONE) continue;
    std::printf("%d", static_cast<int>(event));
    if (event != SCANLET_FRAME_DAMAGED_HEADER) {
      const scanlet_frame_header& header = parser.header;
      std::printf(" %u %u %u %lu", header.version, header.type, header.sequence,
                  static_cast<unsigned long>(header.session));
    }
    if (event == SCANLET_FRAME_WHOLE) {
      const uint32_t length = parser.header.length;
      std::printf(" %lu %lu", static_cast<unsigned long>(length),
                  static_cast<unsigned long>(scanlet_crc32(0, parser.payload, length)));
    }
    std::printf("\n");
  }
  return 0;
}
