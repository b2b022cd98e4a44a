//===- Windows.cpp - Sums in which only a window is weighted ---------------===//
// The sum over a window of (exp(w) - 1) * x, plus the sum of x over all that are
// visible, is the sum of exp(w) * x where w is 0 outside of the window. The window may be all
// that is visible, or 0 may be in w itself.

#include "compiler/graph/raise/Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace aft::raise;

/// w of exp(w) - 1; null where it is none.
static Expr belowExponential(Normalizer &normalizer, Expr e) {
  e = normalizer.definitionOf(stripped(e));
  if (is<math::ExpM1Op>(e))
    return e->operands[0];
  std::optional<double> one = is<arith::SubFOp>(e) || is<arith::AddFOp>(e)
                                  ? normalizer.number(e->operands[1])
                                  : std::nullopt;
  if (!one || *one != (is<arith::SubFOp>(e) ? 1.0 : -1.0))
    return nullptr;
  Expr power = normalizer.definitionOf(stripped(e->operands[0]));
  return is<math::ExpOp>(power) ? power->operands[0] : nullptr;
}

/// The two sums, each with what stands before it, as one.
std::optional<Product> Normalizer::windowed(const Product &window, const Product &all) {
  if (window.totals.size() != 1 || all.totals.size() != 1 || window.number != all.number ||
      window.shift != all.shift || !window.masks.empty() || !all.masks.empty() ||
      !isSame(window.factors, all.factors) || !isSame(window.exponents, all.exponents))
    return std::nullopt;
  const Total &inner = window.totals[0], &outer = all.totals[0];
  if (inner.power != 1 || outer.power != 1 || inner.vars.size() != outer.vars.size() ||
      !inner.term->totals.empty() || !outer.term->totals.empty())
    return std::nullopt;
  Product rest = *outer.term;
  for (auto [own, other] : llvm::zip(inner.vars, outer.vars)) {
    if (!formulas.sameExtent(own, other))
      return std::nullopt;
    rest = rest.renamed(formulas, other, own);
  }
  std::optional<SmallVector<Power>> extra = difference(inner.term->factors, rest.factors);
  if (!extra || extra->size() != 1 || extra->front().power != 1 ||
      !isSame(inner.term->exponents, rest.exponents) || inner.term->number != rest.number ||
      inner.term->shift != rest.shift || !covers(inner.term->masks, rest.masks))
    return std::nullopt;
  Expr bias = belowExponential(*this, extra->front().base);
  if (!bias)
    return std::nullopt;
  Followed followed = follow(formulas, stripped(bias));
  Mask where;
  if (inner.term->masks.size() > rest.masks.size())
    where.assign(inner.term->masks.begin(), inner.term->masks.end());
  rest.exponents.push_back({followed.value, 1, followed.origin, where});
  for (auto [own, other] : llvm::zip(inner.vars, outer.vars))
    formulas.unify(own, other);
  Product result = window;
  result.totals[0].term = std::make_shared<Product>(std::move(rest));
  result.totals[0].ops.append(outer.ops);
  return result;
}

/// Only a sum of two sums is looked at: what else is added is a value like any.
bool Normalizer::multiplyWindow(Expr e, int power, Product &product) {
  if (!is<arith::AddFOp>(e) || depth >= kDepth)
    return false;
  Product sides[2];
  for (int side : {0, 1}) {
    Expr sum = definitionOf(stripped(e->operands[side]));
    if (sum->kind != Kind::Sum)
      return false;
    multiplySum(sum, 1, sides[side]);
  }
  for (int side : {0, 1})
    if (std::optional<Product> joined = windowed(sides[side], sides[1 - side])) {
      product.times(*joined, power);
      return true;
    }
  return false;
}
