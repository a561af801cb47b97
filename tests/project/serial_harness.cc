// SPDX-License-Identifier: Apache-2.0
// Feeds standard input to the frame parser and prints what it finds, one line an event.
// Argument: the parser's capacity. "-" as a second argument: every 255 is a silence (Reset).
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "serial_protocol.h"

int main(int count, char** arguments) {
  if (count < 2) return 2;
  const size_t capacity = static_cast<size_t>(std::atol(arguments[1]));
  std::vector<uint8_t> buffer(capacity);  // exactly: the sanitizer sees a write beyond
  serial::FrameParser parser(buffer.data(), capacity);
  for (int byte = std::getchar(); byte != EOF; byte = std::getchar()) {
    if (count > 2 && byte == 255) {
      parser.Reset();
      continue;
    }
    const serial::Event event = parser.Feed(static_cast<uint8_t>(byte));
    if (event == serial::Event::kNone) continue;
    std::printf("%d %d %d", static_cast<int>(event), parser.type(), parser.sequence());
    if (event == serial::Event::kFrame) {
      std::printf(" %lu %lu", static_cast<unsigned long>(parser.length()),
                  static_cast<unsigned long>(serial::Crc32(0, parser.payload(), parser.length())));
    }
    std::printf("\n");
  }
  return 0;
}
