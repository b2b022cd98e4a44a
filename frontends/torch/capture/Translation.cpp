//===- Translation.cpp - From recorded calls to a program -----------------===//

#include "frontends/torch/capture/Translation.h"

#include "frontends/torch/capture/Rules.h"
#include "frontends/torch/ops/Kernels.h"

#include <algorithm>
#include <set>

using namespace aft;
using namespace aft::capture;

TensorType capture::typeOf(const at::Tensor &tensor, const std::string &owner) {
  return {ops::dtypeOf(tensor.scalar_type(), owner), tensor.sizes().vec()};
}

Translation::Translation(const Capture &capture, Graph &graph, const std::string &name,
                         bool training)
    : capture(capture), function(graph.function(name)), training(training), graph(graph),
      values(capture.trace().values.size()), stateValues(capture.trace().states.size()),
      extentHomes(capture.extents().size()) {}

void Translation::fail(size_t call, const std::string &message) const {
  TORCH_CHECK(false, "capture: ", describe(capture.trace(), call), ": ", message);
}

//===----------------------------------------------------------------------===//
// Arguments
//===----------------------------------------------------------------------===//

void Translation::setNames(const CompileModuleOptions &options) {
  int inputs = capture.trace().inputs, results = static_cast<int>(capture.trace().outputs.size());
  TORCH_CHECK(options.inputNames.size() <= static_cast<size_t>(inputs), "expected at most ", inputs,
              " names of inputs, found ", options.inputNames.size());
  for (int i = 0; i < inputs; ++i) {
    bool named = static_cast<size_t>(i) < options.inputNames.size();
    inputNames.push_back(named ? options.inputNames[i] : "input." + std::to_string(i));
  }
  for (const TracedState &state : capture.trace().states)
    TORCH_CHECK(std::find(inputNames.begin(), inputNames.end(), state.name) == inputNames.end(),
                "an input cannot have the name '", state.name,
                "', which the module gives to a tensor");
  resultNames.resize(results);
  for (auto [result, input] : options.state) {
    TORCH_CHECK(result >= 0 && result < results && input >= 0 && input < inputs,
                "state: expected a result below ", results, " and an input below ", inputs,
                ", found ", result, " and ", input);
    TORCH_CHECK(resultNames[result].empty() && std::find(resultNames.begin(), resultNames.end(),
                                                         inputNames[input]) == resultNames.end(),
                "state: result ", result, " or input ", input, " is named twice");
    resultNames[result] = inputNames[input];
  }
}

void Translation::declareInputs() {
  for (int input = 0; input < capture.trace().inputs; ++input) {
    TensorType type = typeOf(capture.trace().values[input].tensor, inputNames[input]);
    std::vector<int> found;
    for (int dim = 0; dim < static_cast<int>(type.shape.size()); ++dim)
      if (std::optional<int> extent = capture.extentOf(input, dim)) {
        type.shape[dim] = kDynamic;
        found.push_back(*extent);
      }
    values[input] = function.input(inputNames[input], type);
    for (int extent : found)
      if (capture.extents()[extent].axes.front().first == input)
        extentHomes[extent] = values[input];
  }
  for (const DynamicExtent &extent : capture.extents())
    for (auto [input, dim] : extent.axes) {
      if (extent.least > 0 || extent.most != std::numeric_limits<int64_t>::max())
        function.limit(values[input], dim, extent.least, extent.most);
      function.assumeEqual(
          function.extent(values[extent.axes.front().first], extent.axes.front().second),
          function.extent(values[input], dim));
    }
}

/// Weights are there to be changed; who changes a buffer, or a mask that is kept as a
/// parameter, is told.
static bool mayBeKnown(const TracedState &state) {
  bool isWeight = state.tensor.requires_grad() ||
                  (state.isParameter && at::isFloatingType(state.tensor.scalar_type()));
  return !isWeight && !state.tensor.is_inference();
}

static std::optional<Pattern> knownPattern(const TracedState &state) {
  return mayBeKnown(state) ? patternOf(state.tensor) : std::nullopt;
}

/// Whether its result consists of numbers of its first argument.
static bool shows(const std::string &name) {
  static const std::set<std::string> names = {
      "aten::view",    "aten::reshape",   "aten::unsqueeze", "aten::squeeze", "aten::expand",
      "aten::select",  "aten::slice",     "aten::permute",   "aten::to",      "aten::_to_copy",
      "aten::flatten", "aten::transpose", "aten::t",         "aten::detach",  "aten::alias",
      "aten::clone",   "aten::index",     "aten::contiguous"};
  return names.count(name) != 0;
}

bool Translation::isNeverNegative(int id) {
  const Trace &trace = capture.trace();
  while (trace.values[id].source == TracedValue::Source::Call) {
    const Call &call = trace.calls[trace.values[id].number];
    if (!shows(call.name) || call.args[0].kind != Arg::Kind::Value)
      return false;
    id = call.args[0].values[0];
  }
  if (trace.values[id].source != TracedValue::Source::State)
    return false;
  const TracedState &state = trace.states[trace.values[id].number];
  if (state.isConstant || !mayBeKnown(state) || !isNotNegative(state.tensor))
    return false;
  Pattern pattern;
  pattern.kind = Pattern::Kind::NotNegative;
  known.emplace_back(state, pattern);
  return true;
}

Value Translation::declareState(int number) {
  Value &value = stateValues[number];
  if (value)
    return value;
  const TracedState &state = capture.trace().states[number];
  TensorType type = typeOf(state.tensor, state.name);
  if (state.isConstant) {
    at::Tensor numbers = state.tensor.cpu().contiguous();
    return value = function.constant(type, numbers.data_ptr());
  }
  if (std::optional<Pattern> pattern = knownPattern(state)) {
    known.emplace_back(state, *pattern);
    return value = buildPattern(function, *pattern, state.tensor);
  }
  bool trains = training && state.isParameter && state.tensor.requires_grad();
  value = trains ? function.parameter(state.name, type) : function.input(state.name, type);
  used.push_back(state);
  return value;
}

Value Translation::seed() {
  if (seedValue)
    return seedValue;
  used.emplace_back();
  used.back().name = "dropout.seed";
  return seedValue = function.input(used.back().name, {DType::i64, {}});
}

Value Translation::valueOf(int id) {
  const TracedValue &value = capture.trace().values[id];
  if (!values[id] && value.source == TracedValue::Source::State)
    values[id] = declareState(value.number);
  if (!values[id] && capture.isFixed(id)) {
    std::optional<Pattern> pattern = patternOf(value.numbers);
    values[id] =
        pattern ? buildPattern(function, *pattern, value.numbers)
                : function.constant(typeOf(value.numbers), value.numbers.contiguous().data_ptr());
  }
  return values[id];
}

Extent Translation::sizeOf(int extent) {
  return function.extent(extentHomes[extent], capture.extents()[extent].axes.front().second);
}

Extent Translation::extent(const SizeFormula &formula) {
  Extent total = formula.constant;
  for (size_t i = 0; i < formula.linear.size(); ++i)
    if (formula.linear[i] != 0)
      total = total + sizeOf(static_cast<int>(i)) * formula.linear[i];
  for (const SizeFormula::Product &product : formula.products) {
    Extent term = product.factor;
    for (int factor : product.extents)
      term = term * sizeOf(factor);
    total = total + term;
  }
  return formula.divisor == 1 ? total : total / formula.divisor;
}

//===----------------------------------------------------------------------===//
// Calls
//===----------------------------------------------------------------------===//

/// Marks the calls that the outputs depend on.
std::vector<char> Translation::neededCalls() const {
  const Trace &trace = capture.trace();
  std::vector<char> needed(trace.calls.size());
  std::vector<int> wanted = trace.outputs;
  while (!wanted.empty()) {
    int id = wanted.back();
    wanted.pop_back();
    if (id < 0 || trace.values[id].source != TracedValue::Source::Call || capture.isFixed(id))
      continue;
    char &mark = needed[trace.values[id].number];
    if (mark)
      continue;
    mark = 1;
    wanted.push_back(trace.calls[trace.values[id].number].source);
    for (const Arg &arg : trace.calls[trace.values[id].number].args)
      wanted.insert(wanted.end(), arg.values.begin(), arg.values.end());
  }
  return needed;
}

/// A rule that gives something else than LibTorch does is an error of its own.
void Translation::checkResult(size_t call, size_t result, Value value) const {
  const at::Tensor &expected =
      capture.trace().values[capture.trace().calls[call].results[result]].tensor;
  TensorType type = typeOf(expected);
  bool fits = value.dtype() == type.dtype && value.type().shape.size() == type.shape.size();
  for (size_t dim = 0; fits && dim < type.shape.size(); ++dim)
    fits = value.type().shape[dim] == kDynamic || value.type().shape[dim] == type.shape[dim];
  if (!fits)
    fail(call, std::string("translated to element type ") + nameOf(value.dtype()) + " and rank " +
                   std::to_string(value.rank()) + ", expected " + nameOf(type.dtype) +
                   " and rank " + std::to_string(type.shape.size()) +
                   "; this is an error of the compiler");
}

void Translation::translate(size_t place) {
  const Call &call = capture.trace().calls[place];
  const Rule *rule = ruleFor(call.name);
  TORCH_CHECK(rule, "capture: no rule for the operator ", describe(capture.trace(), place));
  if (!call.refusal.empty())
    fail(place, call.refusal);
  std::string path = modulePath(capture.trace(), place);
  function.setLocation(path.empty() ? call.name : path + ":" + call.name);
  Operation operation(*this, place);
  Results results = (*rule)(operation);
  if (Status status = graph.status(); !status.ok())
    fail(place, status.message);
  if (call.written >= 0) {
    // The changed tensor keeps its element type and shape.
    results.resize(1);
    results[0] = function.cast(results[0], operation.dtype());
    results[0] = function.expand(results[0], operation.shape());
  }
  for (size_t i = 0; i < call.results.size() && i < results.size(); ++i) {
    if (call.results[i] < 0 || !results[i])
      continue;
    if (training && !call.differentiable)
      results[i] = function.stopGradient(results[i]);
    checkResult(place, i, results[i]);
    values[call.results[i]] = results[i];
  }
}

void Translation::run() {
  const Trace &trace = capture.trace();
  if (inputNames.empty())
    setNames({});
  declareInputs();
  std::vector<char> needed = neededCalls();
  for (size_t call = 0; call < needed.size(); ++call)
    if (needed[call])
      translate(call);
  for (size_t i = 0; i < trace.outputs.size(); ++i) {
    Value value = valueOf(trace.outputs[i]);
    TORCH_CHECK(value, "capture: a result of the module is a part of an operator's results that "
                       "is not supported");
    function.output(value, resultNames[i]);
  }
}
