// SPDX-License-Identifier: Apache-2.0
#include "inference_server.h"

#include <cstring>

#include "app_config.h"
#include "console.h"
#include "esp_timer.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "serial_protocol.h"

namespace {

// A request that stays incomplete for this long is dropped, so that the next one is understood.
constexpr uint32_t kSilenceMs = 1000;

uint8_t g_request[config::kRequestBytes];

// Sends one frame whose payload comes in pieces.
class Answer {
 public:
  Answer(uint8_t type, uint8_t sequence, size_t length) {
    uint8_t header[serial::kHeaderBytes];
    serial::WriteHeader(static_cast<uint8_t>(type | serial::kAnswer), sequence,
                        static_cast<uint32_t>(length), header);
    crc_ =
        serial::Crc32(0, header + serial::kMagicBytes, serial::kHeaderBytes - serial::kMagicBytes);
    console::Write(header, sizeof(header));
  }

  void Add(const void* data, size_t count) {
    const uint8_t* const bytes = static_cast<const uint8_t*>(data);
    crc_ = serial::Crc32(crc_, bytes, count);
    console::Write(bytes, count);
  }

  void End() const {
    uint8_t checksum[serial::kChecksumBytes];
    serial::WriteUint32(crc_, checksum);
    console::Write(checksum, sizeof(checksum));
  }

 private:
  uint32_t crc_;
};

void SendText(uint8_t type, uint8_t sequence, const char* text) {
  const size_t length = std::strlen(text);
  Answer answer(type, sequence, length);
  answer.Add(text, length);
  answer.End();
}

void SendError(uint8_t sequence, const char* text) { SendText(serial::kError, sequence, text); }

size_t InputBytes(tflite::MicroInterpreter* interpreter) {
  size_t bytes = 0;
  for (size_t i = 0; i < config::kInputCount; ++i) bytes += interpreter->input(i)->bytes;
  return bytes;
}

size_t OutputBytes(tflite::MicroInterpreter* interpreter) {
  size_t bytes = 0;
  for (size_t i = 0; i < config::kOutputCount; ++i) bytes += interpreter->output(i)->bytes;
  return bytes;
}

void Infer(tflite::MicroInterpreter* interpreter, const serial::FrameParser& request) {
  if (request.length() != InputBytes(interpreter)) {
    SendError(request.sequence(), "the payload's length is not that of the inputs; ask for info");
    return;
  }
  const uint8_t* source = request.payload();
  for (size_t i = 0; i < config::kInputCount; ++i) {
    TfLiteTensor* const input = interpreter->input(i);
    std::memcpy(input->data.data, source, input->bytes);
    source += input->bytes;
  }
  const int64_t start = esp_timer_get_time();
  const TfLiteStatus status = interpreter->Invoke();
  const int64_t duration = esp_timer_get_time() - start;
  if (status != kTfLiteOk) {
    SendError(request.sequence(), "the inference failed");
    return;
  }
  uint8_t microseconds[4];
  serial::WriteUint32(static_cast<uint32_t>(duration), microseconds);
  Answer answer(serial::kInfer, request.sequence(),
                sizeof(microseconds) + OutputBytes(interpreter));
  answer.Add(microseconds, sizeof(microseconds));
  for (size_t i = 0; i < config::kOutputCount; ++i) {
    const TfLiteTensor* const output = interpreter->output(i);
    answer.Add(output->data.data, output->bytes);
  }
  answer.End();
}

void Handle(tflite::MicroInterpreter* interpreter, const serial::FrameParser& request) {
  switch (request.type()) {
    case serial::kInfo:
      SendText(serial::kInfo, request.sequence(), config::kDescription);
      break;
    case serial::kInfer:
      Infer(interpreter, request);
      break;
    case serial::kReset:
      if (interpreter->Reset() == kTfLiteOk) {
        SendText(serial::kReset, request.sequence(), "");
      } else {
        SendError(request.sequence(), "the reset failed");
      }
      break;
    default:
      SendError(request.sequence(), "unknown request type");
  }
}

void Take(tflite::MicroInterpreter* interpreter, serial::FrameParser* parser, uint8_t byte) {
  switch (parser->Feed(byte)) {
    case serial::Event::kNone:
      break;
    case serial::Event::kFrame:
      Handle(interpreter, *parser);
      vTaskDelay(1);  // however fast requests come, the idle task feeds the watchdog
      break;
    case serial::Event::kBadHeader:
      SendError(parser->sequence(), "the header's reserved bytes are not zero");
      break;
    case serial::Event::kTooLong:
      SendError(parser->sequence(), "the payload is longer than the inputs");
      break;
    case serial::Event::kBadChecksum:
      SendError(parser->sequence(), "wrong checksum: the request arrived damaged");
      break;
  }
}

}  // namespace

void ServeInference(tflite::MicroInterpreter* interpreter) {
  serial::FrameParser parser(g_request, sizeof(g_request));
  uint8_t received[64];
  while (true) {
    const size_t count = console::Read(received, sizeof(received), kSilenceMs);
    if (count == 0) parser.Reset();
    for (size_t i = 0; i < count; ++i) Take(interpreter, &parser, received[i]);
  }
}
