//===- Arguments.cpp - Tensors on their way into a compiled program -------===//

#include "frontends/torch/capture/Arguments.h"

#include "frontends/torch/ops/Kernels.h"

#include <ATen/ATen.h>

#include <algorithm>

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
}

static std::string textOf(const TensorType &type) {
  std::string text = std::string(nameOf(type.dtype)) + " [";
  for (size_t dim = 0; dim < type.shape.size(); ++dim)
    text += (dim ? ", " : "") +
            (type.shape[dim] == kDynamic ? std::string("?") : std::to_string(type.shape[dim]));
  return text + "]";
}

void InputCheck::checkOne(size_t index, const at::Tensor &found) const {
  const TensorType &expected = types[index];
  TORCH_CHECK(found.defined(), "input ", index, " is undefined, expected ", textOf(expected));
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

Tensors InputCheck::operator()(const Tensors &inputs) const {
  TORCH_CHECK(inputs.size() == types.size(), "expected ", types.size(), " inputs, found ",
              inputs.size());
  Tensors contiguous;
  for (size_t i = 0; i < inputs.size(); ++i) {
    checkOne(i, inputs[i]);
    contiguous.push_back(ops::inMemory(inputs[i]));
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
  if (result.threads == 0)
    result.threads = ops::threads();
  if (result.tune && result.tuneShapes.empty())
    for (const at::Tensor &example : examples)
      result.tuneShapes.push_back(example.sizes().vec());
  return result;
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
