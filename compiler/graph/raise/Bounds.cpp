//===- Bounds.cpp - Bounds on sums of weights, and on what stands under them ===//
// A sum of exponentials below their own maximum is at least 1, so that a lower bound on it never
// holds. A bound on key and bias together makes of them what is neither.

#include "compiler/graph/raise/Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

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

namespace {
/// select(x is like this, number, rest), in either order.
struct Replaced {
  enum class What { NaN, High, Low } what;
  Expr select, condition, x, rest;
  double number;
  int kept; ///< which operand the rest is
};
} // namespace

static std::optional<Replaced> replacedIn(Normalizer &normalizer, Expr e) {
  if (!is<arith::SelectOp>(e))
    return std::nullopt;
  Expr condition = normalizer.definitionOf(e->operands[0]), compared = condition;
  bool holds = true;
  if (is<arith::XOrIOp>(condition) && normalizer.number(condition->operands[1]) == 1.0) {
    compared = normalizer.definitionOf(condition->operands[0]);
    holds = false;
  }
  if (!is<arith::CmpFOp>(compared))
    return std::nullopt;
  auto predicate = cast<arith::CmpFOp>(compared->op).getPredicate();
  Expr x = stripped(compared->operands[0]), other = stripped(compared->operands[1]);
  std::optional<double> limit = normalizer.number(other);
  bool isUnordered = predicate == arith::CmpFPredicate::UNE && same(x, other);
  if (predicate != arith::CmpFPredicate::OEQ && !isUnordered)
    return std::nullopt;
  Replaced result = {Replaced::What::NaN, e, condition, x, nullptr, 0, 1};
  if (same(x, other)) {
    result.kept = (holds != isUnordered) ? 1 : 2;
  } else if (holds && limit && std::isinf(*limit)) {
    result.what = *limit > 0 ? Replaced::What::High : Replaced::What::Low;
    result.kept = 2;
  } else {
    return std::nullopt;
  }
  std::optional<double> number = normalizer.number(e->operands[3 - result.kept]);
  if (!number)
    return std::nullopt;
  result.number = *number;
  result.rest = stripped(e->operands[result.kept]);
  return result;
}

Expr Normalizer::cleanedExponent(Expr e) {
  SmallVector<Replaced, 3> layers;
  e = definitionOf(stripped(e));
  while (std::optional<Replaced> layer = replacedIn(*this, e)) {
    if (!layers.empty() && !same(layer->x, layers[0].x))
      return nullptr;
    layers.push_back(*layer);
    e = same(layer->rest, layer->x) ? layer->x : definitionOf(layer->rest);
  }
  Expr power = layers.empty() ? nullptr : definitionOf(layers[0].x);
  if (!power || !same(e, layers[0].x) || !is<math::ExpOp>(power))
    return nullptr;
  Expr exponent = power->operands[0];
  bool cleans = false;
  for (const Replaced &layer : llvm::reverse(layers)) {
    bool isHigh = layer.what == Replaced::What::High;
    if (layer.what == Replaced::What::Low) // which an exponential is not
      continue;
    if (isHigh ? !(layer.number > 0) || std::isinf(layer.number) : layer.number != 0)
      return nullptr;
    cleans |= !isHigh;
    Builder builder(layer.select->op->getContext());
    Expr number = formulas.number(builder.getF32FloatAttr(std::log(layer.number)));
    SmallVector<Expr> operands = {layer.condition, exponent, number};
    if (layer.kept == 2)
      std::swap(operands[1], operands[2]);
    exponent = formulas.scalar(layer.select->op, operands);
    if (!exponent)
      return nullptr;
  }
  return cleans ? exponent : nullptr;
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
