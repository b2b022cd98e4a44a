//===- Mixer.cpp - Mixers and their derivatives as compiled operations ----===//

#include "frontends/torch/ops/Mixer.h"

#include <ATen/ATen.h>

#include <limits>

using namespace aft::ops;

const char *MixerKind::biasName() const {
  return name == "full" ? "w" : name == "local" ? "band" : "filter";
}

//===----------------------------------------------------------------------===//
// Checks
//===----------------------------------------------------------------------===//

void aft::ops::checkGate(const std::string &op, const std::string &gate) {
  TORCH_CHECK(gate == "sigmoid" || gate == "relu" || gate == "tanh" || gate == "none", op,
              ": gate must be sigmoid, relu, tanh or none, found '", gate, "'");
}

static void checkTypes(const std::string &op, const MixerKind &kind,
                       const MixerOperands &operands) {
  at::ScalarType type = operands.q.scalar_type();
  TORCH_CHECK(type == at::kFloat || type == at::kDouble || type == at::kBFloat16, op,
              ": 'q' must be float, double or bfloat16, found ", type);
  for (auto [name, tensor] : {std::pair{"k", &operands.k}, std::pair{"v", &operands.v}})
    TORCH_CHECK(tensor->scalar_type() == type, op, ": '", name, "' must have q's element type ",
                type, ", found ", tensor->scalar_type());
  if (kind.hasBias()) {
    at::ScalarType bias = operands.bias.scalar_type();
    TORCH_CHECK(bias == type || bias == accumulationOf(type), op, ": '", kind.biasName(),
                "' must have q's element type ", type,
                type == at::kBFloat16 ? " or be float" : "", ", found ", bias);
  }
  if (operands.lengths.defined())
    TORCH_CHECK(operands.lengths.scalar_type() == at::kInt ||
                    operands.lengths.scalar_type() == at::kLong,
                op, ": 'lengths' must be int32 or int64, found ",
                operands.lengths.scalar_type());
}

static bool isSymbolic(const MixerOperands &operands) {
  for (const Tensor *tensor : {&operands.q, &operands.k, &operands.v, &operands.bias})
    if (tensor->defined() && tensor->unsafeGetTensorImpl()->has_symbolic_sizes_strides())
      return true;
  return false;
}

static MixerLayout layoutOf(const std::string &op, const MixerKind &kind, const Tensor &bias,
                            Extents &extents) {
  MixerLayout layout;
  if (kind.name == "full") {
    layout.bias = bias.dim() == 3 ? "BTS" : "TS";
    return layout;
  }
  layout.key = layout.value = "BTd";
  if (kind.name == "local") {
    TORCH_CHECK(kind.window >= 1, op, ": window must be at least 1, found ", kind.window,
                " (a window of 0 is aft::simple)");
    extents.bind('l', kind.causal ? kind.window : 2 * kind.window - 1);
    layout.bias = "Tl";
  }
  if (kind.name != "conv")
    return layout;
  size_t axes = kind.grid.empty() ? 1 : kind.grid.size();
  TORCH_CHECK(axes <= 3, op, ": grid must have at most 3 extents, found ", axes);
  TORCH_CHECK(!kind.causal || axes == 1, op, ": causal is defined on sequences only, found a "
              "grid of ", axes, " extents");
  static const char *filters[] = {"hx", "hyx", "hzyx"};
  layout.bias = filters[axes - 1];
  layout.key = layout.logz = "BTh";
  if (kind.grid.empty())
    return layout;
  int64_t positions = 1;
  for (int64_t extent : kind.grid) {
    TORCH_CHECK(extent >= 1 && !__builtin_mul_overflow(positions, extent, &positions), op,
                ": the extents of grid must be positive and their product fit 64 bits, found ",
                kind.grid);
  }
  // A grid fixes the number of positions.
  extents.bind('t', positions);
  for (std::string *letters : {&layout.query, &layout.key, &layout.value, &layout.logz})
    for (char &letter : *letters)
      letter = letter == 'T' ? 't' : letter;
  return layout;
}

MixerLayout aft::ops::checkMixer(const MixerKind &kind, const MixerOperands &operands,
                                 Extents &extents) {
  std::string op = "aft::" + kind.name;
  checkGate(op, kind.gate);
  checkTypes(op, kind, operands);
  MixerLayout layout = layoutOf(op, kind, operands.bias, extents);
  if (isSymbolic(operands))
    return layout;
  extents.check("q", operands.q, layout.query);
  extents.check("k", operands.k, layout.key);
  extents.check("v", operands.v, layout.value);
  if (kind.hasBias())
    extents.check(kind.biasName(), operands.bias, layout.bias);
  if (operands.lengths.defined())
    extents.check("lengths", operands.lengths, "B");
  if (kind.name == "full")
    TORCH_CHECK(!kind.causal || extents.at('T') <= extents.at('S'), op,
                ": causal needs at least as many keys as queries, found ", extents.at('T'),
                " queries and ", extents.at('S'), " keys");
  if (kind.name == "conv") {
    int64_t channels = extents.at('d'), heads = extents.at('h');
    TORCH_CHECK(heads >= 1 && channels % heads == 0, op, ": the channels (", channels,
                ") must be a multiple of the heads (", heads, ")");
    TORCH_CHECK(operands.bias.numel() > 0, op, ": 'filter' must have at least one tap on every "
                "axis, found shape ", operands.bias.sizes());
  }
  return layout;
}

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// Keys beyond the last do not exist; the dialect has 32-bit lengths.
static Tensor lengthsOf(const Tensor &lengths, int64_t keys) {
  return at::clamp(lengths, 0, keys).to(at::kInt);
}

/// Adds "q, k, v, bias, saved… lengths(n) attributes" to an operation.
static void addOperands(Operation &operation, const MixerKind &kind,
                        const MixerOperands &operands, const MixerLayout &layout,
                        const std::vector<Operation::Operand> &saved) {
  auto add = [&](const Tensor &tensor, const std::string &letters) {
    std::string name = "$" + std::to_string(operation.operands.size());
    operation.operands.push_back({tensor, letters});
    return name;
  };
  auto addListed = [&](const Tensor &tensor, const std::string &letters) {
    operation.form += operation.form.empty() ? "" : ", ";
    operation.form += add(tensor, letters);
  };
  addListed(operands.q, layout.query);
  addListed(operands.k, layout.key);
  addListed(operands.v, layout.value);
  if (kind.hasBias())
    addListed(operands.bias, layout.bias);
  for (const auto &[tensor, letters] : saved)
    addListed(tensor, letters);
  if (operands.lengths.defined())
    operation.form += " lengths(" +
                      add(lengthsOf(operands.lengths, operands.k.size(1)), "B") + ")";
  if (kind.name == "local")
    operation.form += " window = " + std::to_string(kind.window);
  if (!kind.grid.empty()) {
    std::string extents;
    for (int64_t extent : kind.grid)
      extents += (extents.empty() ? "" : ", ") + std::to_string(extent);
    operation.form += " grid = [" + extents + "]";
  }
  if (kind.causal)
    operation.form += " causal";
  if (kind.gate != "sigmoid")
    operation.form += " gate = " + kind.gate;
}

static bool isEmpty(const MixerOperands &operands) {
  return operands.q.numel() == 0 || operands.k.numel() == 0;
}

std::vector<Tensor> aft::ops::mixerForward(const MixerKind &kind, const MixerOperands &operands,
                                           bool saved) {
  Extents extents("aft::" + kind.name);
  MixerLayout layout = checkMixer(kind, operands, extents);
  at::ScalarType type = operands.q.scalar_type(), sum = accumulationOf(type);
  if (isEmpty(operands)) {
    // No query, or no key for any query.
    std::vector<Tensor> results = {at::zeros_like(operands.q, at::MemoryFormat::Contiguous)};
    if (saved) {
      results.push_back(results[0].to(sum, false, /*copy=*/true));
      results.push_back(at::full(extents.shapeOf(layout.logz),
                                 -std::numeric_limits<double>::infinity(),
                                 operands.q.options().dtype(sum)));
    }
    return results;
  }
  Operation operation{kind.name, {}, {{type, layout.query}}, ""};
  addOperands(operation, kind, operands, layout, {});
  if (saved) {
    operation.results.push_back({sum, layout.query});
    operation.results.push_back({sum, layout.logz});
  }
  return run(operation, extents);
}

std::vector<Tensor> aft::ops::mixerBackward(const MixerKind &kind, const MixerOperands &operands,
                                            const Tensor &dy, const Tensor &ratio,
                                            const Tensor &logz) {
  Extents extents("aft::" + kind.name);
  MixerLayout layout = checkMixer(kind, operands, extents);
  extents.check("the gradient of y", dy, layout.query);
  std::vector<Operation::Result> results = {{operands.q.scalar_type(), layout.query},
                                            {operands.k.scalar_type(), layout.key},
                                            {operands.v.scalar_type(), layout.value}};
  if (kind.hasBias())
    results.push_back({operands.bias.scalar_type(), layout.bias});
  if (isEmpty(operands)) {
    std::vector<Tensor> zeros;
    for (const auto &[type, letters] : results)
      zeros.push_back(at::zeros(extents.shapeOf(letters), operands.q.options().dtype(type)));
    return zeros;
  }
  Operation operation{kind.name + "_grad", {{dy, layout.query}}, results, "$0"};
  addOperands(operation, kind, operands, layout,
              {{ratio, layout.query}, {logz, layout.logz}});
  return run(operation, extents);
}
