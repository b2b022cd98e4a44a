//===- Limits.cpp - Sizes at which a module does something else ------------===//

#include "frontends/torch/capture/Sizes.h"

#include <ATen/ATen.h>

#include <algorithm>

using namespace aft;
using namespace aft::capture;

/// Sizes at which it is tried whether the module still does the same.
static constexpr int64_t kSmallSizes[] = {1, 2, 3, 4, 6, 8}, kLargeSize = 300;

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
      if (sizeOf(call, arg, i).at(sizes) != ints[i])
        return false;
    if (found.args[arg].kind != own.args[arg].kind)
      return false;
    if (found.args[arg].kind == Arg::Kind::Double &&
        !isClose(numberOf(call, arg).at(sizes), found.args[arg].doubles[0]))
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
      if (dimOf(static_cast<int>(value), dim).at(sizes) != found.values[value].tensor.size(dim))
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
    bool same = differenceOf(trace(), found).empty() ? foretells(sizes, found)
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
