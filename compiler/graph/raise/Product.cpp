//===- Product.cpp - Brings formulas into the normal form -----------------===//

#include "compiler/graph/raise/Product.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace aft::raise;

/// Definitions are followed this deep.
static constexpr int kDepth = 64;
/// What is added to a denominator counts as small up to here.
static constexpr double kSmall = 1e-3;
/// Exponents of 1e4 and a bias of as much are far above this.
static constexpr double kHidden = -1e6;

Followed aft::raise::follow(Formulas &formulas, Expr e) {
  Followed result = {e, nullptr, e};
  Expr current = e;
  while (Expr next = formulas.open(current)) {
    next = stripped(next);
    if (next->kind != Kind::Element) {
      result.definition = next;
      if (next->kind == Kind::Number)
        result.value = next;
      return result;
    }
    current = result.origin = next;
    if (isPlain(current) || !isPlain(result.value))
      result.value = current;
  }
  return result;
}

static void add(SmallVectorImpl<Power> &list, const Power &more) {
  for (Power &known : list)
    if (same(known.identity(), more.identity())) {
      known.power += more.power;
      if (known.power == 0)
        list.erase(&known);
      return;
    }
  list.push_back(more);
}

void Product::times(const Product &other, int power) {
  number *= std::pow(other.number, power);
  shift += other.shift * power;
  for (const Power &factor : other.factors)
    add(factors, {factor.base, factor.power * power, factor.origin});
  for (const Power &exponent : other.exponents)
    add(exponents, {exponent.base, exponent.power * power, exponent.origin});
  for (const Inequality &mask : other.masks)
    if (!llvm::is_contained(masks, mask))
      masks.push_back(mask);
  for (const Total &total : other.totals)
    totals.push_back({total.var, total.power * power, total.op, total.term});
  smallAdded = smallAdded ? smallAdded : other.smallAdded;
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

void Normalizer::multiply(Expr e, int power, Product &product) {
  e = stripped(e);
  if (std::optional<double> number = numberOf(e)) {
    product.number *= power > 0 ? *number : 1 / *number;
    return;
  }
  if (e->kind == Kind::Element)
    return multiplyElement(e, power, product);
  if (e->kind == Kind::Sum)
    return multiplySum(e, power, product);
  if (is<arith::MulFOp>(e) || is<arith::DivFOp>(e)) {
    multiply(e->operands[0], power, product);
    return multiply(e->operands[1], is<arith::DivFOp>(e) ? -power : power, product);
  }
  if (is<math::ExpOp>(e))
    return addExponent(e->operands[0], power, product);
  if (is<arith::NegFOp>(e)) {
    product.number = -product.number;
    return multiply(e->operands[0], power, product);
  }
  if (power > 0 && multiplySelect(e, product))
    return;
  if (power < 0 && multiplySmallAdded(e, product))
    return;
  add(product.factors, {e, power});
}

void Normalizer::multiplyElement(Expr e, int power, Product &product) {
  Followed followed = follow(formulas, e);
  Product own;
  if (followed.definition && depth < kDepth) {
    ++depth;
    multiply(followed.definition, power, own);
    --depth;
    // A weighted sum for each place that is summed over is a value like any.
    if (own.isWeight() || (!(e->vars & summed) && own.hasWeights()))
      return product.times(own);
  }
  if (std::optional<double> number = numberOf(followed.value))
    product.number *= power > 0 ? *number : 1 / *number;
  else
    add(product.factors, {followed.value, power, followed.origin});
  product.smallAdded = product.smallAdded ? product.smallAdded : own.smallAdded;
}

/// select(c, x, 0), or a condition as a number.
bool Normalizer::multiplySelect(Expr e, Product &product) {
  if (is<arith::UIToFPOp>(e) || is<arith::SIToFPOp>(e)) {
    std::optional<Mask> known = zeroOne(e);
    if (known)
      product.masks.append(known->begin(), known->end());
    return known.has_value();
  }
  if (!is<arith::SelectOp>(e))
    return false;
  bool elseZero = number(e->operands[2]) == 0.0, thenZero = number(e->operands[1]) == 0.0;
  if (elseZero == thenZero)
    return false;
  std::optional<Mask> known = mask(e->operands[0], !thenZero);
  if (!known)
    return false;
  product.masks.append(*known);
  multiply(e->operands[thenZero ? 2 : 1], 1, product);
  return true;
}

void Normalizer::multiplySum(Expr e, int power, Product &product) {
  Product all, inside, outside;
  Vars around = std::exchange(summed, summed | Vars(1) << e->var);
  ++depth;
  multiply(e->operands[0], 1, all);
  --depth;
  summed = around;
  int var = e->var;
  outside.number = all.number;
  outside.shift = all.shift;
  for (const Power &factor : all.factors)
    (has(factor.base, var) ? inside : outside).factors.push_back(factor);
  for (const Power &exponent : all.exponents)
    (has(exponent.base, var) ? inside : outside).exponents.push_back(exponent);
  auto depends = [&](const Inequality &mask) {
    return mask.of(var) != 0 ||
           llvm::any_of(mask.values, [&](auto &value) { return has(value.first, var); });
  };
  for (const Inequality &mask : all.masks)
    (depends(mask) ? inside : outside).masks.push_back(mask);
  for (const Total &total : all.totals) {
    bool inner = llvm::any_of(total.term->factors, [&](auto &f) { return has(f.base, var); }) ||
                 llvm::any_of(total.term->exponents, [&](auto &f) { return has(f.base, var); }) ||
                 llvm::any_of(total.term->masks, depends) || !total.term->totals.empty();
    (inner ? inside : outside).totals.push_back(total);
  }
  outside.smallAdded = all.smallAdded;
  outside.totals.push_back({var, 1, e->op, std::make_shared<Product>(std::move(inside))});
  product.times(outside, power);
}

/// x + number or max(x, number) under a division.
bool Normalizer::multiplySmallAdded(Expr e, Product &product) {
  if (!is<arith::AddFOp>(e) && !is<arith::MaximumFOp>(e) && !is<arith::MaxNumFOp>(e))
    return false;
  for (int side : {0, 1}) {
    std::optional<double> small = numberOf(e->operands[1 - side]);
    if (!small || *small < 0 || *small > kSmall)
      continue;
    Product own = this->product(e->operands[side]);
    if (own.totals.empty())
      return false;
    product.smallAdded = e->op;
    if (!dropSmall)
      return false;
    product.times(own, -1);
    return true;
  }
  return false;
}

//===----------------------------------------------------------------------===//
// Exponents
//===----------------------------------------------------------------------===//

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

/// Whether a sum under an exponential must be taken apart: to get rid of a
/// maximum, of -inf, or because no part depends on all that it depends on. What
/// is computed as a key or as a bias stays in one piece.
bool Normalizer::separates(Expr e) {
  auto isLow = [&](Expr e) { return std::abs(number(e).value_or(0)) >= -kHidden; };
  if (is<arith::SelectOp>(e))
    return isLow(e->operands[1]) || isLow(e->operands[2]);
  if (is<arith::MulFOp>(e))
    return isLow(e->operands[0]) || isLow(e->operands[1]);
  if (is<math::LogOp>(e))
    return true;
  if (!is<arith::AddFOp>(e) && !is<arith::SubFOp>(e))
    return false;
  bool anyAll = false;
  for (Expr part : e->operands) {
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
bool Normalizer::addMaskedExponent(Expr e, int coefficient, Product &product) {
  if (coefficient == 1 && is<arith::SelectOp>(e))
    for (int kept : {1, 2}) {
      std::optional<double> other = number(e->operands[3 - kept]);
      if (!other || *other > kHidden)
        continue;
      std::optional<Mask> shown = mask(e->operands[0], kept == 1);
      if (!hides(other, shown))
        continue;
      product.masks.append(*shown);
      addExponent(e->operands[kept], 1, product);
      return true;
    }
  if (is<arith::MulFOp>(e))
    for (int side : {0, 1}) {
      std::optional<double> weight = number(e->operands[side]);
      if (!weight || *weight * coefficient > kHidden)
        continue;
      std::optional<Mask> shown = zeroOne(e->operands[1 - side], false);
      if (!hides(*weight * coefficient, shown))
        continue;
      product.masks.append(*shown);
      return true;
    }
  return false;
}

void Normalizer::addExponent(Expr e, int coefficient, Product &product) {
  e = stripped(e);
  if (std::optional<double> number = numberOf(e)) {
    product.shift += *number * coefficient;
    return;
  }
  if (is<arith::AddFOp>(e) || is<arith::SubFOp>(e)) {
    addExponent(e->operands[0], coefficient, product);
    return addExponent(e->operands[1], is<arith::SubFOp>(e) ? -coefficient : coefficient, product);
  }
  if (is<arith::NegFOp>(e))
    return addExponent(e->operands[0], -coefficient, product);
  if (is<math::LogOp>(e)) {
    Product own = this->product(e->operands[0]);
    if ((own.isWeight() && (coefficient > 0 || own.masks.empty())) || own.hasWeights())
      return product.times(own, coefficient);
  }
  if (addMaskedExponent(e, coefficient, product))
    return;
  if (e->kind == Kind::Element) {
    Followed followed = follow(formulas, e);
    if (followed.definition && depth < kDepth && separates(followed.definition)) {
      ++depth;
      addExponent(followed.definition, coefficient, product);
      --depth;
      return;
    }
    if (numberOf(followed.value))
      return addExponent(followed.value, coefficient, product);
    return add(product.exponents, {followed.value, coefficient, followed.origin});
  }
  add(product.exponents, {e, coefficient});
}
