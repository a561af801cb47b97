// SPDX-License-Identifier: Apache-2.0
#include "serial_protocol.h"

namespace serial {

uint32_t Crc32(uint32_t crc, const uint8_t* data, size_t count) {
  // Bit by bit: a table would cost 1 KB, and the line is slower than this loop.
  crc = ~crc;
  for (size_t i = 0; i < count; ++i) {
    crc ^= data[i];
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc >> 1) ^ ((crc & 1u) != 0 ? 0xedb88320u : 0u);
    }
  }
  return ~crc;
}

void WriteUint32(uint32_t value, uint8_t* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<uint8_t>(value >> (8 * i));
}

uint32_t ReadUint32(const uint8_t* data) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= static_cast<uint32_t>(data[i]) << (8 * i);
  return value;
}

void WriteHeader(uint8_t type, uint8_t sequence, uint32_t length, uint8_t* header) {
  for (size_t i = 0; i < kMagicBytes; ++i) header[i] = kMagic[i];
  header[4] = type;
  header[5] = sequence;
  header[6] = 0;
  header[7] = 0;
  WriteUint32(length, header + 8);
}

Event FrameParser::Feed(uint8_t byte) {
  if (position_ < kMagicBytes) {
    // The magic's bytes all differ, so a mismatch can only be the start of the next magic.
    if (byte != kMagic[position_]) position_ = 0;
    if (byte == kMagic[position_]) header_[position_++] = byte;
    return Event::kNone;
  }
  if (position_ < kHeaderBytes) {
    header_[position_++] = byte;
    return position_ == kHeaderBytes ? EndHeader() : Event::kNone;
  }
  const size_t offset = position_++ - kHeaderBytes;
  if (offset < length_) {
    buffer_[offset] = byte;
    return Event::kNone;
  }
  checksum_[offset - length_] = byte;
  if (offset - length_ + 1 < kChecksumBytes) return Event::kNone;
  uint32_t crc = Crc32(0, header_ + kMagicBytes, kHeaderBytes - kMagicBytes);
  crc = Crc32(crc, buffer_, length_);
  return End(crc == ReadUint32(checksum_) ? Event::kFrame : Event::kBadChecksum);
}

Event FrameParser::EndHeader() {
  const uint32_t length = ReadUint32(header_ + 8);
  if (header_[6] != 0 || header_[7] != 0) return End(Event::kBadHeader);
  if (length > capacity_) return End(Event::kTooLong);
  length_ = length;
  return Event::kNone;
}

Event FrameParser::End(Event event) {
  position_ = 0;
  return event;
}

}  // namespace serial
