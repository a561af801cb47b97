// SPDX-License-Identifier: Apache-2.0
// The frames of scanlet's serial protocol, version 2. Plain C11: no allocation, no operating
// system.
//
// A frame, all integers little-endian:
//   bytes  0..3   magic "SCNL"
//   byte   4      version of the protocol: 2
//   byte   5      type; an answer's is the request's plus 0x80
//   bytes  6..7   sequence number of the request; its answer repeats it
//   bytes  8..11  session: a number that the client chose when it said hello
//   bytes 12..15  length of the payload in bytes
//   bytes 16..19  CRC-32 of bytes 4..15
//   then          the payload, and a CRC-32 of bytes 4..15 and the payload; neither if the length
//                 is 0
// The header's own checksum means that a damaged length is noticed before anybody believes it.
// Magic, version and this checksum keep their places in all versions to come.
#ifndef SCANLET_SERIAL_FRAME_H_
#define SCANLET_SERIAL_FRAME_H_

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SCANLET_FRAME_VERSION 2u
#define SCANLET_FRAME_HEADER_BYTES 20u
#define SCANLET_FRAME_CHECKSUM_BYTES 4u

typedef struct {
  uint8_t version;
  uint8_t type;
  uint16_t sequence;
  uint32_t session;
  uint32_t length;
} scanlet_frame_header;

void scanlet_store_u32(uint32_t value, uint8_t* out);
uint32_t scanlet_load_u32(const uint8_t* data);

// Fills `out` (SCANLET_FRAME_HEADER_BYTES). Returns the checksum that the payload's goes on from.
uint32_t scanlet_frame_write_header(const scanlet_frame_header* header, uint8_t* out);

typedef enum {
  SCANLET_FRAME_NONE,             // more bytes needed, or skipping what is no frame
  SCANLET_FRAME_WHOLE,            // a whole, undamaged frame: header and payload are valid
  SCANLET_FRAME_DAMAGED_HEADER,   // nothing in the header is to be believed
  SCANLET_FRAME_OTHER_VERSION,    // of the header, only the version is to be believed
  SCANLET_FRAME_TOO_LONG,         // undamaged, but the payload would not fit
  SCANLET_FRAME_DAMAGED_PAYLOAD,  // the header is valid
} scanlet_frame_event;

// Finds frames in a stream of bytes. Never writes outside of `payload`, whatever arrives.
typedef struct {
  uint8_t* payload;   // set these two, and the rest to zero
  uint32_t capacity;  // bytes of payload
  scanlet_frame_header header;
  uint32_t position;  // in the frame
  uint32_t crc;
  uint8_t raw[SCANLET_FRAME_HEADER_BYTES];
  uint8_t checksum[SCANLET_FRAME_CHECKSUM_BYTES];
} scanlet_frame_parser;

// Takes the next byte. After a damaged header the parser looks for the next magic from the
// header's second byte on, after every other event from the next byte on.
scanlet_frame_event scanlet_frame_feed(scanlet_frame_parser* parser, uint8_t byte);

// To be called when the line has been silent: forgets a frame of which only the beginning came.
// Returns 1 if there was one.
uint32_t scanlet_frame_forget(scanlet_frame_parser* parser);

#ifdef __cplusplus
}
#endif

#endif  // SCANLET_SERIAL_FRAME_H_
