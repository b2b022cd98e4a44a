//===- Skews.cpp - Rows that are laid end to end and cut anew ---------------===//
// Padding each row of a table by one and cutting what is laid end to end into rows of another
// length shifts each row against the one before: the place in the table is then the difference
// of two places.

#include "compiler/graph/raise/Expression.h"

using namespace mlir;
using namespace aft::raise;

namespace {
/// sum of coefficient * variable + number
struct Linear {
  SmallVector<std::pair<int, int64_t>, 4> vars;
  int64_t number = 0;

  void add(int var, int64_t coefficient);
  bool add(const Index &index, int64_t factor);
  std::optional<Index> asIndex() const;
};
} // namespace

void Linear::add(int var, int64_t coefficient) {
  auto *known = llvm::find_if(vars, [&](auto &own) { return own.first == var; });
  if (known == vars.end())
    vars.push_back({var, coefficient});
  else if ((known->second += coefficient) == 0)
    vars.erase(known);
}

bool Linear::add(const Index &index, int64_t factor) {
  number += index.offset * factor;
  if (index.parts.empty()) {
    if (index.var >= 0)
      add(index.var, factor);
    if (index.minus >= 0)
      add(index.minus, -factor);
    return true;
  }
  for (size_t part = index.parts.size(); part-- > 0;) {
    if (!add(index.parts[part], factor))
      return false;
    if (part > 0 && !index.extents[part].isNumber())
      return false;
    factor *= part > 0 ? index.extents[part].number : 1;
  }
  return true;
}

std::optional<Index> Linear::asIndex() const {
  Index index = Index::number(number);
  for (auto [var, coefficient] : vars) {
    int &place = coefficient == 1 ? index.var : index.minus;
    if (std::abs(coefficient) != 1 || place >= 0)
      return std::nullopt;
    place = var;
  }
  index.partial = !vars.empty();
  return index.minus >= 0 && index.var < 0 ? std::nullopt : std::optional(index);
}

/// The places along dimensions of other extents than those that the index was joined from.
std::optional<Place> Formulas::divided(const Index &index, ArrayRef<ExtentId> extents) {
  Linear rest;
  if (index.parts.empty() || !rest.add(index, 1) ||
      !llvm::all_of(extents, [](ExtentId extent) { return extent.isNumber(); }))
    return std::nullopt;
  Place place(extents.size());
  for (size_t dim = extents.size(); dim-- > 1;) {
    int64_t extent = extents[dim].number, least = 0, most = 0;
    if (extent == 1)
      continue;
    // What is not a multiple of the extent stays within it for one number of whole rows only.
    Linear inner, outer;
    for (auto [var, coefficient] : rest.vars) {
      int64_t part = coefficient % extent;
      part -= 2 * part > extent ? extent : 2 * part < -extent ? -extent : 0;
      if (part != 0 && bounds[var] > extent)
        return std::nullopt;
      if (part != 0)
        inner.add(var, part);
      if (part != coefficient)
        outer.add(var, (coefficient - part) / extent);
      (part < 0 ? least : most) += part * (part == 0 ? 0 : bounds[var] - 1);
    }
    inner.number = ((rest.number % extent) + extent) % extent;
    while (least + inner.number < 0)
      inner.number += extent;
    if (most + inner.number >= extent)
      return std::nullopt;
    outer.number = (rest.number - inner.number) / extent;
    std::optional<Index> own = inner.asIndex();
    if (!own)
      return std::nullopt;
    place[dim] = *own;
    rest = outer;
  }
  std::optional<Index> own = rest.asIndex();
  if (!own)
    return std::nullopt;
  place[0] = *own;
  return place;
}
