//===- Mirrors.cpp - Sums that are walked from the end ----------------------===//
// A sum over places of a flipped tensor is one over the places of the tensor itself.

#include "compiler/graph/raise/Product.h"

using namespace mlir;
using namespace aft::raise;

/// a * (s - t) + number <= 0 where both are counted from the other end.
static std::optional<Inequality> turned(Formulas &formulas, const Inequality &mask, int var) {
  if (mask.vars.size() != 2 || !mask.values.empty())
    return std::nullopt;
  auto [other, coefficient] = mask.vars[mask.vars[0].first == var ? 1 : 0];
  if (coefficient != -mask.of(var) || !formulas.sameExtent(var, other) ||
      formulas.count() >= Formulas::kMaxVariables)
    return std::nullopt;
  Inequality result;
  result.vars = {{formulas.mirrored(var), coefficient}, {formulas.mirrored(other), -coefficient}};
  llvm::sort(result.vars);
  result.number = mask.number;
  return result;
}

/// Takes the opposite of each variable whose opposite is what tensors are read at; false where
/// they are read at both.
bool Normalizer::turnAround(SmallVectorImpl<int> &vars, Product &all) {
  for (int &var : vars) {
    int opposite = formulas.mirrorOf(var);
    auto reads = [&](int var) {
      auto at = [&](const Power &each) { return has(each.base, var); };
      return llvm::any_of(all.factors, at) || llvm::any_of(all.exponents, at);
    };
    if (opposite < 0)
      continue;
    bool isWhole = all.totals.empty() && llvm::all_of(all.exponents, [](const Power &each) {
                     return each.where.empty();
                   });
    if (!isWhole || reads(var) == reads(opposite))
      return false;
    if (reads(var))
      continue;
    for (Inequality &mask : all.masks) {
      if (mask.of(var) == 0)
        continue;
      std::optional<Inequality> other = turned(formulas, mask, var);
      if (!other)
        return false;
      mask = *other;
    }
    var = opposite;
  }
  return true;
}
