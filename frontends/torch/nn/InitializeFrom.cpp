//===- InitializeFrom.cpp - Weights of a Transformer for an AFT model -----===//
// Everything is planned and checked before the first weight is written.

#include "frontends/torch/nn/PretrainedNames.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <set>

using namespace aft::nn;
using namespace aft::nn::pretrained;
using at::Tensor;
using std::string;
using Reason = InitializeReport::Reason;

namespace {

/// A parameter and what becomes its value.
struct Copy {
  Tensor parameter, value;
  InitializeReport::Copied row;
};

class Plan {
public:
  Plan(torch::nn::Module &model, const Pretrained &transformer, const InitializeOptions &options);
  /// Writes the parameters.
  InitializeReport carryOut();

private:
  void checkOptions() const;
  void findLinearConv1d();
  void add(const string &name, const Tensor &tensor);
  void addPart(const string &name, const Tensor &tensor, const Destination &to, size_t part);
  void addTiedHead();
  void addZeroBiases();
  void leaveOut(const string &tensor, Reason reason, string why);
  Destination withLayout(Destination to) const;
  string parameterOf(const string &module, const string &leaf) const;
  const string *excluding(const string &parameter) const;

  const Pretrained::Tensors &tensors;
  const InitializeOptions &options;
  torch::OrderedDict<string, Tensor> parameters;
  Scope scope;
  bool conv1dIsLinear = false;
  std::vector<bool> rowUsed;
  std::map<string, size_t> planned; ///< parameter to its place in `copies`
  std::set<string> misfits;         ///< parameters whose tensor has another shape
  std::vector<Copy> copies;
  std::vector<Tensor> zeros;
  InitializeReport report;
};

} // namespace

static string textOf(at::IntArrayRef shape) {
  string text = "[";
  for (int64_t extent : shape)
    text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

static Scope scopeOf(const torch::OrderedDict<string, Tensor> &parameters) {
  if (parameters.contains("query.weight"))
    return Scope::layer;
  return parameters.contains("mixer.query.weight") ? Scope::block : Scope::model;
}

//===----------------------------------------------------------------------===//
// Options
//===----------------------------------------------------------------------===//

static bool hasComponent(const string &name, const string &component) {
  for (size_t begin = 0; begin <= name.size();) {
    size_t end = std::min(name.find('.', begin), name.size());
    if (name.compare(begin, end - begin, component) == 0)
      return true;
    begin = end + 1;
  }
  return false;
}

/// The entry of `without` that leaves this parameter out, or null.
const string *Plan::excluding(const string &parameter) const {
  for (const string &component : options.without())
    if (hasComponent(parameter, component))
      return &component;
  return nullptr;
}

static bool standsFor(const string &pattern, const string &parameter) {
  string number;
  size_t leaf = std::min(parameter.rfind('.'), parameter.size());
  return matches(pattern, parameter, number) || matches(pattern, parameter.substr(0, leaf), number);
}

/// What is misspelt would silently have no effect.
void Plan::checkOptions() const {
  auto any = [&](auto holds) {
    return std::any_of(parameters.begin(), parameters.end(),
                       [&](const auto &item) { return holds(item.key()); });
  };
  const auto usual = InitializeOptions().without();
  for (const string &component : options.without())
    TORCH_CHECK(any([&](const string &name) { return hasComponent(name, component); }) ||
                    std::find(usual.begin(), usual.end(), component) != usual.end(),
                "initializeFrom: without: the model has no parameter '", component, "'");
  for (const PretrainedName &row : options.names()) {
    TORCH_CHECK(!row.model.empty(), "initializeFrom: names: '", row.transformer,
                "' stands for nothing");
    for (size_t begin = 0; begin < row.model.size();) {
      size_t end = std::min(row.model.find(' ', begin), row.model.size());
      string pattern = row.model.substr(begin, end - begin);
      TORCH_CHECK(any([&](const string &name) { return standsFor(pattern, name); }),
                  "initializeFrom: names: the model has no parameter '", pattern, "'");
      begin = end + 1;
    }
  }
}

//===----------------------------------------------------------------------===//
// Planning
//===----------------------------------------------------------------------===//

Plan::Plan(torch::nn::Module &model, const Pretrained &transformer,
           const InitializeOptions &options)
    : tensors(transformer.tensors()), options(options), parameters(model.named_parameters()),
      scope(scopeOf(parameters)), rowUsed(options.names().size()) {
  checkOptions();
  findLinearConv1d();
  for (const auto &item : tensors)
    add(item.key(), item.value());
  for (size_t i = 0; i < rowUsed.size(); ++i)
    TORCH_CHECK(rowUsed[i], "initializeFrom: names: no tensor is named '",
                options.names()[i].transformer, "'");
  TORCH_CHECK(
      !copies.empty(), "initializeFrom: nothing carries over from ", tensors.size(), " tensors",
      report.unused.empty() ? "" : "; '" + report.unused[0].tensor + "': " + report.unused[0].why);
  addTiedHead();
  addZeroBiases();
}

/// Models made after GPT-2 give Conv1D's names to linear layers. The fused weight,
/// which is never square, tells.
void Plan::findLinearConv1d() {
  for (const auto &item : tensors) {
    if (item.key().rfind(options.prefix(), 0) != 0 || item.value().dim() != 2)
      continue;
    auto to = destinationOf(item.key().substr(options.prefix().size()), scope, options.names());
    if (to && to->mayBeLinear && to->modules.size() > 1)
      conv1dIsLinear = item.value().size(0) > item.value().size(1);
  }
}

Destination Plan::withLayout(Destination to) const {
  if (to.leaf == "bias" || (to.mayBeLinear && conv1dIsLinear))
    to.layout = WeightLayout::linear;
  return to;
}

void Plan::leaveOut(const string &tensor, Reason reason, string why) {
  report.unused.push_back({tensor, reason, std::move(why)});
}

void Plan::add(const string &name, const Tensor &tensor) {
  const string &prefix = options.prefix();
  if (name.rfind(prefix, 0) != 0)
    return leaveOut(name, Reason::excluded, "its name does not begin with '" + prefix + "'");
  auto to = destinationOf(name.substr(prefix.size()), scope, options.names());
  if (!to)
    return leaveOut(name, Reason::unknownName, "its name says nothing that is known");
  if (to->row >= 0)
    rowUsed[to->row] = true;
  for (size_t part = 0; part < to->modules.size(); ++part)
    addPart(name, tensor, withLayout(*to), part);
}

/// A module is a parameter itself where it is one tensor in the AFT model.
string Plan::parameterOf(const string &module, const string &leaf) const {
  if (leaf.empty() || (leaf == "weight" && parameters.contains(module)))
    return module;
  return module + "." + leaf;
}

/// What a parameter of this shape is in the Transformer.
static string expectedShape(at::IntArrayRef shape, const Destination &to) {
  std::vector<int64_t> expected = shape.vec();
  if (!expected.empty())
    expected[0] *= static_cast<int64_t>(to.modules.size());
  if (to.layout == WeightLayout::transposed)
    std::reverse(expected.begin(), expected.end());
  if (to.layout == WeightLayout::kernel && expected.size() == 2)
    return "[" + std::to_string(expected[0]) + ", channels, patch, patch] with " +
           std::to_string(expected[1]) + " elements in the last three";
  return textOf(expected);
}

/// The tensor with the parameter's orientation and rank.
static Tensor oriented(Tensor tensor, int64_t rank, const Destination &to) {
  if (to.layout == WeightLayout::kernel && tensor.dim() > 2)
    return tensor.flatten(1);
  if (to.layout == WeightLayout::transposed && tensor.dim() == 2)
    return tensor.t();
  // A position embedding has an extent for the batch.
  while (tensor.dim() > rank && tensor.size(0) == 1)
    tensor = tensor.squeeze(0);
  return tensor;
}

/// What was done to the part of a fused weight.
static string describe(const Tensor &whole, const Destination &to, size_t part, int64_t rows) {
  bool transposed = to.layout == WeightLayout::transposed;
  string how;
  if (to.modules.size() > 1) {
    int64_t first = static_cast<int64_t>(part) * rows;
    how = std::string(transposed ? "columns " : "rows ") + std::to_string(first) + " to " +
          std::to_string(first + rows - 1) + " of " + std::to_string(whole.size(0));
  }
  if (transposed)
    how += how.empty() ? "transposed" : ", transposed";
  return to.layout == WeightLayout::kernel ? "flattened" : how;
}

void Plan::addPart(const string &name, const Tensor &tensor, const Destination &to, size_t part) {
  string target = parameterOf(to.modules[part], to.leaf);
  if (const string *component = excluding(target))
    return leaveOut(name, Reason::excluded, "'" + *component + "' does not carry over");
  const Tensor *parameter = parameters.find(target);
  if (!parameter)
    return leaveOut(name, Reason::noCounterpart, "the model has no " + target);
  Tensor whole = oriented(tensor, parameter->dim(), to);
  std::vector<int64_t> expected = parameter->sizes().vec();
  if (!expected.empty())
    expected[0] *= static_cast<int64_t>(to.modules.size());
  string wrong;
  if (whole.sizes() != at::IntArrayRef(expected))
    wrong = "expected the shape " + expectedShape(parameter->sizes(), to) + ", found " +
            textOf(tensor.sizes());
  else if (!tensor.is_floating_point() || tensor.layout() != at::kStrided || tensor.is_meta())
    wrong = "expected floating-point numbers, found " + tensor.toString();
  if (!wrong.empty()) {
    TORCH_CHECK(!options.strict(), "initializeFrom: '", name, "' for ", target, ": ", wrong);
    misfits.insert(target);
    return leaveOut(name, Reason::shape, "for " + target + ": " + wrong);
  }
  auto [place, isNew] = planned.emplace(target, copies.size());
  TORCH_CHECK(isNew, "initializeFrom: '", copies[place->second].row.tensor, "' and '", name,
              "' both stand for ", target, "; InitializeOptions::prefix chooses");
  int64_t rows = parameter->dim() ? parameter->size(0) : 1;
  Tensor value = whole;
  if (to.modules.size() > 1)
    value = whole.narrow(0, static_cast<int64_t>(part) * rows, rows);
  copies.push_back({*parameter, value, {target, name, describe(whole, to, part, rows)}});
}

/// A language model that has no head of its own predicts with its embedding.
void Plan::addTiedHead() {
  const string head = "head.weight";
  auto tokens = planned.find("tokens.weight");
  const Tensor *parameter = parameters.find(head);
  if (tokens == planned.end() || !parameter || planned.count(head) || misfits.count(head) ||
      excluding(head) || copies[tokens->second].value.sizes() != parameter->sizes())
    return;
  Copy copy = copies[tokens->second];
  planned.emplace(head, copies.size());
  copies.push_back({*parameter, copy.value, {head, copy.row.tensor, "tied to the tokens"}});
}

void Plan::addZeroBiases() {
  for (size_t i = 0, count = copies.size(); i < count; ++i) {
    const string &weight = copies[i].row.parameter;
    static const string kLeaf = ".weight";
    if (weight.size() < kLeaf.size() || !weight.ends_with(kLeaf))
      continue;
    string bias = weight.substr(0, weight.size() - kLeaf.size()) + ".bias";
    const Tensor *parameter = parameters.find(bias);
    if (!parameter || planned.count(bias) || misfits.count(bias) || excluding(bias))
      continue;
    zeros.push_back(*parameter);
    report.zeroed.push_back(bias);
  }
}

InitializeReport Plan::carryOut() {
  at::NoGradGuard noGradients;
  for (Copy &copy : copies) {
    copy.parameter.copy_(copy.value);
    report.copied.push_back(std::move(copy.row));
  }
  for (Tensor &bias : zeros)
    bias.zero_();
  for (const auto &item : parameters)
    if (!planned.count(item.key()) &&
        std::find(report.zeroed.begin(), report.zeroed.end(), item.key()) == report.zeroed.end())
      report.kept.push_back(item.key());
  return std::move(report);
}

InitializeReport aft::nn::initializeFrom(torch::nn::Module &model, const Pretrained &transformer,
                                         const InitializeOptions &options) {
  return Plan(model, transformer, options).carryOut();
}

//===----------------------------------------------------------------------===//
// Printing
//===----------------------------------------------------------------------===//

/// The text with # in place of the numbers of layers.
static string numberless(const string &text) {
  string result;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && text[end] >= '0' && text[end] <= '9')
      ++end;
    bool starts = i == 0 || string(". '").find(text[i - 1]) != string::npos;
    if (end > i && starts && end < text.size() && text[end] == '.') {
      result += '#';
      i = end;
    } else {
      result += text[i++];
    }
  }
  return result;
}

/// Lines that differ in the number of a layer only become one.
static void printLines(std::ostream &out, const char *title, const std::vector<string> &lines) {
  std::vector<std::pair<string, int>> drawn;
  for (const string &line : lines) {
    string text = numberless(line);
    auto same = std::find_if(drawn.begin(), drawn.end(),
                             [&](const auto &entry) { return entry.first == text; });
    if (same == drawn.end())
      drawn.emplace_back(text, 1);
    else
      ++same->second;
  }
  if (!drawn.empty())
    out << title << "\n";
  for (const auto &[text, count] : drawn)
    out << "  " << text << (count > 1 ? " (" + std::to_string(count) + " times)" : "") << "\n";
}

std::ostream &aft::nn::operator<<(std::ostream &out, const InitializeReport &report) {
  std::vector<string> copied, unused;
  for (const InitializeReport::Copied &row : report.copied)
    copied.push_back(row.parameter + " <- " + row.tensor +
                     (row.how.empty() ? "" : " (" + row.how + ")"));
  for (const InitializeReport::Unused &row : report.unused)
    unused.push_back(row.tensor + ": " + row.why);
  printLines(out, "copied from the Transformer:", copied);
  printLines(out, "set to 0, for it has no such bias:", report.zeroed);
  printLines(out, "kept as initialised:", report.kept);
  printLines(out, "not copied:", unused);
  return out;
}
