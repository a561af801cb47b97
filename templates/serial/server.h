// SPDX-License-Identifier: Apache-2.0
// Answers requests for one model: scanlet's serial protocol, version 2, without what lies below
// (bytes) and above (the model). One request at a time, and each is carried out once: a client that
// got no answer sends the same frame again and gets the same answer again.
//
//   type  request           payload     answer's payload
//   0x01  hello             none        UTF-8 text, lines of key=value; begins a session
//   0x02  infer             all inputs  uint32 microseconds, then all outputs
//   0x03  reset             none        none; the recurrent state is clear
//   0x04  statistics        none        uint32 each, in the order of SCANLET_INFERENCES ...
//   0x05  self-test         none        uint32 failed samples, uint32 samples; the state is clear
//   0xff  (an answer only)              an error: one byte of scanlet_server_error, then UTF-8 text
#ifndef SCANLET_SERIAL_SERVER_H_
#define SCANLET_SERIAL_SERVER_H_

#include <stdint.h>

#include "frame.h"

#ifdef __cplusplus
extern "C" {
#endif

// A line that is silent for this long within a frame has lost the rest of it.
#define SCANLET_SERVER_SILENCE_MS 250u
#define SCANLET_SERVER_UNKNOWN 0xffffffffu  // a figure that this machine does not have

enum {
  SCANLET_REQUEST_HELLO = 0x01,
  SCANLET_REQUEST_INFER = 0x02,
  SCANLET_REQUEST_RESET = 0x03,
  SCANLET_REQUEST_STATISTICS = 0x04,
  SCANLET_REQUEST_SELF_TEST = 0x05,
  SCANLET_ANSWER = 0x80,  // added to the request's type
  SCANLET_ANSWER_ERROR = 0xff,
};

typedef enum {
  SCANLET_ERROR_NONE = 0,
  SCANLET_ERROR_DAMAGED = 1,  // send it again; with session 0, sequence 0 if these were damaged
  SCANLET_ERROR_VERSION = 2,  // the frame is of another version of the protocol
  SCANLET_ERROR_SESSION = 3,  // no session of this number: say hello first
  SCANLET_ERROR_TYPE = 4,     // no such request
  SCANLET_ERROR_LENGTH = 5,   // the payload's length is not that of the request
  SCANLET_ERROR_FAILED = 6,   // the model or the operation failed
} scanlet_server_error;

// What `statistics` answers, in this order, counted since the start of the program.
enum {
  SCANLET_INFERENCES,        // carried out; a repeated request does not count
  SCANLET_FAILURES,          // of them, those that failed
  SCANLET_RESETS,            // asked for, and one a session
  SCANLET_REQUESTS,          // whole frames
  SCANLET_REPEATED,          // of them, answered again without being carried out again
  SCANLET_STALE,             // of them, older than the last one and not answered
  SCANLET_REFUSED,           // of them, answered with an error
  SCANLET_DAMAGED_HEADERS,   // frames
  SCANLET_DAMAGED_PAYLOADS,  // frames
  SCANLET_TRUNCATED,         // frames whose rest did not come
  SCANLET_TOO_LONG,          // frames
  SCANLET_OTHER_VERSIONS,    // frames
  SCANLET_LAST_US,           // microseconds of an inference
  SCANLET_LONGEST_US,
  SCANLET_TOTAL_US_LOW,  // of all inferences, 64 bits
  SCANLET_TOTAL_US_HIGH,
  SCANLET_MEMORY_USED,      // bytes of arena and state
  SCANLET_MEMORY_RESERVED,  // bytes
  SCANLET_STACK_UNUSED,     // bytes that the stack never reached
  SCANLET_FIGURES,
};

// The model and the line. The functions get `context` first; those that return a status return 0
// if all went well.
typedef struct {
  void* context;
  const char* description;  // the answer to hello
  uint32_t description_bytes;
  uint32_t input_bytes;   // of all inputs
  uint32_t output_count;  // their bytes stay as they are until the next run
  uint32_t sample_count;  // of the self-test
  uint32_t memory_used;   // bytes, or SCANLET_SERVER_UNKNOWN
  uint32_t memory_reserved;
  int32_t (*run)(void* context, const uint8_t* inputs);
  const uint8_t* (*output)(void* context, uint32_t index, uint32_t* bytes);
  int32_t (*reset)(void* context);
  uint32_t (*self_test)(void* context);     // samples that failed
  uint32_t (*microseconds)(void* context);  // a clock that wraps around
  uint32_t (*stack_unused)(void* context);  // bytes, or SCANLET_SERVER_UNKNOWN
  void (*write)(void* context, const uint8_t* data, uint32_t count);
} scanlet_service;

typedef struct {
  const scanlet_service* service;
  scanlet_frame_parser parser;
  uint32_t figures[SCANLET_FIGURES];
  uint32_t session;   // 0: none
  uint16_t sequence;  // of the last request, with its type and how it ended
  uint8_t type;
  scanlet_server_error outcome;
  uint32_t failed_samples;
} scanlet_server;

// `request` holds the inputs of one inference: service->input_bytes, aligned as the model's inputs
// are if `run` reads them in place.
void scanlet_server_begin(scanlet_server* server, const scanlet_service* service, uint8_t* request);

// Takes bytes that arrived, and answers what they complete.
void scanlet_server_receive(scanlet_server* server, const uint8_t* data, uint32_t count);

// To be called when nothing has arrived for SCANLET_SERVER_SILENCE_MS.
void scanlet_server_silence(scanlet_server* server);

#ifdef __cplusplus
}
#endif

#endif  // SCANLET_SERIAL_SERVER_H_
