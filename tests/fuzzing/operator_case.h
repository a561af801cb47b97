// SPDX-License-Identifier: Apache-2.0
// A node as an interpreter could hand it over, decoded from the fuzzer's bytes.
//
// byte 0: which node of which model; byte 1: its length in steps; byte 2: seed of its contents.
// What follows are changes to the well-formed node, each an opcode and what it needs: so that most
// inputs differ from a good one in little, and get far.
#ifndef FUZZING_OPERATOR_CASE_H_
#define FUZZING_OPERATOR_CASE_H_

#include <string.h>

#include <algorithm>
#include <vector>

#include "operator_nodes.h"

constexpr int kNodeCount = static_cast<int>(sizeof(kNodes) / sizeof(kNodes[0]));

constexpr int kMostChanges = 8;

// Reads the fuzzer's bytes; zeros behind their end.
class Bytes {
 public:
  Bytes(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  bool Empty() const { return left_ == 0; }
  uint8_t Next() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  int8_t NextSigned() { return static_cast<int8_t>(Next()); }
  int32_t NextWord() {
    uint32_t word = 0;
    for (int shift = 0; shift < 32; shift += 8) word |= static_cast<uint32_t>(Next()) << shift;
    return static_cast<int32_t>(word);
  }
  // A size: small ones, those where something may overflow, or any.
  int32_t NextSize() {
    static const int32_t kOdd[] = {
        -1,    INT32_MIN, INT32_MAX,  INT32_MAX - 1, 1 << 30, 1 << 28, 65535, 65536,
        46341, 1 << 16,   -(1 << 30), INT32_MAX / 4, 1 << 29, -2,      32768};
    const uint8_t choice = Next();
    if (choice < 224) return choice % 12;
    return choice < 239 ? kOdd[choice - 224] : NextWord();
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

// kOwn: what the model has there; kRandom: other contents.
enum class Memory { kOwn, kNone, kOdd, kRandom };

struct TensorCase {
  bool exists = true;
  bool has_dims = true;
  int32_t type = 0;
  int32_t size_of_dims = 0;  // what dims->size says; never more than there are
  std::vector<int32_t> dims;
  Memory memory = Memory::kOwn;
  const TensorFact* weight = nullptr;
};

enum class Step { kInit, kPrepare, kInvoke, kReset, kFree };

struct Case {
  const NodeFact* node;
  uint32_t seed = 0;
  bool any_bits = false;  // activations are arbitrary bits, NaN among them
  std::vector<uint8_t> options;
  bool options_null = false;
  size_t options_shift = 0;  // bytes that they lie off an aligned address
  std::vector<TensorCase> tensors;
  bool inputs_null = false;
  bool outputs_null = false;
  std::vector<int32_t> inputs;
  std::vector<int32_t> outputs;
  int failing_allocation = -1;
  bool failing_scratch = false;
  std::vector<Step> steps;
};

inline TensorCase MakeTensor(const TensorFact& fact) {
  TensorCase tensor;
  tensor.type = fact.type;
  tensor.size_of_dims = fact.rank;
  tensor.dims.assign(fact.dims, fact.dims + fact.rank);
  if (fact.data != nullptr) tensor.weight = &fact;
  return tensor;
}

inline int32_t Wrapping(int32_t a, int32_t b) {
  return static_cast<int32_t>(static_cast<uint32_t>(a) + static_cast<uint32_t>(b));
}

// The node as it is, `length` steps long: tensors are its inputs and then its output.
inline Case MakeCase(const NodeFact& node, int32_t length) {
  Case made;
  made.node = &node;
  made.options.assign(node.options, node.options + node.options_bytes);
  for (int i = 0; i < node.input_count; ++i) {
    made.tensors.push_back(MakeTensor(node.inputs[i]));
    made.inputs.push_back(i);
  }
  made.tensors.push_back(MakeTensor(node.output));
  made.outputs.push_back(node.input_count);
  made.tensors[0].dims[1] = length;
  if (!node.pooled) made.tensors.back().dims[1] = Wrapping(length, node.ahead);
  return made;
}

inline void SetRank(TensorCase* tensor, int32_t rank, int32_t fill) {
  tensor->size_of_dims = rank;
  tensor->dims.resize(static_cast<size_t>(std::max(rank, 0)), fill);
}

inline void SetDim(TensorCase* tensor, uint8_t axis, int32_t size) {
  if (!tensor->dims.empty()) tensor->dims[axis % tensor->dims.size()] = size;
}

inline void ChangeOptions(uint8_t opcode, Bytes* bytes, Case* made) {
  std::vector<uint8_t>& options = made->options;
  switch (opcode) {
    case 0: {
      const uint8_t at = bytes->Next();
      const uint8_t change = bytes->Next();
      if (!options.empty()) options[at % options.size()] ^= change;
      break;
    }
    case 1: {
      const uint8_t at = bytes->Next();
      const int32_t word = bytes->NextSize();
      if (options.size() >= 4) memcpy(&options[at % (options.size() / 4) * 4], &word, 4);
      break;
    }
    case 2:
      options.resize(bytes->Next() + 256u * (bytes->Next() % 4), bytes->Next());
      break;
    case 3: {
      const NodeFact& other = kNodes[bytes->Next() % kNodeCount];
      options.assign(other.options, other.options + other.options_bytes);
      break;
    }
    case 4:
      made->options_null = true;
      if (bytes->Next() % 2 == 0) options.clear();
      break;
    default:
      made->options_shift = bytes->Next() % 16;
  }
}

inline void ChangeLists(uint8_t opcode, Bytes* bytes, Case* made) {
  const int32_t count = static_cast<int32_t>(made->tensors.size());
  std::vector<int32_t>& list = opcode < 9 ? made->inputs : made->outputs;
  switch (opcode) {
    case 6:
    case 9: {
      const size_t size = bytes->Next() % 40;
      list.resize(size, bytes->NextSigned() % count);
      break;
    }
    case 7:
    case 10: {
      const uint8_t at = bytes->Next();
      const int32_t index = std::max(bytes->NextSigned() % count, -1);  // -1: a missing one
      if (!list.empty()) list[at % list.size()] = index;
      break;
    }
    case 8: {
      const uint8_t a = bytes->Next();
      const uint8_t b = bytes->Next();
      if (!list.empty()) std::swap(list[a % list.size()], list[b % list.size()]);
      break;
    }
    case 11:
      made->inputs_null = true;
      break;
    default:
      made->outputs_null = true;
  }
  for (int32_t& index : list) index = std::max(index, -1);
}

inline void ChangeTensor(uint8_t opcode, Bytes* bytes, Case* made) {
  TensorCase* const x = &made->tensors.front();
  TensorCase* const y = &made->tensors.back();
  TensorCase* const tensor = &made->tensors[bytes->Next() % made->tensors.size()];
  switch (opcode) {
    case 13:
      tensor->type = bytes->Next() % 32;
      break;
    case 14:
      SetRank(tensor, bytes->NextSigned() % 12, bytes->Next());
      break;
    case 15: {
      const uint8_t axis = bytes->Next();
      SetDim(tensor, axis, bytes->NextSize());
      break;
    }
    case 16: {
      const uint8_t axis = bytes->Next();
      const int32_t size = bytes->NextSize();
      SetDim(x, axis, size);
      SetDim(y, axis, size);
      break;
    }
    case 17: {
      const int32_t rank = bytes->NextSigned() % 12;
      const int32_t fill = bytes->NextSize();
      SetRank(x, rank, fill);
      SetRank(y, rank, fill);
      break;
    }
    case 18: {
      const int32_t length = bytes->NextSize();
      SetDim(x, 1, length);
      if (!made->node->pooled) SetDim(y, 1, Wrapping(length, made->node->ahead));
      break;
    }
    case 19:
      tensor->has_dims = false;
      break;
    case 20:
      tensor->memory = static_cast<Memory>(bytes->Next() % 4);
      break;
    default:
      tensor->exists = false;
  }
}

inline Case Decode(const uint8_t* data, size_t size) {
  static const Step kUsual[] = {Step::kInit,  Step::kPrepare, Step::kInvoke, Step::kInvoke,
                                Step::kReset, Step::kInvoke,  Step::kFree};
  Bytes bytes(data, size);
  const NodeFact& node = kNodes[bytes.Next() % kNodeCount];
  Case made = MakeCase(node, 1 + bytes.Next() % 9);
  made.seed = bytes.Next();
  bool usual = true;
  for (int change = 0; change < kMostChanges && !bytes.Empty(); ++change) {
    const uint8_t opcode = bytes.Next() % 27;
    if (opcode < 6) {
      ChangeOptions(opcode, &bytes, &made);
    } else if (opcode < 13) {
      ChangeLists(opcode, &bytes, &made);
    } else if (opcode < 22) {
      ChangeTensor(opcode, &bytes, &made);
    } else if (opcode == 22) {
      made.failing_allocation = bytes.Next() % 4;
    } else if (opcode == 23) {
      made.failing_scratch = true;
    } else if (opcode == 24) {
      made.any_bits = true;
    } else if (opcode == 25) {
      made.steps.push_back(static_cast<Step>(bytes.Next() % 5));
    } else {
      usual = false;
    }
  }
  if (usual) made.steps.insert(made.steps.end(), kUsual, kUsual + 7);
  return made;
}

#endif  // FUZZING_OPERATOR_CASE_H_
