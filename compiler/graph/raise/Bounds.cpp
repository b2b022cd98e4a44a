//===- Bounds.cpp - Bounds on sums of weights, and on what stands under them ===//
// A sum of exponentials below their own maximum is at least 1, so that a lower bound on it never
// holds. A bound on key and bias together makes of them what is neither.

#include "compiler/graph/raise/Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace aft::raise;

/// The tensor that a maximum is computed as, behind views, copies and stopped gradients.
static Expr maximumBehind(Formulas &formulas, Expr e, SmallVectorImpl<int> &vars) {
  while (e && e->kind == Kind::Element) {
    if (Expr inner = formulas.openMaximum(e, vars))
      return inner;
    Operation *op = e->tensor.getDefiningOp();
    bool stops = op && op->getName().getStringRef() == "aft.stop_gradient";
    e = stops ? formulas.element(op->getOperand(0), e->place) : formulas.open(e);
    e = e ? stripped(e) : nullptr;
  }
  return nullptr;
}

/// Whether a sum of weights is surely at least `bound`: one of them is exp(x - x).
bool Normalizer::neverBelow(const Product &sum, double bound) {
  if (sum.totals.size() != 1 || sum.totals[0].power != 1 || !sum.factors.empty() ||
      !sum.masks.empty() || sum.added)
    return false;
  const Total &total = sum.totals[0];
  const Product &term = *total.term;
  if (!term.factors.empty() || !term.totals.empty() || term.number != 1 || term.shift != 0 ||
      sum.shift != 0 || sum.number < bound)
    return false;
  auto isTop = [&](const Power &each) { return each.power == -1 && isMaximum(each.identity()); };
  auto *top = llvm::find_if(sum.exponents, isTop);
  SmallVector<int> vars;
  Expr inner =
      top == sum.exponents.end() ? nullptr : maximumBehind(formulas, top->identity(), vars);
  if (!inner || vars.size() != total.vars.size())
    return false;
  Product largest;
  Vars around = summed;
  for (int var : vars)
    summed |= Vars(1) << var;
  addExponent(inner, 1, largest);
  summed = around;
  for (auto [var, own] : llvm::zip(vars, total.vars)) {
    if (!formulas.sameExtent(var, own))
      return false;
    largest = largest.renamed(formulas, var, own);
  }
  Product weights;
  weights.exponents = term.exponents;
  for (const Power &each : sum.exponents)
    if (&each != top)
      addPower(weights.exponents, each);
  return largest.factors.empty() && largest.totals.empty() && largest.shift == 0 &&
         isSame(largest.exponents, weights.exponents) && covers(largest.masks, term.masks);
}

/// Of select(x == number, then, otherwise), or where there is no number of select(x == x, …).
static std::optional<std::pair<Expr, Expr>> branches(Normalizer &normalizer, Expr e, Expr x,
                                                     std::optional<double> number) {
  if (!is<arith::SelectOp>(e))
    return std::nullopt;
  Expr condition = normalizer.definitionOf(e->operands[0]);
  if (!is<arith::CmpFOp>(condition) ||
      cast<arith::CmpFOp>(condition->op).getPredicate() != arith::CmpFPredicate::OEQ)
    return std::nullopt;
  Expr left = stripped(condition->operands[0]), right = stripped(condition->operands[1]);
  if ((x && !same(left, x)) || (number ? normalizer.number(right) != number : !same(left, right)))
    return std::nullopt;
  return std::pair(e->operands[1], e->operands[2]);
}

Expr Normalizer::cleanedExponent(Expr e) {
  double infinity = std::numeric_limits<double>::infinity();
  Expr outer = definitionOf(stripped(e));
  auto numbers = branches(*this, outer, nullptr, std::nullopt);
  if (!numbers || number(numbers->second) != 0.0)
    return nullptr;
  Expr isNumber = definitionOf(outer->operands[0]), x = stripped(isNumber->operands[0]);
  Expr power = definitionOf(x);
  // An exponential is not -inf.
  auto aboveLow = branches(*this, definitionOf(numbers->first), x, -infinity);
  Expr inner = aboveLow ? definitionOf(aboveLow->second) : nullptr;
  auto finite = inner ? branches(*this, inner, x, infinity) : std::nullopt;
  std::optional<double> most = finite ? number(finite->first) : std::nullopt;
  if (!most || !(*most > 0) || std::isinf(*most) || !same(stripped(finite->second), x) ||
      !is<math::ExpOp>(power))
    return nullptr;
  Builder builder(e->tensor ? e->tensor.getContext() : outer->op->getContext());
  auto exactly = [&](double value) { return formulas.number(builder.getF32FloatAttr(value)); };
  Expr bounded = formulas.scalar(
      inner->op, {definitionOf(inner->operands[0]), exactly(std::log(*most)), power->operands[0]});
  return bounded ? formulas.scalar(outer->op, {isNumber, bounded, exactly(-infinity)}) : nullptr;
}

/// Whether it is a sum of which one part has this variable and another has not.
static bool joins(Normalizer &normalizer, Expr e, int query, int depth = 8) {
  e = normalizer.definitionOf(stripped(e));
  if (e->kind == Kind::Scaled)
    return joins(normalizer, e->operands[0], query, depth);
  if (e->kind != Kind::Scalar || depth == 0)
    return false;
  if (is<arith::AddFOp>(e) || is<arith::SubFOp>(e))
    return has(e->operands[0], query) != has(e->operands[1], query) && e->operands[0]->vars &&
           e->operands[1]->vars;
  return llvm::any_of(e->operands,
                      [&](Expr operand) { return joins(normalizer, operand, query, depth - 1); });
}

std::string Normalizer::whyJoined(Expr exponent, int query) {
  Expr e = definitionOf(stripped(exponent));
  while (e->kind == Kind::Scaled)
    e = definitionOf(stripped(e->operands[0]));
  if (e->kind != Kind::Scalar || !joins(*this, e, query))
    return "";
  while (std::optional<std::pair<Expr, double>> scaled = timesNumber(e))
    e = definitionOf(stripped(scaled->first));
  bool bounds = is<arith::MaximumFOp>(e) || is<arith::MaxNumFOp>(e) || is<arith::MinimumFOp>(e) ||
                is<arith::MinNumFOp>(e);
  if (bounds)
    return "a number bounds the sum of key and bias: where it does, the weight is no longer "
           "exp(key) * exp(bias), and the bound may hold; bound the key or the bias alone";
  return "a function of the sum of key and bias (" +
         (e->op ? e->op->getName().getStringRef().str() : std::string("unknown")) +
         ") stands under the exponential: the weight is not exp(key) * exp(bias)";
}
