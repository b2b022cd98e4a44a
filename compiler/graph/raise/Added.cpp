//===- Added.cpp - What is added to weights and to their sums --------------===//
// A positive number that is added to a denominator is the weight of one more key whose
// value is 0. One that is added to every weight leaves it positive, so that it has a
// logarithm.

#include "compiler/graph/raise/Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace aft::raise;

/// Below it floats are not normal.
static constexpr double kLeast = 1e-37;
/// Constants of more numbers are not looked at.
static constexpr int64_t kConstants = 1 << 16;

/// A sum below as one term, to which a number may be added.
static std::optional<Added> addedTo(const Product &sum, double number) {
  if (sum.totals.size() != 1 || sum.totals[0].power != 1 || !sum.factors.empty() ||
      !sum.masks.empty() || sum.added || sum.number <= 0)
    return std::nullopt;
  double beside = number / sum.number * std::exp(-sum.shift);
  if (!(beside >= kLeast) || std::isinf(beside))
    return std::nullopt;
  return Added{beside, {sum.exponents.begin(), sum.exponents.end()}};
}

static bool isMaximumOf(Expr e) { return is<arith::MaximumFOp>(e) || is<arith::MaxNumFOp>(e); }

/// What is left of a sum without the numbers that are added to it, in whatever order.
Expr Normalizer::withoutNumbers(Expr e, LooseNumber &added) {
  Expr sum = definitionOf(stripped(e));
  if (!is<arith::AddFOp>(sum))
    return e;
  for (int side : {0, 1})
    if (std::optional<double> number = this->number(sum->operands[1 - side]);
        number && *number >= 0) {
      added = {sum->op, added.number + *number};
      return withoutNumbers(sum->operands[side], added);
    }
  Expr parts[2] = {withoutNumbers(sum->operands[0], added),
                   withoutNumbers(sum->operands[1], added)};
  return ArrayRef<Expr>(parts) == ArrayRef<Expr>(sum->operands) ? e
                                                                : formulas.scalar(sum->op, parts);
}

/// x + number, max(x, number) and other functions of weighted sums under a division.
bool Normalizer::multiplyAdded(Expr e, int power, Product &product) {
  if (isMaximumOf(e))
    return multiplyBounded(e, power, product);
  noteCovered(e, power, product);
  LooseNumber found;
  Expr rest = withoutNumbers(e, found);
  if (!found || !rest)
    return false;
  Product own = this->product(rest);
  if (own.totals.empty())
    return false;
  if (found.number <= kSmall && dropSmall) {
    product.loose = {found.op, found.number, true};
    product.times(own, power);
    return true;
  }
  std::optional<Added> added = power == -1 ? addedTo(own, found.number) : std::nullopt;
  if (!added) {
    product.loose = found;
    return false;
  }
  product.severalAdded |= product.added.has_value();
  product.added = std::move(added);
  product.times(own, power);
  return true;
}

bool Normalizer::multiplyBounded(Expr e, int power, Product &product) {
  for (int side : {0, 1}) {
    std::optional<double> number = this->number(e->operands[1 - side]);
    if (!number || *number < 0)
      continue;
    Product own;
    multiply(e->operands[side], power, own);
    if (own.totals.empty()) {
      product.loose = product.loose ? product.loose : own.loose;
      return false;
    }
    bool isSmall = *number <= kSmall && dropSmall;
    if (!isSmall && !neverBelow(this->product(e->operands[side]), *number)) {
      product.loose = {e->op, *number};
      return false;
    }
    if (isSmall && (!own.loose || own.loose.isDropped))
      own.loose = {e->op, *number, true};
    product.times(own);
    return true;
  }
  return false;
}

/// Notes what a weighted sum is hidden behind.
void Normalizer::noteCovered(Expr e, int power, Product &product) {
  bool isMinimum = is<arith::MinimumFOp>(e) || is<arith::MinNumFOp>(e);
  if (product.loose || (!isMinimum && !is<math::AbsFOp>(e) && !is<arith::SelectOp>(e)))
    return;
  for (Expr operand : ArrayRef<Expr>(e->operands).drop_front(is<arith::SelectOp>(e) ? 1 : 0)) {
    Product own;
    multiply(operand, power, own);
    if (own.hasWeights() || own.loose)
      product.loose = {e->op};
  }
}

/// Whether all numbers of a constant are at least `least`.
static bool areAtLeast(Expr e, double least) {
  DenseFPElementsAttr all;
  return e->kind == Kind::Element && matchPattern(e->tensor, m_Constant(&all)) &&
         all.getNumElements() <= kConstants && llvm::all_of(all, [&](const APFloat &number) {
           double value = FloatAttr::getValueAsDouble(number);
           return value >= least && std::isfinite(value);
         });
}

bool Normalizer::isPositive(Expr e, bool orZero) {
  e = definitionOf(stripped(e));
  if (std::optional<double> number = numberOf(e))
    return orZero ? *number >= 0 : *number >= kLeast && std::isfinite(*number);
  if (e->kind == Kind::Element)
    return areAtLeast(e, orZero ? 0 : kLeast);
  if (is<arith::AddFOp>(e))
    return llvm::any_of(ArrayRef<int>{0, 1}, [&](int side) {
      return isPositive(e->operands[side], orZero) && isPositive(e->operands[1 - side], true);
    });
  if (isMaximumOf(e))
    return isPositive(e->operands[0], orZero) || isPositive(e->operands[1], orZero);
  // An exponential may be rounded to 0.
  if (!orZero)
    return false;
  if (is<arith::MulFOp>(e) || is<arith::DivFOp>(e))
    return isPositive(e->operands[0], true) && isPositive(e->operands[1], true);
  if (is<math::PowFOp>(e))
    return isPositive(e->operands[0], true);
  return is<math::ExpOp>(e) || is<math::AbsFOp>(e) || is<math::SqrtOp>(e);
}

/// With exponentials in sums, products and maxima written out.
Expr Normalizer::spelled(Expr e) {
  Expr definition = definitionOf(stripped(e));
  SmallVector<Expr> operands;
  if (is<math::ExpOp>(definition)) {
    Expr inner = stripped(definition->operands[0]);
    operands = {inner->kind == Kind::Element ? follow(formulas, inner).value : inner};
  } else if ((is<arith::AddFOp>(definition) || is<arith::MulFOp>(definition) ||
              is<arith::DivFOp>(definition) || isMaximumOf(definition)) &&
             llvm::all_of(definition->operands,
                          [&](Expr operand) { return isPositive(operand, /*orZero=*/true); })) {
    for (Expr operand : definition->operands)
      operands.push_back(number(operand) ? definitionOf(operand) : spelled(operand));
  }
  if (operands.empty() || llvm::is_contained(operands, nullptr))
    return e->kind == Kind::Element ? follow(formulas, e).value : e;
  Expr all = formulas.scalar(definition->op, operands);
  return all ? all : e;
}

static bool isReadable(Expr e) {
  return (e->kind != Kind::Element || isTidy(e)) && llvm::all_of(e->operands, isReadable);
}

Expr Normalizer::spelledOut(Expr e) {
  Expr all = spelled(e);
  return hasExponential(all) && isReadable(all) ? all : e;
}

/// base ** exponent, where the base has a logarithm.
bool Normalizer::multiplyPower(Expr e, int power, Product &product) {
  if (!is<math::PowFOp>(e) || !isPositive(e->operands[0], /*orZero=*/true))
    return false;
  Expr exponent = formulas.logPower(spelledOut(e->operands[0]), e->operands[1]);
  if (exponent)
    addPower(product.exponents, {exponent, power});
  return exponent;
}
