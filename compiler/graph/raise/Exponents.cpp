//===- Exponents.cpp - What stands under an exponential, taken apart --------===//

#include "compiler/graph/raise/Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace aft::raise;

/// Exponents of 1e4 and a bias of as much are far above this.
static constexpr double kHidden = -1e6;

bool Normalizer::isMaximum(Expr e) {
  while (e->kind == Kind::Element) {
    Operation *op = e->tensor.getDefiningOp();
    if (!op)
      return false;
    if (op->getName().getStringRef() == "aft.stop_gradient") {
      e = formulas.element(op->getOperand(0), e->place);
      continue;
    }
    auto reduction = dyn_cast<linalg::LinalgOp>(op);
    if (reduction && reduction.getNumReductionLoops() > 0) {
      Operation *last = reduction.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
      return last && isa<arith::MaximumFOp, arith::MaxNumFOp>(last);
    }
    Expr next = formulas.open(e);
    if (!next)
      return false;
    e = stripped(next);
  }
  return false;
}

/// What a number is multiplied with, and that number.
std::optional<std::pair<Expr, double>> Normalizer::timesNumber(Expr e) {
  if (is<arith::DivFOp>(e)) {
    std::optional<double> divisor = number(e->operands[1]);
    return divisor && std::isnormal(*divisor)
               ? std::optional(std::pair(e->operands[0], 1 / *divisor))
               : std::nullopt;
  }
  if (is<arith::MulFOp>(e))
    for (int side : {0, 1})
      if (std::optional<double> factor = number(e->operands[side]);
          factor && std::isnormal(*factor))
        return std::pair(e->operands[1 - side], *factor);
  return std::nullopt;
}

/// Whether a sum under an exponential must be taken apart: to get rid of a
/// maximum, of -inf, or because no part depends on all that it depends on. What
/// is computed as a key or as a bias stays in one piece.
bool Normalizer::separates(Expr e) {
  auto isLow = [&](Expr e) { return std::abs(number(e).value_or(0)) >= -kHidden; };
  if (is<arith::SelectOp>(e))
    return isLow(e->operands[1]) || isLow(e->operands[2]);
  if (is<arith::MulFOp>(e) && (isLow(e->operands[0]) || isLow(e->operands[1])))
    return true;
  if (std::optional<std::pair<Expr, double>> scaled = timesNumber(e))
    return separates(definitionOf(scaled->first));
  if (is<math::LogOp>(e))
    return true;
  if (is<arith::NegFOp>(e))
    return separates(definitionOf(e->operands[0]));
  if (!is<arith::AddFOp>(e) && !is<arith::SubFOp>(e))
    return false;
  bool anyAll = false;
  for (Expr operand : e->operands) {
    Expr part = stripped(operand);
    if (part->kind == Kind::Element) {
      Followed followed = follow(formulas, part);
      part = followed.value;
      if (followed.definition && separates(followed.definition))
        return true;
    }
    if (isMaximum(part))
      return true;
    anyAll |= part->vars == e->vars;
  }
  return !anyAll || (e->vars & rootVars) == rootVars;
}

/// Whether a number in place of an exponent hides a key: -inf does, and what is
/// far below all others does where each query sees a key, as with a causal mask.
bool Normalizer::hides(std::optional<double> number, const std::optional<Mask> &shown) {
  if (!number || !shown || *number > kHidden)
    return false;
  if (std::isinf(*number))
    return true;
  if (shown->size() != 1 || shown->front().number != 0 || !shown->front().values.empty() ||
      shown->front().vars.size() != 2)
    return false;
  return llvm::all_of(shown->front().vars,
                      [&](auto var) { return var.second == (summed >> var.first & 1 ? 1 : -1); });
}

/// where(mask, e, -inf), or a mask times a number that hides.
bool Normalizer::addMaskedExponent(Expr e, int coefficient, Product &product, double scale) {
  if (coefficient == 1 && scale > 0 && is<arith::SelectOp>(e))
    for (int kept : {1, 2}) {
      std::optional<double> other = number(e->operands[3 - kept]);
      if (!other || *other > kHidden)
        continue;
      std::optional<Mask> shown = mask(e->operands[0], kept == 1);
      // Who is hidden is a bias of its own where key and bias would be one otherwise.
      if (!shown && std::isinf(*other) && (e->vars & rootVars) == rootVars) {
        addPower(
            product.exponents,
            {formulas.choice(e->operands[0], kept == 1 ? 0 : *other, kept == 1 ? *other : 0), 1});
        addExponent(e->operands[kept], 1, product, scale);
        return true;
      }
      if (!hides(*other * scale, shown))
        continue;
      product.masks.append(*shown);
      addExponent(e->operands[kept], 1, product, scale);
      return true;
    }
  if (is<arith::MulFOp>(e))
    for (int side : {0, 1}) {
      std::optional<double> weight = number(e->operands[side]);
      if (!weight || *weight * coefficient * scale > kHidden)
        continue;
      std::optional<Mask> shown = zeroOne(e->operands[1 - side], false);
      if (!hides(*weight * coefficient * scale, shown))
        continue;
      product.masks.append(*shown);
      return true;
    }
  return false;
}

/// A factor that is 1 but for the rounding of the constants that it is made of.
static double rounded(double scale, Expr e) {
  Type type = e->kind == Kind::Scalar    ? e->op->getResult(0).getType()
              : e->kind == Kind::Element ? getElementTypeOrSelf(e->tensor.getType())
                                         : Type();
  double rounding = type && type.isF64() ? 1e-15 : 1e-7;
  return std::abs(scale - 1) < rounding ? 1 : scale;
}

/// exp(coefficient * scale * e)
void Normalizer::addExponent(Expr e, int coefficient, Product &product, double scale) {
  e = stripped(e);
  if (std::optional<double> number = numberOf(e)) {
    product.shift += *number * coefficient * scale;
    return;
  }
  if (is<arith::AddFOp>(e) || is<arith::SubFOp>(e)) {
    addExponent(e->operands[0], coefficient, product, scale);
    return addExponent(e->operands[1], is<arith::SubFOp>(e) ? -coefficient : coefficient, product,
                       scale);
  }
  if (is<arith::NegFOp>(e))
    return addExponent(e->operands[0], -coefficient, product, scale);
  if (is<math::LogOp>(e) && rounded(scale, e) == 1) {
    Product own = this->product(e->operands[0]);
    if ((own.isWeight() && (coefficient > 0 || own.masks.empty())) || own.hasWeights())
      return product.times(own, coefficient);
  }
  if (addMaskedExponent(e, coefficient, product, scale))
    return;
  if (std::optional<std::pair<Expr, double>> scaled = timesNumber(e))
    if (separates(definitionOf(scaled->first)))
      return addExponent(scaled->first, coefficient, product, scale * scaled->second);
  auto add = [&](Expr piece, Expr origin) {
    double factor = rounded(scale, piece);
    if (factor == 1)
      return addPower(product.exponents, {piece, coefficient, origin});
    addPower(product.exponents, {formulas.scaled(piece, factor), coefficient,
                                 origin ? formulas.scaled(origin, factor) : nullptr});
  };
  if (e->kind == Kind::Element) {
    Followed followed = follow(formulas, e);
    if (followed.definition && depth < kDepth && separates(followed.definition)) {
      ++depth;
      addExponent(followed.definition, coefficient, product, scale);
      --depth;
      return;
    }
    if (followed.value->kind != Kind::Element)
      return addExponent(followed.value, coefficient, product, scale);
    return add(followed.value, followed.origin);
  }
  add(e, nullptr);
}
