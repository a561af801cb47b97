// SPDX-License-Identifier: Apache-2.0
// Fuzzes the operator as TFLM sees it: init, prepare, invoke, reset, in any order, on nodes that
// are nearly well-formed. `prepare` must accept exactly the nodes that Fits() accepts, from the
// model's own words; each refusal must say why; what is accepted must compute what the model's node
// does.
#include "operator_tflm.h"

static const TensorCase* At(const Case& made, const std::vector<int32_t>& list, size_t index) {
  if (index >= list.size() || list[index] < 0) return nullptr;
  const TensorCase& tensor = made.tensors[static_cast<size_t>(list[index])];
  return tensor.exists && tensor.has_dims ? &tensor : nullptr;
}

static bool Is(const TensorCase* tensor, int32_t type, const std::vector<int32_t>& dims) {
  return tensor != nullptr && tensor->type == type &&
         tensor->size_of_dims == static_cast<int32_t>(dims.size()) && tensor->dims == dims;
}

// Whether there is memory, and at an address that no number could be read from.
static bool LiesOdd(const TensorCase& tensor) {
  return tensor.memory == Memory::kOdd && DeclaredBytes(tensor) <= kLargestBuffer;
}

static bool FitsGelu(const Case& made) {
  const TensorCase* const x = At(made, made.inputs, 0);
  if (made.inputs.size() != 1 || x == nullptr || x->type != 1 || x->size_of_dims < 0 ||
      x->size_of_dims > 8) {
    return false;
  }
  int64_t bytes = 4;
  for (const int32_t size : x->dims) {
    if (size < 0) return false;
    bytes = std::min<int64_t>(bytes * size, int64_t{INT32_MAX} + 1);
    if (bytes > INT32_MAX) return false;
  }
  return !LiesOdd(*x) && Is(At(made, made.outputs, 0), 1, x->dims);
}

static bool FitsLayer(const Case& made, const NodeFact& node) {
  if (made.inputs.size() != static_cast<size_t>(node.input_count)) return false;
  const TensorCase* const x = At(made, made.inputs, 0);
  if (x == nullptr || x->dims.size() != 3) return false;
  const int32_t length = x->dims[1];
  const TensorFact& input = node.inputs[0];
  if (length < 1 || (node.max_length != 0 && length > node.max_length)) return false;
  if (!Is(x, input.type, {1, length, input.dims[2]}) || LiesOdd(*x)) return false;
  const int64_t steps = int64_t{length} + node.ahead;
  const int32_t widest = std::max(input.dims[2], node.output.dims[node.pooled ? 1 : 2]);
  if (steps * widest * 4 > INT32_MAX) return false;
  for (size_t i = 1; i < made.inputs.size(); ++i) {
    const TensorFact& fact = node.inputs[i];
    const TensorCase* const weight = At(made, made.inputs, i);
    if (!Is(weight, fact.type, {fact.dims, fact.dims + fact.rank})) return false;
    if (weight->memory == Memory::kNone || weight->memory == Memory::kOdd) return false;
  }
  std::vector<int32_t> dims{1, static_cast<int32_t>(steps), node.output.dims[2]};
  if (node.pooled) dims = {1, node.output.dims[1]};
  return Is(At(made, made.outputs, 0), node.output.type, dims);
}

// The node of the model that this one must compute the same as; nullptr if it is none of them.
static const NodeFact* Fits(const Case& made) {
  if (made.inputs_null || made.outputs_null || made.options_null) return nullptr;
  if (made.outputs.size() != 1 || made.outputs[0] < 0) return nullptr;
  if (std::count(made.inputs.begin(), made.inputs.end(), made.outputs[0]) > 0) return nullptr;
  for (const NodeFact& node : kNodes) {
    if (strcmp(node.model, made.node->model) != 0) continue;
    if (made.options.size() != node.options_bytes ||
        memcmp(made.options.data(), node.options, node.options_bytes) != 0) {
      continue;
    }
    if (node.gelu ? FitsGelu(made) : FitsLayer(made, node)) return &node;
  }
  return nullptr;
}

// Whether all weights are those of the model's node, at their places.
static bool HasModelWeights(const Case& made, const NodeFact& node) {
  for (size_t i = 1; i < made.inputs.size(); ++i) {
    const TensorCase* const weight = At(made, made.inputs, i);
    if (weight == nullptr || weight->weight != &node.inputs[i] || !HasModelWeight(*weight)) {
      return false;
    }
  }
  return true;
}

static TensorMemory* Output(Context* context) {
  return &context->tensors[static_cast<size_t>(context->made->outputs[0])];
}

// Fresh memory for scratch and output: nothing may be left over from the call before.
static TfLiteStatus Invoke(Context* context, int fill) {
  if (context->scratch != nullptr) memset(context->scratch.get(), fill, context->scratch_bytes);
  TensorMemory* const y = Output(context);
  if (y->data != nullptr) memset(y->eval.data.data, fill, y->bytes);
  return context->made->node->registration()->invoke(context, &context->node);
}

// The `calls`-th output of the model's own node on the same input.
static std::vector<char> Reference(const Case& made, const NodeFact& node, int calls) {
  const size_t x = static_cast<size_t>(made.inputs[0]);
  Case same = MakeCase(node, 1);
  same.tensors[0] = made.tensors[x];
  same.tensors.back() = made.tensors[static_cast<size_t>(made.outputs[0])];
  same.tensors.back().memory = Memory::kOwn;
  std::unique_ptr<Context> context = MakeContext(same);
  const TensorMemory& given = context->tensors[0];
  same.seed = made.seed;
  same.any_bits = made.any_bits;
  Fill(same, static_cast<uint32_t>(x), same.tensors[0].type,
       static_cast<char*>(given.eval.data.data), given.bytes);
  const TFLMRegistration* const operation = node.registration();
  context->node.user_data =
      operation->init(context.get(), context->OptionsAddress(), same.options.size());
  if (operation->prepare(context.get(), &context->node) != kTfLiteOk) Fail("refused", node.name);
  for (int call = 0; call < calls; ++call) {
    if (Invoke(context.get(), 0x5A) != kTfLiteOk) Fail("not invoked", node.name);
  }
  const TensorMemory* const y = Output(context.get());
  const char* const first = static_cast<const char*>(y->eval.data.data);
  return {first, first + y->bytes};
}

// Plays the steps of a case, and knows what each must do.
class Player {
 public:
  explicit Player(const Case& made)
      : made_(made),
        operation_(made.node->registration()),
        context_(MakeContext(made)),
        node_(Fits(made)) {}

  void Play(Step step) {
    context_->reported = false;
    switch (step) {
      case Step::kInit:
        context_->node.user_data =
            operation_->init(context_.get(), context_->OptionsAddress(), made_.options.size());
        prepared_ = false;
        break;
      case Step::kPrepare:
        Prepare();
        break;
      case Step::kInvoke:
        RunOnce();
        break;
      case Step::kReset:
        if (operation_->reset != nullptr) {
          operation_->reset(context_.get(), context_->node.user_data);
        }
        calls_ = 0;
        break;
      case Step::kFree:
        if (operation_->free != nullptr) {
          operation_->free(context_.get(), context_->node.user_data);
        }
    }
  }

 private:
  void Prepare() {
    const bool failed_before = context_->failed_allocation;
    context_->failed_allocation = false;
    const bool has_memory = context_->node.user_data != nullptr;
    const TfLiteStatus status = operation_->prepare(context_.get(), &context_->node);
    const bool expected = node_ != nullptr && has_memory && !context_->failed_allocation;
    context_->failed_allocation = context_->failed_allocation || failed_before;
    prepared_ = status == kTfLiteOk;
    calls_ = 0;
    if (prepared_ && !expected) Fail("prepare accepts what does not fit", made_.node->name);
    if (!prepared_ && expected) Fail("prepare refuses what fits", made_.node->name);
    if (!prepared_ && !context_->reported) Fail("refused without a word", made_.node->name);
    ++Counts()[prepared_ ? "prepared" : "refused"];
    if (prepared_) ++Counts()[std::string("node: ") + node_->name];
  }

  bool Runs() const {
    const int64_t x = DeclaredBytes(made_.tensors[static_cast<size_t>(made_.inputs[0])]);
    const int64_t y = DeclaredBytes(made_.tensors[static_cast<size_t>(made_.outputs[0])]);
    return x <= kLargestBuffer && y <= kLargestBuffer;
  }

  void RunOnce() {
    if (!prepared_) {
      // No interpreter does this; it must end in words all the same.
      if (made_.inputs_null || made_.outputs_null) return;
      if (operation_->invoke(context_.get(), &context_->node) == kTfLiteOk) {
        Fail("invoke runs unprepared", made_.node->name);
      }
      if (!context_->reported) Fail("invoke refuses without a word", made_.node->name);
      ++Counts()["invoked unprepared"];
      return;
    }
    const TensorCase& x = made_.tensors[static_cast<size_t>(made_.inputs[0])];
    const TensorCase& y = made_.tensors[static_cast<size_t>(made_.outputs[0])];
    if (!Runs() || x.memory == Memory::kNone || y.memory == Memory::kNone ||
        x.memory == Memory::kOdd || y.memory == Memory::kOdd) {
      ++Counts()["prepared, but not run: too large or no memory"];
      return;
    }
    const bool own_weights = HasModelWeights(made_, *node_);
    // Integer weights hold bounds that the arithmetic counts on: their contents are trusted.
    if (node_->integer && !own_weights) return;
    if (Invoke(context_.get(), kUnwritten) != kTfLiteOk) Fail("invoke fails", made_.node->name);
    ++calls_;
    ++Counts()[own_weights ? "invoked" : "invoked with other weights"];
    if (own_weights && calls_ <= 3) Compare();
  }

  void Compare() {
    const std::vector<char> expected = Reference(made_, *node_, calls_);
    const TensorMemory* const y = Output(context_.get());
    if (expected.size() != y->bytes ||
        (y->bytes > 0 && memcmp(expected.data(), y->eval.data.data, y->bytes) != 0)) {
      Fail("a wrong result", made_.node->name);
    }
    ++Counts()["compared"];
  }

  const Case& made_;
  const TFLMRegistration* const operation_;
  const std::unique_ptr<Context> context_;
  const NodeFact* const node_;
  bool prepared_ = false;
  int calls_ = 0;  // since the state was cleared
};

static void PrintCounts() {
  for (const auto& [what, count] : Counts()) {
    printf("%10lld  %s\n", static_cast<long long>(count), what.c_str());
  }
}

extern "C" int LLVMFuzzerInitialize(int*, char***) { return atexit(PrintCounts); }

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Case made = Decode(data, size);
  Player player(made);
  for (const Step step : made.steps) player.Play(step);
  ++Counts()["executions"];
  return 0;
}
