//===- Recorder.cpp - Records the operator calls of a run -----------------===//

#include "frontends/torch/capture/Recorder.h"

#include "frontends/torch/capture/MetaKernels.h"

#include <ATen/ATen.h>

#include <algorithm>

using namespace aft;
using namespace aft::capture;
using at::Tensor;
using c10::IValue;

/// Tensors from outside of up to this many numbers become part of the program.
static constexpr int64_t kSmall = 16;
/// Results of constants of up to this many numbers do.
static constexpr int64_t kSmallResult = 1024;

/// Operators whose result depends on the numbers in a tensor.
static const std::set<std::string> &dataDependent() {
  static const std::set<std::string> names = {"aten::item",          "aten::_local_scalar_dense",
                                              "aten::is_nonzero",    "aten::nonzero",
                                              "aten::unique",        "aten::nonzero_numpy",
                                              "aten::masked_select", "aten::argwhere",
                                              "aten::allclose",      "aten::_unique2"};
  return names;
}

/// Where the calls of this thread come from.
static thread_local std::shared_ptr<const Place> currentPlace;

void capture::setPlace(std::shared_ptr<const Place> place) { currentPlace = std::move(place); }

Recorder::Recorder(torch::nn::Module &module, const Tensors &inputs,
                   const std::function<bool(const std::string &)> &known)
    : known(known) {
  nameStates(module);
  trace.inputs = static_cast<int>(inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    addValue(TracedValue::Source::Input, static_cast<int>(i), inputs[i]);
}

void Recorder::nameStates(torch::nn::Module &module) {
  for (const auto &parameter : module.named_parameters()) {
    // A parameter with two names has the first.
    stateNames.try_emplace(parameter.value().unsafeGetTensorImpl(), parameter.key());
    parameters.insert(parameter.value().unsafeGetTensorImpl());
  }
  for (const auto &buffer : module.named_buffers())
    stateNames.try_emplace(buffer.value().unsafeGetTensorImpl(), buffer.key());
}

int Recorder::addValue(TracedValue::Source source, int number, const Tensor &tensor) {
  int id = static_cast<int>(trace.values.size());
  trace.values.emplace_back();
  trace.values.back().source = source;
  trace.values.back().number = number;
  trace.values.back().tensor = tensor;
  ids[tensor.unsafeGetTensorImpl()] = id;
  return id;
}

int Recorder::addState(const Tensor &tensor) {
  const void *impl = tensor.unsafeGetTensorImpl();
  auto named = stateNames.find(impl);
  TracedState state;
  state.tensor = tensor;
  state.isParameter = parameters.count(impl) != 0;
  if (named != stateNames.end()) {
    state.name = named->second;
  } else {
    state.name = "constant." + std::to_string(trace.states.size());
    state.isConstant = tensor.numel() <= kSmall;
  }
  bool isConstant = state.isConstant;
  int number = static_cast<int>(trace.states.size());
  trace.states.push_back(std::move(state));
  int id = addValue(TracedValue::Source::State, number, tensor);
  trace.values[id].isConstant = isConstant;
  return id;
}

/// A result or input that lies in the same memory in the same way: LibTorch makes
/// a new tensor of it where it detaches one without an operator. What is made
/// of a parameter in that way does not take part in its training.
std::optional<int> Recorder::aliasOf(const Tensor &tensor) {
  if (tensor.numel() == 0)
    return std::nullopt;
  for (int id = static_cast<int>(trace.values.size()) - 1; id >= 0; --id)
    if (trace.values[id].source != TracedValue::Source::State &&
        showsSame(trace.values[id].tensor, tensor))
      return id;
  return std::nullopt;
}

int Recorder::idOf(const Tensor &tensor) {
  const void *impl = tensor.unsafeGetTensorImpl();
  checkFresh(tensor);
  auto found = ids.find(impl);
  if (found != ids.end())
    return found->second;
  if (std::optional<int> alias = aliasOf(tensor)) {
    trace.values.push_back(trace.values[*alias]);
    trace.values.back().tensor = tensor; // keeps it alive
    ids[impl] = *alias;
    return *alias;
  }
  return addState(tensor);
}

std::string Recorder::nameOf(int id) const {
  const TracedValue &value = trace.values[id];
  switch (value.source) {
  case TracedValue::Source::Input:
    return "input " + std::to_string(value.number);
  case TracedValue::Source::State:
    return (trace.states[value.number].isParameter ? "parameter '" : "buffer '") +
           trace.states[value.number].name + "'";
  case TracedValue::Source::Call:
    break;
  }
  for (const Call &call : trace.calls)
    if (std::count(call.results.begin(), call.results.end(), id))
      return "a result of " + call.name;
  return "a tensor";
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

Arg Recorder::argOf(const IValue &value) {
  using Kind = Arg::Kind;
  Arg arg;
  if (value.isNone())
    return arg;
  if (value.isTensor()) {
    if (!value.toTensor().defined())
      return arg;
    arg.kind = Kind::Value;
    arg.values = {idOf(value.toTensor())};
  } else if (value.isTensorList() || value.isOptionalTensorList()) {
    arg.kind = Kind::Values;
    for (const IValue &item : value.toListRef()) {
      bool has = item.isTensor() && item.toTensor().defined();
      arg.values.push_back(has ? idOf(item.toTensor()) : -1);
    }
  } else if (value.isBool()) {
    arg.kind = Kind::Bool;
    arg.ints = {value.toBool()};
  } else if (value.isInt()) {
    arg.kind = Kind::Int;
    arg.ints = {value.toInt()};
  } else if (value.isDouble()) {
    arg.kind = Kind::Double;
    arg.doubles = {value.toDouble()};
  } else if (value.isSymInt()) {
    arg.kind = Kind::Int;
    arg.ints = {value.toSymInt().expect_int()};
  } else if (value.isIntList()) {
    arg.kind = Kind::Ints;
    arg.ints = value.toIntVector();
  } else if (value.isSymIntList()) {
    arg.kind = Kind::Ints;
    for (const c10::SymInt &item : value.toSymIntVector())
      arg.ints.push_back(item.expect_int());
  } else if (value.isBoolList()) {
    arg.kind = Kind::Bools;
    for (bool item : value.toBoolList())
      arg.ints.push_back(item);
  } else if (value.isDoubleList()) {
    arg.kind = Kind::Doubles;
    arg.doubles = value.toDoubleVector();
  } else if (value.isString()) {
    arg.kind = Kind::Text;
    arg.text = value.toStringRef();
  } else {
    arg.kind = Kind::Other;
    arg.text = value.tagKind();
  }
  return arg;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

static std::string ownerOf(const std::string &parameter) {
  size_t dot = parameter.rfind('.');
  return dot == std::string::npos ? "" : parameter.substr(0, dot);
}

Call Recorder::begin(const c10::FunctionSchema &schema, at::ArrayRef<IValue> arguments) {
  Call call;
  call.name = schema.name();
  call.schema = &schema;
  call.differentiable = at::GradMode::is_enabled();
  call.place = currentPlace;
  TORCH_CHECK(!dataDependent().count(call.name), "capture: ", call.name,
              " reads numbers out of a tensor; what a captured module computes may not depend "
              "on them");
  for (const IValue &argument : arguments)
    call.args.push_back(argOf(argument));
  for (const Arg &arg : call.args)
    for (int id : arg.values)
      if (id >= 0 && trace.values[id].source == TracedValue::Source::State) {
        const TracedState &state = trace.states[trace.values[id].number];
        if (state.name.rfind("constant.", 0) != 0) {
          call.module = ownerOf(state.name);
          call.usesState = true;
        }
      }
  return call;
}

static std::vector<Tensor> tensorsOf(at::ArrayRef<IValue> values) {
  std::vector<Tensor> tensors;
  for (const IValue &value : values) {
    if (value.isTensor())
      tensors.push_back(value.toTensor());
    else if (value.isTensorList())
      for (const Tensor &tensor : value.toTensorVector())
        tensors.push_back(tensor);
  }
  return tensors;
}

/// Whether a call computes the same from run to run: from constants, without
/// drawing random numbers.
bool Recorder::isConstant(const c10::OperatorHandle &op, const Call &call) const {
  if (op.hasTag(at::Tag::nondeterministic_seeded))
    return false;
  for (const Arg &arg : call.args)
    for (int id : arg.values)
      if (id >= 0 && !trace.values[id].isConstant)
        return false;
  return true;
}

/// Constants may be changed in place later: what they are when they are used
/// counts.
void Recorder::keepNumbers(const std::vector<int> &values) {
  for (int id : values) {
    if (id < 0 || !trace.values[id].isConstant || trace.values[id].numbers.defined())
      continue;
    if (trace.values[id].tensor.numel() <= kSmallResult)
      trace.values[id].numbers =
          trace.values[id].tensor.detach().to(at::kCPU, /*non_blocking=*/false, /*copy=*/true);
  }
}

/// Runs the operator: with its meta kernel where that is enough.
void Recorder::run(const c10::OperatorHandle &op, const Call &call, bool isConstant,
                   torch::jit::Stack *stack) {
  size_t count = call.schema->arguments().size();
  if (!isConstant && (call.written >= 0 || isPure(*call.schema, call))) {
    if (runMeta(op, call, stack))
      return;
    if (call.written >= 0)
      return op.callBoxed(stack);
    // Its kernel may check numbers, which those of intermediate results fail.
    for (size_t i = 0; i < count; ++i)
      if (call.args[i].kind == Arg::Kind::Value && !trace.values[call.args[i].values[0]].isConstant)
        (*stack)[stack->size() - count + i] =
            zeroed((*stack)[stack->size() - count + i].toTensor());
  }
  op.callBoxed(stack);
}

/// LibTorch's attention asks whether its arguments are one tensor, for a
/// shortcut. Two tensors that only hold the same numbers count as different.
bool Recorder::sameValue(const Tensor &a, const Tensor &b) { return idOf(a) == idOf(b); }

void Recorder::call(const c10::OperatorHandle &op, torch::jit::Stack *stack) {
  const std::string &name = op.schema().name();
  if (name == "aten::equal") {
    bool same = sameValue(torch::jit::peek(*stack, 0, 2).toTensor(),
                          torch::jit::peek(*stack, 1, 2).toTensor());
    torch::jit::drop(*stack, 2);
    torch::jit::push(*stack, same);
    return;
  }
  constexpr auto composite = c10::DispatchKey::CompositeImplicitAutograd;
  if (!known(name) && !dataDependent().count(name) && op.hasKernelForDispatchKey(composite))
    return op.callBoxedForDispatchKey(composite, *stack);
  c10::impl::ExcludeDispatchKeyGuard below(c10::DispatchKey::TESTING_ONLY_GenericMode);
  record(op, stack);
}

/// Why as_strided cannot be said of what the tensor shows alone: it reads memory. "": it can.
static std::string whyNotStrided(at::ArrayRef<IValue> arguments) {
  Tensor self = arguments[0].toTensor();
  auto numbers = [](const IValue &list) {
    std::vector<int64_t> found;
    for (const c10::SymInt &item : list.toSymIntVector())
      found.push_back(item.expect_int());
    return found;
  };
  if (!self.is_contiguous())
    return "reads memory that does not lie row by row; use permute, slice or reshape";
  int64_t offset = 0;
  if (!arguments[3].isNone())
    offset = arguments[3].toSymInt().expect_int() - self.storage_offset();
  std::vector<int64_t> sizes = numbers(arguments[1]), strides = numbers(arguments[2]);
  int64_t last = offset;
  bool overflows = false, isEmpty = false;
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    int64_t reach;
    isEmpty |= sizes[dim] == 0;
    overflows |= __builtin_mul_overflow(sizes[dim] - 1, strides[dim], &reach) ||
                 __builtin_add_overflow(last, reach, &last);
  }
  if (offset < 0 || overflows || (!isEmpty && last >= self.numel()))
    return "reads more memory than its argument shows, which is a part of a tensor; call it on "
           "the whole tensor, or use slice";
  return arguments[3].isNone() || self.storage_offset() == 0
             ? ""
             : "counts its storage_offset from the start of a tensor of which its argument is a "
               "part; call it on the whole tensor, or use slice";
}

void Recorder::record(const c10::OperatorHandle &op, torch::jit::Stack *stack) {
  const c10::FunctionSchema &schema = op.schema();
  size_t count = schema.arguments().size();
  at::ArrayRef<IValue> arguments(stack->data() + stack->size() - count, count);
  refusal.clear();
  Call call = begin(schema, arguments);
  checkWrite(call, arguments);
  bool constant = isConstant(op, call);
  if (!constant)
    for (const Arg &arg : call.args)
      keepNumbers(arg.values);
  if (refusal.empty() && (call.name == "aten::as_strided" || call.name == "aten::as_strided_copy"))
    refusal = whyNotStrided(arguments);
  call.refusal = refusal;
  std::vector<std::pair<size_t, int>> views;
  if (call.written >= 0)
    views = viewsBehind(arguments[call.written].toTensor());
  for (auto [place, shown] : views)
    keepNumbers({shown});
  Tensor target = call.written >= 0 ? arguments[call.written].toTensor() : Tensor();
  size_t place = trace.calls.size();
  trace.calls.push_back(call);
  run(op, call, constant, stack);
  std::vector<Tensor> results = tensorsOf(at::ArrayRef<IValue>(
      stack->data() + stack->size() - schema.returns().size(), schema.returns().size()));
  if (call.written >= 0) {
    finishWrite(call, target, constant);
    results = {target};
  }
  bool written = call.written >= 0;
  for (const Tensor &result : results) {
    int id = result.defined() ? addValue(TracedValue::Source::Call, static_cast<int>(place), result)
                              : -1;
    if (id >= 0)
      trace.values[id].isConstant = constant;
    trace.calls[place].results.push_back(id);
    if (id >= 0 && written)
      renew(result, id);
  }
  if (!written)
    noteView(place);
  if (!views.empty())
    writeBack(views, trace.calls[place].results[0], constant);
}

/// Lets go of the memory of the calls' results and of what LibTorch keeps to
/// differentiate them: several runs are held at once, and of these nothing else is asked.
static void releaseResults(Trace &trace) {
  for (TracedValue &value : trace.values)
    if (value.source == TracedValue::Source::Call)
      value.tensor = at::empty_strided(value.tensor.sizes(), value.tensor.strides(),
                                       value.tensor.options().device(at::kMeta));
}

Trace Recorder::finish(const Tensors &outputs) {
  for (const Tensor &output : outputs) {
    TORCH_CHECK(output.defined(), "capture: a result of the module is undefined");
    trace.outputs.push_back(idOf(output));
  }
  keepNumbers(trace.outputs);
  Trace finished = withoutContiguous(std::move(trace));
  releaseResults(finished);
  return finished;
}

std::string Recorder::unknown() const {
  for (size_t call = 0; call < trace.calls.size(); ++call)
    if (!known(trace.calls[call].name))
      return describe(trace, call);
  return "";
}
