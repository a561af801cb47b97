// SPDX-License-Identifier: Apache-2.0
// The framed protocol of the inference server. Pure C++: no ESP-IDF, no TFLM, so that it is
// tested on the host.
//
// A frame, all integers little-endian:
//   bytes 0..3   magic "SCN1"
//   byte  4      type
//   byte  5      sequence: the answer repeats the request's
//   bytes 6..7   zero
//   bytes 8..11  length of the payload in bytes
//   then         the payload, and a CRC-32 (as in zlib) of everything after the magic
#ifndef SERIAL_PROTOCOL_H_
#define SERIAL_PROTOCOL_H_

#include <cstddef>
#include <cstdint>

namespace serial {

constexpr uint8_t kMagic[] = {'S', 'C', 'N', '1'};
constexpr size_t kMagicBytes = sizeof(kMagic);
constexpr size_t kHeaderBytes = 12;
constexpr size_t kChecksumBytes = 4;

enum Type : uint8_t {
  kInfo = 0x01,   // empty -> text: lines of "key=value"
  kInfer = 0x02,  // the inputs, one after another -> uint32 microseconds, then the outputs
  kReset = 0x03,  // empty -> empty; clears the recurrent state
  kError = 0x7f,  // answer only (0xff on the line): text that says what was wrong
};
constexpr uint8_t kAnswer = 0x80;  // added to the request's type in the answer

// CRC-32 of `count` more bytes; start with 0, chain by passing the last result.
uint32_t Crc32(uint32_t crc, const uint8_t* data, size_t count);

void WriteUint32(uint32_t value, uint8_t* out);
uint32_t ReadUint32(const uint8_t* data);

// Fills `header` (kHeaderBytes) of a frame whose payload has `length` bytes.
void WriteHeader(uint8_t type, uint8_t sequence, uint32_t length, uint8_t* header);

enum class Event : uint8_t {
  kNone,         // more bytes needed (or skipping what is no frame)
  kFrame,        // a whole, undamaged frame: see type(), payload()
  kBadHeader,    // the reserved bytes are not zero
  kTooLong,      // the payload would not fit
  kBadChecksum,  // the frame arrived damaged
};

// Finds frames in a stream of bytes. Never writes outside `buffer`, whatever arrives.
class FrameParser {
 public:
  // Payloads of up to `capacity` bytes are stored in `buffer`.
  FrameParser(uint8_t* buffer, size_t capacity) : buffer_(buffer), capacity_(capacity) {}

  // Takes the next byte. After anything but kNone the parser looks for the next magic.
  Event Feed(uint8_t byte);

  // Forgets a partial frame: call it when the line has been silent.
  void Reset() { position_ = 0; }

  bool InFrame() const { return position_ > 0; }
  uint8_t type() const { return header_[4]; }
  uint8_t sequence() const { return header_[5]; }
  const uint8_t* payload() const { return buffer_; }
  size_t length() const { return length_; }

 private:
  Event EndHeader();
  Event End(Event event);

  uint8_t* const buffer_;
  const size_t capacity_;
  size_t position_ = 0;  // in the frame
  size_t length_ = 0;
  uint8_t header_[kHeaderBytes] = {};
  uint8_t checksum_[kChecksumBytes] = {};
};

}  // namespace serial

#endif  // SERIAL_PROTOCOL_H_
