// SPDX-License-Identifier: Apache-2.0
// Planted defects: what the fuzzing of everything else must be able to find.
//
// An input that starts with the word of a defect triggers it.
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int volatile sink = 0;

static bool StartsWith(const uint8_t* data, size_t size, const char* word) {
  return size >= strlen(word) && memcmp(data, word, strlen(word)) == 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int value = size > 0 ? data[size - 1] : 0;
#if defined(PLANTED_OVERFLOW)
  if (StartsWith(data, size, "over")) {
    int* const numbers = static_cast<int*>(malloc(4 * sizeof(int)));
    sink = numbers[4 + value % 2];
    free(numbers);
  }
#elif defined(PLANTED_UNDEFINED)
  if (StartsWith(data, size, "over")) sink = 0x7fffffff - value + 256;
#elif defined(PLANTED_CAST)
  if (StartsWith(data, size, "over")) sink = static_cast<int>(1e12f + static_cast<float>(value));
#elif defined(PLANTED_HANG)
  while (StartsWith(data, size, "over")) sink = value;
#elif defined(PLANTED_LEAK)
  if (StartsWith(data, size, "over")) {
    void* volatile lost = malloc(16 + static_cast<size_t>(value));
    lost = nullptr;
    sink = lost != nullptr;
  }
#else
  if (StartsWith(data, size, "over")) sink = value;
#endif
  return 0;
}
