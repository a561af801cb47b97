// SPDX-License-Identifier: Apache-2.0
// Debian's RISC-V compiler comes without a C library; this is what generated code needs of one.

#include <math.h>
#include <stdint.h>
#include <string.h>

// Words while both ends are aligned. may_alias: the bytes may be of any type.
typedef uint32_t __attribute__((may_alias)) word;

void* memcpy(void* restrict target, const void* restrict source, size_t size) {
  unsigned char* to = target;
  const unsigned char* from = source;
  if ((((uintptr_t)to | (uintptr_t)from) & 3u) == 0u) {
    for (; size >= 4u; size -= 4u, to += 4, from += 4) *(word*)to = *(const word*)from;
  }
  while (size-- > 0u) *to++ = *from++;
  return target;
}

void* memmove(void* target, const void* source, size_t size) {
  unsigned char* to = target;
  const unsigned char* from = source;
  if ((uintptr_t)to < (uintptr_t)from) return memcpy(target, source, size);
  while (size-- > 0u) to[size] = from[size];
  return target;
}

void* memset(void* target, int value, size_t size) {
  unsigned char* to = target;
  const uint32_t fill = 0x01010101u * (uint32_t)(unsigned char)value;
  for (; size > 0u && ((uintptr_t)to & 3u) != 0u; --size) *to++ = (unsigned char)value;
  for (; size >= 4u; size -= 4u, to += 4) *(word*)to = fill;
  while (size-- > 0u) *to++ = (unsigned char)value;
  return target;
}

int memcmp(const void* a, const void* b, size_t size) {
  const unsigned char* left = a;
  const unsigned char* right = b;
  for (size_t i = 0; i < size; ++i) {
    if (left[i] != right[i]) return left[i] < right[i] ? -1 : 1;
  }
  return 0;
}

size_t strlen(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}

// Correctly rounded, one bit of the root after the other.
float sqrtf(float x) {
  union {
    float value;
    uint32_t bits;
  } number = {x};
  const uint32_t bits = number.bits;
  if ((bits << 1) == 0u || bits == 0x7f800000u) return x;  // zeros and infinity
  if (bits > 0x7f800000u) return x != x ? x + x : NAN;     // NaN, or negative
  int32_t exponent = (int32_t)(bits >> 23);
  uint32_t mantissa = bits & 0x7fffffu;
  if (exponent == 0) {
    for (; (mantissa & 0x800000u) == 0u; --exponent) mantissa <<= 1;
    ++exponent;
  }
  exponent -= 127;
  mantissa |= 0x800000u;
  if ((exponent & 1) != 0) mantissa <<= 1;  // so that the exponent halves evenly
  mantissa <<= 1;
  uint32_t root = 0;
  uint32_t rest = 0;  // twice the root found so far
  for (uint32_t bit = 0x1000000u; bit != 0u; bit >>= 1) {
    if (rest + bit <= mantissa) {
      rest += bit << 1;
      mantissa -= rest - bit;
      root += bit;
    }
    mantissa <<= 1;
  }
  // 25 bits: the last one and the remainder decide the rounding.
  if (mantissa != 0u) root += root & 1u;
  number.bits = (root >> 1) + ((uint32_t)((exponent >> 1) + 126) << 23);
  return number.value;
}
