// SPDX-License-Identifier: Apache-2.0
#ifndef SCANLET_SERIAL_CRC32_H_
#define SCANLET_SERIAL_CRC32_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// CRC-32 as in zlib (polynomial 0xEDB88320) of `count` more bytes; start with 0, chain by passing
// the last result.
uint32_t scanlet_crc32(uint32_t crc, const uint8_t* data, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif  // SCANLET_SERIAL_CRC32_H_
