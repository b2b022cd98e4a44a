//===- Arguments.cpp - Tensors on their way into a compiled program -------===//

#include "frontends/torch/capture/Arguments.h"

#include "frontends/torch/capture/Indexing.h"
#include "frontends/torch/ops/Kernels.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

using namespace aft;
using namespace aft::capture;

InputCheck::InputCheck(const Capture &capture, ops::Placement placement)
    : placement(std::move(placement)), extents(capture.extents()) {
  for (int input = 0; input < capture.trace().inputs; ++input) {
    types.push_back(typeOf(capture.trace().values[input].tensor));
    whyFixed.emplace_back();
    for (size_t dim = 0; dim < types.back().shape.size(); ++dim) {
      whyFixed.back().push_back(capture.whyFixed(input, static_cast<int>(dim)));
      if (capture.extentOf(input, static_cast<int>(dim)))
        types.back().shape[dim] = kDynamic;
    }
  }
  findIndices(capture);
}

/// The input whose numbers, and no others, a value holds; -1: it is none of that.
static int inputOf(const Trace &trace, int value) {
  static const std::set<std::string> sameNumbers = {"aten::contiguous", "aten::flatten",
                                                    "aten::reshape",    "aten::squeeze",
                                                    "aten::unsqueeze",  "aten::view"};
  if (value < 0)
    return -1;
  if (trace.values[value].source == TracedValue::Source::Input)
    return trace.values[value].number;
  for (const Call &call : trace.calls)
    if (sameNumbers.count(call.name) && call.results == std::vector<int>{value})
      if (const Arg *self = call.arg("self"); self && self->kind == Arg::Kind::Value)
        return inputOf(trace, self->values[0]);
  return -1;
}

/// Compiled code gives NaN, or 0, where an index is outside. Those that come from the caller
/// are looked at before, as eager operators do.
void InputCheck::findIndices(const Capture &capture) {
  const Trace &trace = capture.trace();
  auto add = [&](size_t call, const Arg *table, int64_t dim, int ids, bool fromEnd) {
    int input = inputOf(trace, ids);
    if (input < 0 || !table || table->kind != Arg::Kind::Value)
      return;
    at::ScalarType type = trace.values[ids].dtype();
    int rank = static_cast<int>(trace.values[table->values[0]].tensor.dim());
    if (rank == 0 || (type != at::kLong && type != at::kInt))
      return;
    SizeFormula count =
        capture.dimOf(table->values[0], fromFront(static_cast<int>(dim), rank));
    indices.push_back({input, count, fromEnd, describe(trace, call)});
  };
  for (size_t i = 0; i < trace.calls.size(); ++i) {
    const Call &call = trace.calls[i];
    if (call.name == "aten::embedding") {
      add(i, call.arg("weight"), 0, call.arg("indices")->values[0], false);
    } else if (call.name == "aten::index_select" || call.name == "aten::gather") {
      add(i, call.arg("self"), call.arg("dim")->ints[0], call.arg("index")->values[0], false);
    } else if (call.name == "aten::index") {
      const std::vector<int> &ids = call.arg("indices")->values;
      for (size_t dim = 0; dim < ids.size(); ++dim)
        add(i, call.arg("self"), static_cast<int64_t>(dim), ids[dim], true);
    }
  }
}

static std::string textOf(const TensorType &type) {
  std::string text = std::string(nameOf(type.dtype)) + " [";
  for (size_t dim = 0; dim < type.shape.size(); ++dim)
    text += (dim ? ", " : "") +
            (type.shape[dim] == kDynamic ? std::string("?") : std::to_string(type.shape[dim]));
  return text + "]";
}

void InputCheck::checkOne(size_t index, const at::Tensor &found, bool isHeld) const {
  const TensorType &expected = types[index];
  TORCH_CHECK(found.defined(), "input ", index, " is undefined, expected ", textOf(expected));
  if (!isHeld)
    placement.check(found, "input " + std::to_string(index));
  TORCH_CHECK(found.layout() == at::kStrided, "input ", index, " must be a dense tensor, found ",
              found.layout());
  TensorType type = typeOf(found);
  bool fits = type.dtype == expected.dtype && type.shape.size() == expected.shape.size();
  std::string why;
  for (size_t dim = 0; fits && dim < type.shape.size(); ++dim) {
    fits = expected.shape[dim] == kDynamic || expected.shape[dim] == type.shape[dim];
    if (!fits && !whyFixed[index][dim].empty())
      why = "; dimension " + std::to_string(dim) + " is fixed: " + whyFixed[index][dim];
  }
  TORCH_CHECK(fits, "input ", index, " must be ", textOf(expected), ", found ", textOf(type), why);
}

/// The place of the first number outside of [low, high), or -1.
template <typename T>
static int64_t firstOutside(const at::Tensor &ids, int64_t low, int64_t high) {
  const T *numbers = ids.const_data_ptr<T>();
  for (int64_t i = 0, count = ids.numel(); i < count; ++i)
    if (numbers[i] < low || numbers[i] >= high)
      return i;
  return -1;
}

void InputCheck::checkIndices(const Tensors &inputs) const {
  if (indices.empty())
    return;
  std::vector<int64_t> sizes;
  for (const DynamicExtent &extent : extents)
    sizes.push_back(inputs[extent.axes.front().first].size(extent.axes.front().second));
  for (const Indices &use : indices) {
    const at::Tensor &ids = inputs[use.input];
    // Reading them from a GPU would wait for it.
    if (!ids.is_cpu())
      continue;
    std::optional<int64_t> count = use.count.at(sizes);
    TORCH_CHECK(count, "input ", use.input, " is an index for ", use.reader,
                ", the extent of which overflows at these sizes");
    int64_t high = *count, low = use.fromEnd ? -high : 0;
    bool isLong = ids.scalar_type() == at::kLong;
    int64_t place = (isLong ? firstOutside<int64_t> : firstOutside<int32_t>)(ids, low, high);
    TORCH_CHECK(place < 0, "input ", use.input, " holds an index out of range for ", use.reader,
                ": expected at least ", low, " and less than ", high, ", found ",
                ids.flatten()[place].item<int64_t>());
  }
}

Tensors InputCheck::operator()(const Tensors &inputs, const ops::Mirror *mirror) const {
  TORCH_CHECK(inputs.size() == types.size(), "expected ", types.size(), " inputs, found ",
              inputs.size());
  Tensors contiguous;
  for (size_t i = 0; i < inputs.size(); ++i) {
    bool isHeld = mirror && mirror->find(inputs[i]);
    checkOne(i, inputs[i], isHeld);
    contiguous.push_back(isHeld ? inputs[i] : placement.ready(inputs[i]));
  }
  for (const DynamicExtent &extent : extents) {
    auto [first, dimension] = extent.axes.front();
    int64_t size = inputs[first].size(dimension);
    bool small = size < extent.least;
    TORCH_CHECK(!small && size <= extent.most, "input ", first, " must have a size of at ",
                small ? "least " : "most ", small ? extent.least : extent.most, " in dimension ",
                dimension, ", found ", size,
                extent.isGiven ? "; the file allows no other"
                               : "; the module does something else there than what was captured");
    for (auto [input, other] : extent.axes)
      TORCH_CHECK(inputs[input].size(other) == size, "input ", input, " must have size ", size,
                  " in dimension ", other, ", as input ", first, " has in dimension ", dimension,
                  ", found ", inputs[input].size(other));
  }
  checkIndices(contiguous);
  return contiguous;
}

void Weights::add(const std::string &name, const at::Tensor &tensor) {
  kept.push_back(ops::inMemory(tensor.detach().cpu()));
  options.weights.push_back({name, ops::bufferOf(kept.back())});
}

std::vector<Buffer> capture::buffersOf(const Tensors &tensors) {
  std::vector<Buffer> buffers;
  for (const at::Tensor &tensor : tensors)
    buffers.push_back(ops::bufferOf(tensor));
  return buffers;
}

std::string capture::labelOf(const TracedState &state) {
  return (state.isParameter ? "parameter '" : "buffer '") + state.name + "'";
}

ops::Placement capture::placementOf(const Capture &capture,
                                    const std::vector<TracedState> &states) {
  ops::Placement placement;
  auto isTensor = [](const TracedState &state) { return state.tensor.defined(); };
  auto first = std::find_if(states.begin(), states.end(), [&](const TracedState &state) {
    return isTensor(state) && state.isParameter;
  });
  if (first == states.end())
    first = std::find_if(states.begin(), states.end(), isTensor);
  if (first != states.end())
    placement = ops::Placement(first->tensor, labelOf(*first));
  else if (capture.trace().inputs > 0)
    placement = ops::Placement(capture.trace().values[0].tensor, "input 0");
  for (const TracedState &state : states)
    if (isTensor(state))
      placement.check(state.tensor, labelOf(state));
  for (int input = 0; input < capture.trace().inputs; ++input)
    placement.check(capture.trace().values[input].tensor, "input " + std::to_string(input));
  return placement;
}

CompileOptions capture::programOptions(const CompileOptions &options,
                                       const ops::Placement &placement, const Tensors &examples) {
  CompileOptions result = options;
  result.target = placement.target(options.target);
  if (placement.isGpu())
    result.device = placement.device().index();
  if (result.threads == 0)
    result.threads = ops::threads();
  if (result.tune && result.tuneShapes.empty())
    for (const at::Tensor &example : examples)
      result.tuneShapes.push_back(example.sizes().vec());
  return result;
}

std::shared_ptr<ops::Mirror> capture::mirrorOf(const CompileModuleOptions &options,
                                               const CompileOptions &program,
                                               const ops::Placement &placement) {
  if (!options.resident || placement.isGpu() || !ops::isForGpu(program.target))
    return nullptr;
  return std::make_shared<ops::Mirror>(program.device);
}

std::string capture::programName(const torch::nn::Module &module,
                                 const CompileModuleOptions &options) {
  if (!options.name.empty())
    return options.name;
  // "aft::nn::LanguageModelImpl", whose holder is aft::nn::LanguageModel.
  std::string name = module.name();
  if (name.find_first_of("<(") == std::string::npos)
    name.erase(0, name.rfind(':') + 1);
  static const std::string kImplementation = "Impl";
  if (name.size() > kImplementation.size() && name.ends_with(kImplementation))
    name.resize(name.size() - kImplementation.size());
  return name;
}

std::shared_ptr<Program> capture::compileGraph(const Graph &graph, const CompileOptions &options) {
  std::shared_ptr<Program> program;
  Status status = graph.compile(options, program);
  TORCH_CHECK(status.ok(), "the captured module cannot be compiled: ", status.message);
  return program;
}
