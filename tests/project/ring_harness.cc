// SPDX-License-Identifier: Apache-2.0
// Pushes and pops as standard input says, and runs a writer and a reader side by side.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>

#include "sample_ring.h"

namespace {

// Every value arrives once, in order, whatever the two threads' pace.
bool SideBySide() {
  constexpr int kValues = 200000;
  static SampleRing<int32_t, 64> ring;
  static SampleRing<int32_t, 1> taken;  // says how far the reader is, so that nothing overruns
  std::thread writer([] {
    int32_t next = 0;
    while (next < kValues) {
      const int32_t values[3] = {next, next + 1, next + 2};
      ring.Push(values, 3);
      next += 3;
      int32_t token;
      while (!taken.Pop(&token, 1)) std::this_thread::yield();
    }
  });
  bool right = true;
  for (int32_t next = 0; next < kValues; next += 3) {
    int32_t values[3];
    while (!ring.Pop(values, 3)) std::this_thread::yield();
    for (int i = 0; i < 3; ++i) right = right && values[i] == next + i;
    taken.Push(&next, 1);
  }
  writer.join();
  return right && !ring.TakeOverrun();
}

}  // namespace

int main() {
  SampleRing<int16_t, 8> ring;
  char command[8];
  int count = 0;
  int16_t next = 0;
  while (std::scanf("%7s %d", command, &count) == 2) {
    int16_t values[32];
    if (std::strcmp(command, "push") == 0) {
      for (int i = 0; i < count; ++i) values[i] = next++;
      ring.Push(values, static_cast<size_t>(count));
    } else if (ring.Pop(values, static_cast<size_t>(count))) {
      for (int i = 0; i < count; ++i) std::printf("%d ", values[i]);
      std::printf("%s\n", ring.TakeOverrun() ? "overrun" : "");
    } else {
      std::printf("none\n");
    }
  }
  std::printf("%s\n", SideBySide() ? "in order" : "out of order");
}
