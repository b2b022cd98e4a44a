//===- Sizes.cpp - What in a captured module depends on its inputs' sizes -===//

#include "frontends/torch/capture/Sizes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <bit>
#include <map>
#include <numeric>
#include <set>

using namespace aft;
using namespace aft::capture;

/// Larger divisors in a formula are taken for a coincidence.
static constexpr int64_t kLargestDivisor = 4096;

bool SizeFormula::isConstant() const {
  return products.empty() &&
         std::all_of(linear.begin(), linear.end(), [](int64_t factor) { return factor == 0; });
}

static int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); }

/// The numerator of a formula.
static int64_t evaluate(const SizeFormula &formula, const std::vector<int64_t> &sizes) {
  int64_t total = formula.constant;
  for (size_t i = 0; i < sizes.size(); ++i)
    total += formula.linear[i] * sizes[i];
  for (const SizeFormula::Product &product : formula.products)
    total += product.factor * sizes[product.first] * sizes[product.second];
  return total;
}

//===----------------------------------------------------------------------===//
// Comparing two runs
//===----------------------------------------------------------------------===//

static bool sameState(const TracedState &a, const TracedState &b) {
  if (a.name != b.name || a.isConstant != b.isConstant)
    return false;
  // Tensors that a forward makes anew must at least hold the same numbers.
  return a.tensor.is_same(b.tensor) || (a.isConstant && a.tensor.dtype() == b.tensor.dtype() &&
                                        a.tensor.sizes() == b.tensor.sizes() &&
                                        a.tensor.equal(b.tensor));
}

/// Whether two runs differ in nothing but integers.
static bool sameStructure(const Trace &a, const Trace &b) {
  if (a.calls.size() != b.calls.size() || a.states.size() != b.states.size() ||
      a.values.size() != b.values.size() || a.outputs != b.outputs)
    return false;
  for (size_t i = 0; i < a.states.size(); ++i)
    if (!sameState(a.states[i], b.states[i]))
      return false;
  for (size_t i = 0; i < a.values.size(); ++i)
    if (a.values[i].tensor.dim() != b.values[i].tensor.dim() ||
        a.values[i].isConstant != b.values[i].isConstant ||
        a.values[i].dtype() != b.values[i].dtype())
      return false;
  for (size_t i = 0; i < a.calls.size(); ++i) {
    const Call &x = a.calls[i], &y = b.calls[i];
    if (x.schema != y.schema || x.args.size() != y.args.size() || x.results != y.results ||
        x.name != y.name || x.source != y.source)
      return false;
    for (size_t j = 0; j < x.args.size(); ++j) {
      const Arg &p = x.args[j], &q = y.args[j];
      bool number = p.kind == Arg::Kind::Int || p.kind == Arg::Kind::Ints;
      if (p.kind != q.kind || p.values != q.values || p.doubles != q.doubles ||
          p.text != q.text || p.ints.size() != q.ints.size() || (!number && p.ints != q.ints))
        return false;
    }
  }
  return true;
}

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
    return false;
  }
  if (!sameStructure(this->trace(), trace))
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
  return false;
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
  if (!addRun({first, others}) || !addRun({second, others})) {
    dynamicExtents.pop_back();
    return findExtents(dynamicExtents);
  }
  checkRuns();
}

/// Drops the extents on which something depends in a way no formula has.
void Capture::checkRuns() {
  std::set<size_t> unfit;
  auto check = [&](const std::vector<int64_t> &values) {
    if (fit(values))
      return;
    size_t before = unfit.size();
    for (size_t extent = 0; extent < dynamicExtents.size(); ++extent)
      if (values[1 + extent] != values[0])
        unfit.insert(extent);
    if (unfit.size() == before)
      unfit.insert(dynamicExtents.size() - 1);
  };
  std::vector<int64_t> values(runs.size());
  for (size_t call = 0; call < trace().calls.size(); ++call)
    for (size_t arg = 0; arg < trace().calls[call].args.size(); ++arg)
      for (size_t i = 0; i < trace().calls[call].args[arg].ints.size(); ++i) {
        for (size_t run = 0; run < runs.size(); ++run)
          values[run] = runs[run].trace.calls[call].args[arg].ints[i];
        check(values);
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

//===----------------------------------------------------------------------===//
// Limits of the extents
//===----------------------------------------------------------------------===//

/// Sizes at which it is tried whether the module still does the same.
static constexpr int64_t kSmallSizes[] = {1, 2, 3, 4, 6, 8}, kLargeSize = 300;

static int64_t numberAt(const SizeFormula &formula, const std::vector<int64_t> &sizes) {
  return floorDivide(evaluate(formula, sizes), formula.divisor);
}

/// Whether a call of another run has the integers that the formulas give.
bool Capture::foretellsCall(const std::vector<int64_t> &sizes, size_t call,
                            const Call &found) const {
  const Call &own = trace().calls[call];
  if (own.name != found.name || own.args.size() != found.args.size())
    return false;
  for (size_t arg = 0; arg < found.args.size(); ++arg) {
    const std::vector<int64_t> &ints = found.args[arg].ints;
    if (ints.size() != own.args[arg].ints.size())
      return false;
    for (size_t i = 0; i < ints.size(); ++i)
      if (numberAt(sizeOf(call, arg, i), sizes) != ints[i])
        return false;
  }
  return true;
}

/// Whether the formulas give what a run at other sizes shows.
bool Capture::foretells(const std::vector<int64_t> &sizes, const Trace &found) const {
  for (size_t call = 0; call < found.calls.size(); ++call)
    if (!foretellsCall(sizes, call, found.calls[call]))
      return false;
  for (size_t value = 0; value < found.values.size(); ++value)
    for (int dim = 0; dim < found.values[value].tensor.dim(); ++dim)
      if (numberAt(dimOf(static_cast<int>(value), dim), sizes) !=
          found.values[value].tensor.size(dim))
        return false;
  return true;
}

/// Indexing with a Slice calls no operator, or alias, where the slice is the whole.
bool Capture::lacksOnlySlices(const std::vector<int64_t> &sizes, const Trace &found) const {
  size_t next = 0;
  auto skipAliases = [&](size_t call) {
    while (next < found.calls.size() && found.calls[next].name == "aten::alias" &&
           (call == trace().calls.size() || trace().calls[call].name != "aten::alias"))
      ++next;
  };
  for (size_t call = 0; call < trace().calls.size(); ++call) {
    skipAliases(call);
    if (next < found.calls.size() && foretellsCall(sizes, call, found.calls[next]))
      ++next;
    else if (trace().calls[call].name != "aten::slice")
      return false;
  }
  skipAliases(trace().calls.size());
  return next == found.calls.size();
}

Capture::Fit Capture::tryAt(size_t extent, int64_t size) const {
  std::vector<int64_t> sizes = runs.front().sizes;
  sizes[extent] = size;
  try {
    Trace found = record(module, computation, inputsAt(sizes), known);
    bool same = sameStructure(trace(), found) ? foretells(sizes, found)
                                              : lacksOnlySlices(sizes, found);
    return same ? Fit::Same : Fit::Other;
  } catch (const std::exception &) {
    return Fit::Refused;
  }
}

/// A module may do something else for small or large inputs: then those are
/// refused.
void Capture::findLimits() {
  for (size_t extent = 0; extent < dynamicExtents.size(); ++extent) {
    DynamicExtent &own = dynamicExtents[extent];
    int64_t smallest = own.size, largest = own.size;
    for (const Run &run : runs) {
      smallest = std::min(smallest, run.sizes[extent]);
      largest = std::max(largest, run.sizes[extent]);
    }
    for (int64_t size : kSmallSizes) {
      if (size < own.least)
        continue;
      if (size >= smallest || tryAt(extent, size) == Fit::Same)
        break;
      own.least = std::min(size + 1, smallest);
      own.isGiven = false;
    }
    for (int64_t size : {own.size - 1, own.size + 1})
      if (size > 1 && size >= own.least && size <= own.most && tryAt(extent, size) == Fit::Other)
        own.least = own.most = own.size;
    if (int64_t large = std::min(kLargeSize, own.most);
        large > largest && tryAt(extent, large) == Fit::Other) {
      own.most = largest;
      own.isGiven = false;
    }
  }
}

std::optional<int> Capture::extentOf(int input, int dimension) const {
  for (size_t extent = 0; extent < dynamicExtents.size(); ++extent)
    for (auto axis : dynamicExtents[extent].axes)
      if (axis == std::pair(input, dimension))
        return static_cast<int>(extent);
  return std::nullopt;
}

//===----------------------------------------------------------------------===//
// Formulas
//===----------------------------------------------------------------------===//

/// A formula for the numbers that the runs show, in their order.
std::optional<SizeFormula> Capture::fit(const std::vector<int64_t> &values) const {
  size_t count = dynamicExtents.size();
  SizeFormula formula;
  formula.linear.assign(count, 0);
  formula.constant = values[0];
  if (std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == values[0]; }))
    return formula;
  const std::vector<int64_t> &base = runs[0].sizes;
  std::vector<int64_t> rises(count), steps(count);
  for (size_t i = 0; i < count; ++i) {
    rises[i] = values[1 + i] - values[0];
    steps[i] = runs[1 + i].sizes[i] - base[i];
    int64_t shared = std::gcd(rises[i], steps[i]);
    formula.divisor = std::lcm(formula.divisor, steps[i] / shared);
    if (std::abs(formula.divisor) > kLargestDivisor)
      return std::nullopt;
  }
  formula.divisor = std::abs(formula.divisor);
  formula.constant = values[0] * formula.divisor;
  for (size_t i = 0; i < count; ++i) {
    formula.linear[i] = rises[i] * formula.divisor / steps[i];
    formula.constant -= formula.linear[i] * base[i];
  }
  auto holds = [&](const SizeFormula &candidate) {
    for (size_t run = 0; run < runs.size(); ++run)
      if (floorDivide(evaluate(candidate, runs[run].sizes), candidate.divisor) != values[run])
        return false;
    return true;
  };
  // A quotient that was rounded down leaves the constant uncertain.
  for (int64_t shift = 0; shift < formula.divisor; ++shift)
    for (int64_t sign : {1, -1}) {
      SizeFormula shifted = formula;
      shifted.constant += sign * shift;
      if (holds(shifted))
        return shifted;
    }
  // A product shows only where both extents change.
  const std::vector<int64_t> &sizes = runs[1 + count].sizes;
  int64_t missing = values[1 + count] * formula.divisor - evaluate(formula, sizes);
  for (size_t i = 0; i < count; ++i)
    for (size_t j = i + 1; j < count; ++j) {
      int64_t area = (sizes[i] - base[i]) * (sizes[j] - base[j]);
      if (area == 0 || missing % area != 0)
        continue;
      int64_t factor = missing / area;
      SizeFormula candidate = formula;
      candidate.products.push_back({static_cast<int>(i), static_cast<int>(j), factor});
      candidate.linear[i] -= factor * base[j];
      candidate.linear[j] -= factor * base[i];
      candidate.constant += factor * base[i] * base[j];
      if (holds(candidate))
        return candidate;
    }
  return std::nullopt;
}

SizeFormula Capture::sizeOf(size_t call, size_t arg, size_t index) const {
  std::vector<int64_t> values;
  for (const Run &run : runs)
    values.push_back(run.trace.calls[call].args[arg].ints[index]);
  return *fit(values); // the constructor has made sure
}

SizeFormula Capture::dimOf(int value, int dimension) const {
  std::vector<int64_t> values;
  for (const Run &run : runs)
    values.push_back(run.trace.values[value].tensor.size(dimension));
  return *fit(values);
}

bool Capture::isFixed(int value) const {
  const at::Tensor &numbers = trace().values[value].numbers;
  return numbers.defined() && std::all_of(runs.begin(), runs.end(), [&](const Run &run) {
           const at::Tensor &others = run.trace.values[value].numbers;
           return others.defined() && others.sizes() == numbers.sizes() && others.equal(numbers);
         });
}
