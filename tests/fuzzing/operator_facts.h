// SPDX-License-Identifier: Apache-2.0
// What a compiled model says of its nodes: the rows of the generated operator_nodes.h.
#ifndef FUZZING_OPERATOR_FACTS_H_
#define FUZZING_OPERATOR_FACTS_H_

#include <stddef.h>
#include <stdint.h>

#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"

struct TensorFact {
  int32_t type;
  int32_t rank;
  int32_t dims[3];
  const uint8_t* data;  // of a weight
  size_t bytes;
};

struct NodeFact {
  const char* name;
  const char* model;
  TFLMRegistration* (*registration)();
  const uint8_t* options;
  size_t options_bytes;
  const TensorFact* inputs;
  int input_count;
  TensorFact output;
  bool gelu;
  bool pooled;
  bool stream;
  bool integer;  // a mixer in integers
  int32_t ahead;
  int32_t max_length;  // 0: any
};

#endif  // FUZZING_OPERATOR_FACTS_H_
