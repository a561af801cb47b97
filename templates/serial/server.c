// SPDX-License-Identifier: Apache-2.0
#include "server.h"

#include "crc32.h"

static const char* const error_texts[] = {
    [SCANLET_ERROR_DAMAGED] = "the request arrived damaged",
    [SCANLET_ERROR_VERSION] = "the request is of another version of the protocol",
    [SCANLET_ERROR_SESSION] = "no such session: say hello first",
    [SCANLET_ERROR_TYPE] = "unknown request type",
    [SCANLET_ERROR_LENGTH] = "the payload's length is not that of the request",
    [SCANLET_ERROR_FAILED] = "the model failed",
};

// An answer in the making: its payload comes in pieces ------------------------------------------

typedef struct {
  const scanlet_service* service;
  uint32_t crc;
  uint32_t length;
} answer;

static answer begin_answer(const scanlet_server* const server, const uint8_t type,
                           const uint32_t session, const uint16_t sequence, const uint32_t length) {
  uint8_t raw[SCANLET_FRAME_HEADER_BYTES];
  const scanlet_frame_header header = {SCANLET_FRAME_VERSION, type, sequence, session, length};
  const answer begun = {server->service, scanlet_frame_write_header(&header, raw), length};
  begun.service->write(begun.service->context, raw, sizeof raw);
  return begun;
}

static void add(answer* const to, const uint8_t* const data, const uint32_t count) {
  to->crc = scanlet_crc32(to->crc, data, count);
  to->service->write(to->service->context, data, count);
}

static void end_answer(const answer* const ended) {
  uint8_t checksum[SCANLET_FRAME_CHECKSUM_BYTES];
  scanlet_store_u32(ended->crc, checksum);
  if (ended->length != 0u)
    ended->service->write(ended->service->context, checksum, sizeof checksum);
}

static void send_error(const scanlet_server* const server, const uint32_t session,
                       const uint16_t sequence, const scanlet_server_error error) {
  const char* const text = error_texts[error];
  uint32_t length = 0;
  while (text[length] != '\0') ++length;
  const uint8_t code = (uint8_t)error;
  answer to = begin_answer(server, SCANLET_ANSWER_ERROR, session, sequence, 1u + length);
  add(&to, &code, 1u);
  add(&to, (const uint8_t*)text, length);
  end_answer(&to);
}

// Requests ---------------------------------------------------------------------------------------

static answer begin(const scanlet_server* const server, const uint32_t length) {
  return begin_answer(server, (uint8_t)(server->type | SCANLET_ANSWER), server->session,
                      server->sequence, length);
}

static void answer_hello(const scanlet_server* const server) {
  const scanlet_service* const service = server->service;
  answer to = begin(server, service->description_bytes);
  add(&to, (const uint8_t*)service->description, service->description_bytes);
  end_answer(&to);
}

static void answer_infer(const scanlet_server* const server) {
  const scanlet_service* const service = server->service;
  uint32_t length = 4u;
  for (uint32_t i = 0; i < service->output_count; ++i) {
    uint32_t bytes = 0;
    (void)service->output(service->context, i, &bytes);
    length += bytes;
  }
  uint8_t microseconds[4];
  scanlet_store_u32(server->figures[SCANLET_LAST_US], microseconds);
  answer to = begin(server, length);
  add(&to, microseconds, sizeof microseconds);
  for (uint32_t i = 0; i < service->output_count; ++i) {
    uint32_t bytes = 0;
    const uint8_t* const data = service->output(service->context, i, &bytes);
    add(&to, data, bytes);
  }
  end_answer(&to);
}

static void answer_statistics(scanlet_server* const server) {
  const scanlet_service* const service = server->service;
  server->figures[SCANLET_STACK_UNUSED] = service->stack_unused(service->context);
  answer to = begin(server, 4u * (uint32_t)SCANLET_FIGURES);
  for (uint32_t i = 0; i < SCANLET_FIGURES; ++i) {
    uint8_t value[4];
    scanlet_store_u32(server->figures[i], value);
    add(&to, value, sizeof value);
  }
  end_answer(&to);
}

static void answer_self_test(const scanlet_server* const server) {
  uint8_t counts[8];
  scanlet_store_u32(server->failed_samples, counts);
  scanlet_store_u32(server->service->sample_count, counts + 4);
  answer to = begin(server, sizeof counts);
  add(&to, counts, sizeof counts);
  end_answer(&to);
}

// Answers the last request. What it needs is still in place: this is also how it is repeated.
static void send_answer(scanlet_server* const server) {
  if (server->outcome != SCANLET_ERROR_NONE) {
    send_error(server, server->session, server->sequence, server->outcome);
    return;
  }
  switch (server->type) {
    case SCANLET_REQUEST_HELLO:
      answer_hello(server);
      break;
    case SCANLET_REQUEST_INFER:
      answer_infer(server);
      break;
    case SCANLET_REQUEST_STATISTICS:
      answer_statistics(server);
      break;
    case SCANLET_REQUEST_SELF_TEST:
      answer_self_test(server);
      break;
    default: {  // reset
      const answer to = begin(server, 0u);
      end_answer(&to);
    }
  }
}

static scanlet_server_error infer(scanlet_server* const server) {
  const scanlet_service* const service = server->service;
  uint32_t* const figures = server->figures;
  const uint32_t start = service->microseconds(service->context);
  const int32_t status = service->run(service->context, server->parser.payload);
  figures[SCANLET_LAST_US] = service->microseconds(service->context) - start;
  if (figures[SCANLET_LAST_US] > figures[SCANLET_LONGEST_US])
    figures[SCANLET_LONGEST_US] = figures[SCANLET_LAST_US];
  figures[SCANLET_TOTAL_US_LOW] += figures[SCANLET_LAST_US];
  if (figures[SCANLET_TOTAL_US_LOW] < figures[SCANLET_LAST_US]) ++figures[SCANLET_TOTAL_US_HIGH];
  ++figures[SCANLET_INFERENCES];
  if (status != 0) ++figures[SCANLET_FAILURES];
  return status == 0 ? SCANLET_ERROR_NONE : SCANLET_ERROR_FAILED;
}

static scanlet_server_error reset(scanlet_server* const server) {
  ++server->figures[SCANLET_RESETS];
  return server->service->reset(server->service->context) == 0 ? SCANLET_ERROR_NONE
                                                               : SCANLET_ERROR_FAILED;
}

// Carries the request out, once.
static scanlet_server_error carry_out(scanlet_server* const server) {
  const uint32_t length = server->parser.header.length;
  const uint32_t expected =
      server->type == SCANLET_REQUEST_INFER ? server->service->input_bytes : 0u;
  if (server->type == 0u || server->type > SCANLET_REQUEST_SELF_TEST) return SCANLET_ERROR_TYPE;
  if (length != expected) return SCANLET_ERROR_LENGTH;
  switch (server->type) {
    case SCANLET_REQUEST_INFER:
      return infer(server);
    case SCANLET_REQUEST_HELLO:
    case SCANLET_REQUEST_RESET:
      return reset(server);
    case SCANLET_REQUEST_SELF_TEST:
      server->failed_samples = server->service->self_test(server->service->context);
      return SCANLET_ERROR_NONE;
    default:
      return SCANLET_ERROR_NONE;
  }
}

static void handle(scanlet_server* const server) {
  const scanlet_frame_header* const header = &server->parser.header;
  ++server->figures[SCANLET_REQUESTS];
  const uint32_t begins = header->type == SCANLET_REQUEST_HELLO &&
                          header->session != server->session && header->session != 0u;
  if (!begins && (server->session == 0u || header->session != server->session)) {
    ++server->figures[SCANLET_REFUSED];
    send_error(server, header->session, header->sequence, SCANLET_ERROR_SESSION);
    return;
  }
  const uint16_t ahead = (uint16_t)(header->sequence - server->sequence);
  if (!begins && ahead == 0u && header->type == server->type) {
    ++server->figures[SCANLET_REPEATED];
  } else if (!begins && (ahead == 0u || ahead >= 0x8000u)) {
    ++server->figures[SCANLET_STALE];  // a copy that the line kept back: its answer has been taken
                                       // long ago
    return;
  } else {
    server->session = header->session;
    server->sequence = header->sequence;
    server->type = header->type;
    server->outcome = carry_out(server);
    if (server->outcome != SCANLET_ERROR_NONE) ++server->figures[SCANLET_REFUSED];
  }
  send_answer(server);
}

void scanlet_server_begin(scanlet_server* const server, const scanlet_service* const service,
                          uint8_t* const request) {
  static const scanlet_server empty = {0};
  *server = empty;
  server->service = service;
  server->parser.payload = request;
  server->parser.capacity = service->input_bytes;
  server->figures[SCANLET_MEMORY_USED] = service->memory_used;
  server->figures[SCANLET_MEMORY_RESERVED] = service->memory_reserved;
}

void scanlet_server_receive(scanlet_server* const server, const uint8_t* const data,
                            const uint32_t count) {
  const scanlet_frame_header* const header = &server->parser.header;
  for (uint32_t i = 0; i < count; ++i) {
    switch (scanlet_frame_feed(&server->parser, data[i])) {
      case SCANLET_FRAME_NONE:
        break;
      case SCANLET_FRAME_WHOLE:
        handle(server);
        break;
      case SCANLET_FRAME_DAMAGED_HEADER:
        ++server->figures[SCANLET_DAMAGED_HEADERS];
        send_error(server, 0u, 0u, SCANLET_ERROR_DAMAGED);
        break;
      case SCANLET_FRAME_DAMAGED_PAYLOAD:
        ++server->figures[SCANLET_DAMAGED_PAYLOADS];
        send_error(server, header->session, header->sequence, SCANLET_ERROR_DAMAGED);
        break;
      case SCANLET_FRAME_TOO_LONG:
        ++server->figures[SCANLET_TOO_LONG];
        send_error(server, header->session, header->sequence, SCANLET_ERROR_LENGTH);
        break;
      case SCANLET_FRAME_OTHER_VERSION:
        ++server->figures[SCANLET_OTHER_VERSIONS];
        send_error(server, header->session, header->sequence, SCANLET_ERROR_VERSION);
        break;
    }
  }
}

void scanlet_server_silence(scanlet_server* const server) {
  if (!scanlet_frame_forget(&server->parser)) return;
  ++server->figures[SCANLET_TRUNCATED];
  send_error(server, 0u, 0u, SCANLET_ERROR_DAMAGED);
}
