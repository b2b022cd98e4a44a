//===- Sizes.cpp - What in a captured module depends on its inputs' sizes -===//

#include "frontends/torch/capture/Sizes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <map>
#include <set>

using namespace aft;
using namespace aft::capture;

//===----------------------------------------------------------------------===//
// Running at other sizes
//===----------------------------------------------------------------------===//

static at::Tensor resized(const at::Tensor &example, int dimension, int64_t size) {
  int64_t old = example.size(dimension);
  if (size <= old)
    return example.narrow(dimension, 0, size).contiguous();
  std::vector<int64_t> shape = example.sizes().vec();
  shape[dimension] = size;
  at::Tensor tensor = at::zeros(shape, example.options());
  if (old > 0)
    tensor.narrow(dimension, 0, old).copy_(example);
  return tensor;
}

Tensors Capture::inputsAt(const std::vector<int64_t> &sizes) const {
  at::NoGradGuard noGradients;
  Tensors inputs = examples;
  for (size_t extent = 0; extent < sizes.size(); ++extent)
    for (auto [input, dimension] : dynamicExtents[extent].axes)
      if (inputs[input].size(dimension) != sizes[extent])
        inputs[input] = resized(inputs[input], dimension, sizes[extent]);
  return inputs;
}

/// Adds a run unless the module refuses these sizes or does something else.
bool Capture::tryRun(const std::vector<int64_t> &sizes) {
  Trace trace;
  try {
    trace = record(module, computation, inputsAt(sizes), known);
  } catch (const std::exception &) {
    lastDifference = "the module refuses other sizes";
    return false;
  }
  lastDifference = differenceOf(this->trace(), trace);
  if (!lastDifference.empty())
    return false;
  runs.push_back({sizes, std::move(trace)});
  return true;
}

bool Capture::addRun(const std::vector<std::vector<int64_t>> &candidates) {
  return std::any_of(candidates.begin(), candidates.end(),
                     [&](const std::vector<int64_t> &sizes) { return tryRun(sizes); });
}

/// Other sizes worth trying for an extent: far enough to tell a half from a
/// difference, and near ones for modules that allow little.
static std::vector<int64_t> othersOf(const DynamicExtent &extent) {
  std::vector<int64_t> others;
  for (int64_t step : {-12, 12, -5, 5, -1, 1})
    if (int64_t other = extent.size + step;
        other >= std::max<int64_t>(extent.least, 2) && other <= extent.most)
      others.push_back(other);
  return others;
}

/// Whether the module runs with this extent changed alone; `bothWays`: to more
/// and, where there is room, to less.
bool Capture::varies(const DynamicExtent &extent, bool bothWays) {
  dynamicExtents = {extent};
  bool more = false, less = bothWays && extent.size < 3;
  for (int64_t other : othersOf(extent)) {
    bool &known = other > extent.size ? more : less;
    if (known || !tryRun({other}))
      continue;
    runs.pop_back();
    known = true;
    if (!bothWays || (more && less))
      return true;
  }
  noteFixed(extent, lastDifference);
  return false;
}

void Capture::noteFixed(const DynamicExtent &extent, const std::string &reason) {
  for (auto axis : extent.axes)
    fixed[axis] = reason;
}

std::string Capture::whyFixed(int input, int dimension) const {
  auto found = fixed.find({input, dimension});
  return found == fixed.end() ? "" : found->second;
}

//===----------------------------------------------------------------------===//
// Which dimensions may change
//===----------------------------------------------------------------------===//

/// More dimensions than this are not tried one by one.
static constexpr size_t kTriedAlone = 16;
/// Of more groups than this no unions are tried.
static constexpr size_t kTriedTogether = 6;

using Axes = std::vector<std::pair<int, int>>;

/// Puts together what has the same key.
template <typename Key>
static std::vector<DynamicExtent> grouped(const Tensors &examples, const Axes &axes, Key key) {
  std::map<decltype(key(std::pair(0, 0))), DynamicExtent> groups;
  for (auto axis : axes) {
    DynamicExtent &group = groups[key(axis)];
    group.size = examples[axis.first].size(axis.second);
    group.axes.push_back(axis);
  }
  std::vector<DynamicExtent> all;
  for (auto &[name, group] : groups)
    all.push_back(std::move(group));
  return all;
}

/// Candidates: dimensions 0 and 1.
static Axes candidates(const Tensors &examples) {
  Axes axes;
  for (size_t input = 0; input < examples.size(); ++input)
    for (int dim = 0; dim < std::min<int64_t>(examples[input].dim(), 2); ++dim)
      if (examples[input].size(dim) > 0)
        axes.emplace_back(static_cast<int>(input), dim);
  return axes;
}

/// The union of the groups that the bits of `choice` name.
static DynamicExtent chosen(const std::vector<DynamicExtent> &groups, unsigned choice) {
  DynamicExtent all;
  for (size_t group = 0; group < groups.size(); ++group)
    if (choice >> group & 1) {
      all.size = groups[group].size;
      all.axes.insert(all.axes.end(), groups[group].axes.begin(), groups[group].axes.end());
    }
  return all;
}

/// Finds a smallest set of groups that can change together and takes it out.
std::optional<DynamicExtent> Capture::takeUnion(std::vector<DynamicExtent> &groups) {
  if (groups.size() < 2 || groups.size() > kTriedTogether)
    return std::nullopt;
  std::vector<unsigned> choices;
  for (unsigned choice = 0; choice < 1u << groups.size(); ++choice)
    if (std::popcount(choice) >= 2)
      choices.push_back(choice);
  std::stable_sort(choices.begin(), choices.end(),
                   [](unsigned a, unsigned b) { return std::popcount(a) < std::popcount(b); });
  for (unsigned choice : choices) {
    DynamicExtent together = chosen(groups, choice);
    if (!varies(together))
      continue;
    for (size_t group = groups.size(); group-- > 0;)
      if (choice >> group & 1)
        groups.erase(groups.begin() + static_cast<long>(group));
    return together;
  }
  return std::nullopt;
}

/// Lets axes that cannot change alone change with an extent of their size that
/// can, such as the lengths of a batch with the batch.
void Capture::joinFound(Axes &rest, std::vector<DynamicExtent> &found) {
  Axes left;
  for (auto axis : rest) {
    auto joined = std::find_if(found.begin(), found.end(), [&](const DynamicExtent &extent) {
      if (extent.size != examples[axis.first].size(axis.second))
        return false;
      DynamicExtent together = extent;
      together.axes.push_back(axis);
      return varies(together);
    });
    if (joined == found.end())
      left.push_back(axis);
    else
      joined->axes.push_back(axis);
  }
  rest = std::move(left);
}

/// What cannot change alone may change with others of its size and place; what
/// cannot even then, with some others of its size, or with one that can alone.
void Capture::findExtents() {
  std::vector<DynamicExtent> found;
  Axes rest = candidates(examples);
  auto tryGroups = [&](const std::vector<DynamicExtent> &groups, bool bothWays) {
    rest.clear();
    for (const DynamicExtent &group : groups)
      if (varies(group, bothWays))
        found.push_back(group);
      else
        rest.insert(rest.end(), group.axes.begin(), group.axes.end());
  };
  auto sizeOf = [&](std::pair<int, int> axis) { return examples[axis.first].size(axis.second); };
  if (rest.size() <= kTriedAlone)
    tryGroups(grouped(examples, rest, [](auto axis) { return axis; }), true);
  tryGroups(grouped(examples, rest, [&](auto axis) {
    return std::tuple(sizeOf(axis), axis.second, examples[axis.first].dim() == 1);
  }), false);
  Axes left;
  for (const DynamicExtent &sameSize : grouped(examples, rest, sizeOf)) {
    std::vector<DynamicExtent> alike = grouped(examples, sameSize.axes, [&](auto axis) {
      return std::pair(examples[axis.first].sizes().vec(), axis.second);
    });
    while (std::optional<DynamicExtent> together = takeUnion(alike))
      found.push_back(*together);
    for (const DynamicExtent &group : alike)
      left.insert(left.end(), group.axes.begin(), group.axes.end());
  }
  joinFound(left, found);
  tryGroups(grouped(examples, left, [](auto axis) { return axis; }), false);
  for (DynamicExtent &extent : found)
    std::sort(extent.axes.begin(), extent.axes.end());
  std::sort(found.begin(), found.end(), [](const DynamicExtent &a, const DynamicExtent &b) {
    return a.axes.front() < b.axes.front();
  });
  findExtents(std::move(found));
}

/// Two sizes between an extent's own and its other one, or near that.
static std::vector<int64_t> between(int64_t size, int64_t other) {
  int64_t step = other > size ? 1 : -1;
  if (std::abs(other - size) >= 8)
    return {other - 3 * step, other - 7 * step};
  return {other + step, other};
}

/// Records the runs that the formulas come from; an extent for which that
/// fails stays fixed.
void Capture::findExtents(std::vector<DynamicExtent> groups) {
  dynamicExtents = std::move(groups);
  runs.resize(1);
  runs[0].sizes.clear();
  for (const DynamicExtent &extent : dynamicExtents)
    runs[0].sizes.push_back(extent.size);
  const std::vector<int64_t> base = runs[0].sizes;
  std::vector<int64_t> first = base, second = base;
  for (size_t i = 0; i < base.size(); ++i) {
    std::vector<std::vector<int64_t>> candidates;
    for (int64_t other : othersOf(dynamicExtents[i])) {
      candidates.push_back(base);
      candidates.back()[i] = other;
    }
    if (!addRun(candidates)) {
      noteFixed(dynamicExtents[i], lastDifference);
      dynamicExtents.erase(dynamicExtents.begin() + static_cast<long>(i));
      return findExtents(dynamicExtents);
    }
    int64_t other = runs.back().sizes[i];
    auto allowed = [&, i](int64_t size) {
      return std::clamp(size, std::max<int64_t>(dynamicExtents[i].least, 2),
                        std::max<int64_t>(dynamicExtents[i].most, 2));
    };
    first[i] = allowed(between(base[i], other)[0]);
    second[i] = allowed(between(base[i], other)[1]);
  }
  if (base.empty())
    return;
  std::vector<int64_t> others(base.size());
  for (size_t i = 0; i < base.size(); ++i)
    others[i] = runs[1 + i].sizes[i];
  bool runsTogether = addRun({first, others}) && addRun({second, others});
  // With one of three as it was, no product of two passes for that of others.
  for (size_t i = 0; base.size() > 2 && runsTogether && i < base.size(); ++i) {
    std::vector<int64_t> rest = first, otherRest = others;
    rest[i] = otherRest[i] = base[i];
    runsTogether = addRun({rest, otherRest});
  }
  if (!runsTogether) {
    noteFixed(dynamicExtents.back(), lastDifference);
    dynamicExtents.pop_back();
    return findExtents(dynamicExtents);
  }
  checkRuns();
}

/// Drops the extents on which something depends in a way no formula has.
void Capture::checkRuns() {
  std::set<size_t> unfit;
  auto drop = [&](const auto &values, const std::string &reason) {
    bool any = false;
    for (size_t extent = 0; extent < dynamicExtents.size(); ++extent)
      if (values[1 + extent] != values[0]) {
        unfit.insert(extent);
        noteFixed(dynamicExtents[extent], reason);
        any = true;
      }
    if (!any) {
      unfit.insert(dynamicExtents.size() - 1);
      noteFixed(dynamicExtents.back(), reason);
    }
  };
  auto check = [&](const std::vector<int64_t> &values) {
    if (!fit(values))
      drop(values, "something depends on it in a way that no formula was found for");
  };
  auto checkReal = [&](size_t call, size_t arg) {
    std::vector<double> values = reals(call, arg);
    std::optional<RealFormula> formula = fitReal(values);
    if (!formula || (!formula->extents.empty() && !takesAnyNumber(trace().calls[call], arg)))
      drop(values, "the number '" + trace().calls[call].schema->arguments()[arg].name() +
                       "' depends on it of " + describe(trace(), call));
  };
  std::vector<int64_t> values(runs.size());
  for (size_t call = 0; call < trace().calls.size(); ++call)
    for (size_t arg = 0; arg < trace().calls[call].args.size(); ++arg) {
      if (trace().calls[call].args[arg].kind == Arg::Kind::Double)
        checkReal(call, arg);
      for (size_t i = 0; i < trace().calls[call].args[arg].ints.size(); ++i) {
        for (size_t run = 0; run < runs.size(); ++run)
          values[run] = runs[run].trace.calls[call].args[arg].ints[i];
        check(values);
      }
    }
  for (size_t value = 0; value < trace().values.size(); ++value)
    for (int dim = 0; dim < trace().values[value].tensor.dim(); ++dim) {
      for (size_t run = 0; run < runs.size(); ++run)
        values[run] = runs[run].trace.values[value].tensor.size(dim);
      check(values);
    }
  if (unfit.empty())
    return;
  std::vector<DynamicExtent> kept;
  for (size_t extent = 0; extent < dynamicExtents.size(); ++extent)
    if (!unfit.count(extent))
      kept.push_back(dynamicExtents[extent]);
  findExtents(std::move(kept));
}

Capture::Capture(torch::nn::Module &module, const Computation &computation,
                 const Tensors &examples, bool dynamic,
                 const std::function<bool(const std::string &)> &known)
    : module(module), computation(computation), known(known) {
  // A tensor given twice counts as two inputs.
  for (const at::Tensor &example : examples) {
    bool again = std::any_of(this->examples.begin(), this->examples.end(),
                             [&](const at::Tensor &other) { return other.is_same(example); });
    this->examples.push_back(again ? example.clone() : example);
  }
  runs.push_back({{}, record(module, computation, this->examples, known)});
  if (dynamic)
    findExtents();
  findLimits();
}

Capture::Capture(torch::nn::Module &module, const Computation &computation, const Tensors &examples,
                 std::vector<DynamicExtent> extents,
                 const std::function<bool(const std::string &)> &known)
    : module(module), computation(computation), examples(examples), known(known) {
  runs.push_back({{}, record(module, computation, this->examples, known)});
  findExtents(std::move(extents));
  findLimits();
}

std::optional<int> Capture::extentOf(int input, int dimension) const {
  for (size_t extent = 0; extent < dynamicExtents.size(); ++extent)
    for (auto axis : dynamicExtents[extent].axes)
      if (axis == std::pair(input, dimension))
        return static_cast<int>(extent);
  return std::nullopt;
}
