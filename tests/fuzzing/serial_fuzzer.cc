// SPDX-License-Identifier: Apache-2.0
// Bytes at the serial server. An input is a script: raw bytes, frames with right checksums,
// silences. Whatever came, memory is respected, the server answers in whole frames, counts what it
// ran, and serves the next client.
#include <cstdlib>
#include <cstring>
#include <vector>

#include "crc32.h"
#include "frame.h"
#include "server.h"

namespace {

constexpr uint32_t kInputBytes = 24, kOutputBytes = 5;
const char kDescription[] = "model=fuzzed\n";

void Require(bool holds) {
  if (!holds) std::abort();
}

// A model with a state: how often it has run since the reset.
struct Model {
  uint32_t runs = 0, since_reset = 0;
  uint8_t output[kOutputBytes] = {};
  std::vector<uint8_t> sent;
};

Model* Of(void* context) { return static_cast<Model*>(context); }

int32_t Run(void* context, const uint8_t* inputs) {
  Model* const model = Of(context);
  ++model->runs;
  scanlet_store_u32(++model->since_reset, model->output);
  model->output[4] = 0;
  for (uint32_t i = 0; i < kInputBytes; ++i) model->output[4] ^= inputs[i];
  return inputs[0] == 0xee ? -1 : 0;
}

const uint8_t* Output(void* context, uint32_t index, uint32_t* bytes) {
  Require(index == 0);
  *bytes = kOutputBytes;
  return Of(context)->output;
}

int32_t Reset(void* context) {
  Of(context)->since_reset = 0;
  return 0;
}

uint32_t SelfTest(void* context) {
  Reset(context);
  return 1;
}

uint32_t Microseconds(void*) {
  static uint32_t now = 0xfffffff0u;  // wraps around
  return now += 7;
}

uint32_t StackUnused(void*) { return SCANLET_SERVER_UNKNOWN; }

void Write(void* context, const uint8_t* data, uint32_t count) {
  Of(context)->sent.insert(Of(context)->sent.end(), data, data + count);
}

std::vector<uint8_t> Frame(uint8_t version, uint8_t type, uint16_t sequence, uint32_t session,
                           const uint8_t* payload, uint32_t length) {
  const scanlet_frame_header header = {version, type, sequence, session, length};
  std::vector<uint8_t> frame(SCANLET_FRAME_HEADER_BYTES);
  const uint32_t crc = scanlet_frame_write_header(&header, frame.data());
  if (length == 0) return frame;
  frame.insert(frame.end(), payload, payload + length);
  uint8_t checksum[SCANLET_FRAME_CHECKSUM_BYTES];
  scanlet_store_u32(scanlet_crc32(crc, payload, length), checksum);
  frame.insert(frame.end(), checksum, checksum + sizeof(checksum));
  return frame;
}

struct Answer {
  scanlet_frame_header header;
  std::vector<uint8_t> payload;
};

// What the server sent is whole frames and nothing else.
std::vector<Answer> Taken(Model* model) {
  std::vector<Answer> answers;
  std::vector<uint8_t> room(4096);
  scanlet_frame_parser parser = {};
  parser.payload = room.data();
  parser.capacity = static_cast<uint32_t>(room.size());
  for (const uint8_t byte : model->sent) {
    const scanlet_frame_event event = scanlet_frame_feed(&parser, byte);
    Require(event == SCANLET_FRAME_NONE || event == SCANLET_FRAME_WHOLE);
    if (event != SCANLET_FRAME_WHOLE) continue;
    Require((parser.header.type & SCANLET_ANSWER) != 0);
    answers.push_back(
        {parser.header, {room.begin(), room.begin() + static_cast<long>(parser.header.length)}});
  }
  Require(parser.position == 0);
  model->sent.clear();
  return answers;
}

void Feed(scanlet_server* server, const std::vector<uint8_t>& bytes) {
  // A copy of exactly that size: the sanitizer sees a read beyond.
  const std::vector<uint8_t> exact(bytes);
  scanlet_server_receive(server, exact.data(), static_cast<uint32_t>(exact.size()));
}

// One step of the script; returns how many bytes of it were used.
size_t Step(scanlet_server* server, const uint8_t* data, size_t size) {
  const auto take = [&](size_t wanted) { return wanted < size - 1 ? wanted : size - 1; };
  switch (data[0] % 4) {
    case 0: {  // raw bytes
      const size_t count = take(data[0] / 4);
      Feed(server, {data + 1, data + 1 + count});
      return 1 + count;
    }
    case 1: {  // a frame: type, sequence, session, version, and a payload of the right length or
               // not
      if (size < 5) return size;
      const uint32_t length = data[0] / 4 < 48 ? (data[1] % 8 == 2 ? kInputBytes : 0) : data[0] / 4;
      std::vector<uint8_t> payload(length);
      const size_t count = size - 5 < length ? size - 5 : length;
      if (count > 0) std::memcpy(payload.data(), data + 5, count);
      const uint8_t version = data[4] < 250 ? SCANLET_FRAME_VERSION : data[4];
      Feed(server, Frame(version, data[1] % 8, static_cast<uint16_t>(data[2] * 257), data[3] % 4,
                         payload.data(), length));
      return 5 + count;
    }
    case 2: {  // a header alone
      if (size < 6) return size;
      std::vector<uint8_t> frame(SCANLET_FRAME_HEADER_BYTES);
      const scanlet_frame_header header = {SCANLET_FRAME_VERSION, data[1], data[2], data[3] % 4u,
                                           static_cast<uint32_t>(data[4]) << (data[5] % 25)};
      scanlet_frame_write_header(&header, frame.data());
      Feed(server, frame);
      return 6;
    }
    default:
      scanlet_server_silence(server);
      return 1;
  }
}

// Greets as a client that nobody knows, and runs once; the repeated request gets the same answer.
void ServesTheNextClient(scanlet_server* server, Model* model) {
  scanlet_server_silence(server);
  Taken(model);
  const uint32_t session = 0x5ca71e7, runs = model->runs;
  uint8_t inputs[kInputBytes] = {1, 2, 4};
  Feed(server, Frame(SCANLET_FRAME_VERSION, SCANLET_REQUEST_HELLO, 65535, session, nullptr, 0));
  const std::vector<uint8_t> infer =
      Frame(SCANLET_FRAME_VERSION, SCANLET_REQUEST_INFER, 0, session, inputs, kInputBytes);
  Feed(server, infer);
  Feed(server, infer);
  const std::vector<Answer> answers = Taken(model);
  Require(answers.size() == 3);
  Require(answers[0].header.type == (SCANLET_REQUEST_HELLO | SCANLET_ANSWER));
  Require(answers[0].payload.size() == sizeof(kDescription) - 1);
  const std::vector<uint8_t> output = {1, 0, 0, 0, 1 ^ 2 ^ 4};
  Require(answers[1].payload.size() == 4 + kOutputBytes);
  Require(std::memcmp(answers[1].payload.data() + 4, output.data(), kOutputBytes) == 0);
  Require(answers[2].payload == answers[1].payload);
  Require(answers[2].header.sequence == 0 && answers[2].header.session == session);
  Require(model->runs == runs + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Model model;
  scanlet_service service = {};
  service.context = &model;
  service.description = kDescription;
  service.description_bytes = sizeof(kDescription) - 1;
  service.input_bytes = kInputBytes;
  service.output_count = 1;
  service.sample_count = 3;
  service.run = Run;
  service.output = Output;
  service.reset = Reset;
  service.self_test = SelfTest;
  service.microseconds = Microseconds;
  service.stack_unused = StackUnused;
  service.write = Write;
  std::vector<uint8_t> request(kInputBytes);  // exactly: the sanitizer sees a write beyond
  scanlet_server server;
  scanlet_server_begin(&server, &service, request.data());
  for (size_t done = 0; done < size;) done += Step(&server, data + done, size - done);
  Taken(&model);
  Require(server.figures[SCANLET_INFERENCES] == model.runs);
  Require(model.runs <= server.figures[SCANLET_REQUESTS]);
  ServesTheNextClient(&server, &model);
  return 0;
}
