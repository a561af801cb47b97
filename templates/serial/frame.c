// SPDX-License-Identifier: Apache-2.0
#include "frame.h"

#include "crc32.h"

#define MAGIC_BYTES 4u
#define CHECKED_BYTES 12u  // of the header, between the magic and its checksum

static const uint8_t magic[MAGIC_BYTES] = {'S', 'C', 'N', 'L'};

void scanlet_store_u32(const uint32_t value, uint8_t* const out) {
  for (uint32_t i = 0; i < 4u; ++i) out[i] = (uint8_t)(value >> (8u * i));
}

uint32_t scanlet_load_u32(const uint8_t* const data) {
  uint32_t value = 0;
  for (uint32_t i = 0; i < 4u; ++i) value |= (uint32_t)data[i] << (8u * i);
  return value;
}

uint32_t scanlet_frame_write_header(const scanlet_frame_header* const header, uint8_t* const out) {
  for (uint32_t i = 0; i < MAGIC_BYTES; ++i) out[i] = magic[i];
  out[4] = header->version;
  out[5] = header->type;
  out[6] = (uint8_t)header->sequence;
  out[7] = (uint8_t)(header->sequence >> 8);
  scanlet_store_u32(header->session, out + 8);
  scanlet_store_u32(header->length, out + 12);
  const uint32_t crc = scanlet_crc32(0u, out + MAGIC_BYTES, CHECKED_BYTES);
  scanlet_store_u32(crc, out + MAGIC_BYTES + CHECKED_BYTES);
  return crc;
}

static scanlet_frame_event end(scanlet_frame_parser* const parser,
                               const scanlet_frame_event event) {
  parser->position = 0u;
  return event;
}

// Whether raw[first] on may be the beginning of a frame.
static uint32_t may_begin_at(const scanlet_frame_parser* const parser, const uint32_t first) {
  for (uint32_t i = 0; i < MAGIC_BYTES && first + i < SCANLET_FRAME_HEADER_BYTES; ++i) {
    if (parser->raw[first + i] != magic[i]) return 0u;
  }
  return 1u;
}

// A frame that lost bytes has the next one's in its header: these are kept.
static scanlet_frame_event discard_header(scanlet_frame_parser* const parser) {
  uint32_t first = 1u;
  while (first < SCANLET_FRAME_HEADER_BYTES && !may_begin_at(parser, first)) ++first;
  parser->position = SCANLET_FRAME_HEADER_BYTES - first;
  for (uint32_t i = 0; i < parser->position; ++i) parser->raw[i] = parser->raw[first + i];
  return SCANLET_FRAME_DAMAGED_HEADER;
}

static scanlet_frame_event end_header(scanlet_frame_parser* const parser) {
  const uint8_t* const raw = parser->raw;
  parser->crc = scanlet_crc32(0u, raw + MAGIC_BYTES, CHECKED_BYTES);
  if (parser->crc != scanlet_load_u32(raw + MAGIC_BYTES + CHECKED_BYTES)) {
    return discard_header(parser);
  }
  parser->header.version = raw[4];
  parser->header.type = raw[5];
  parser->header.sequence = (uint16_t)(raw[6] | raw[7] << 8);
  parser->header.session = scanlet_load_u32(raw + 8);
  parser->header.length = scanlet_load_u32(raw + 12);
  if (raw[4] != SCANLET_FRAME_VERSION) return end(parser, SCANLET_FRAME_OTHER_VERSION);
  if (parser->header.length > parser->capacity) return end(parser, SCANLET_FRAME_TOO_LONG);
  if (parser->header.length == 0u) return end(parser, SCANLET_FRAME_WHOLE);
  return SCANLET_FRAME_NONE;
}

scanlet_frame_event scanlet_frame_feed(scanlet_frame_parser* const parser, const uint8_t byte) {
  const uint32_t position = parser->position;
  if (position < MAGIC_BYTES) {
    // The magic's bytes all differ, so a mismatch can only be the start of the next magic.
    const uint32_t expected = byte == magic[position] ? position : 0u;
    parser->raw[expected] = byte;
    parser->position = byte == magic[expected] ? expected + 1u : 0u;
    return SCANLET_FRAME_NONE;
  }
  parser->position = position + 1u;
  if (position < SCANLET_FRAME_HEADER_BYTES) {
    parser->raw[position] = byte;
    return position + 1u == SCANLET_FRAME_HEADER_BYTES ? end_header(parser) : SCANLET_FRAME_NONE;
  }
  const uint32_t offset = position - SCANLET_FRAME_HEADER_BYTES;
  if (offset < parser->header.length) {
    parser->payload[offset] = byte;
    parser->crc = scanlet_crc32(parser->crc, &byte, 1u);
    return SCANLET_FRAME_NONE;
  }
  const uint32_t checked = offset - parser->header.length;
  parser->checksum[checked] = byte;
  if (checked + 1u < SCANLET_FRAME_CHECKSUM_BYTES) return SCANLET_FRAME_NONE;
  const uint32_t same = parser->crc == scanlet_load_u32(parser->checksum);
  return end(parser, same ? SCANLET_FRAME_WHOLE : SCANLET_FRAME_DAMAGED_PAYLOAD);
}

uint32_t scanlet_frame_forget(scanlet_frame_parser* const parser) {
  const uint32_t inside = parser->position >= MAGIC_BYTES;
  parser->position = 0u;
  return inside;
}
