//===- Product.cpp - Brings formulas into the normal form -----------------===//

#include "compiler/graph/raise/Product.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace aft::raise;

/// Definitions are followed this deep.
static constexpr int kDepth = 64;
/// What is added to a denominator counts as small up to here.
static constexpr double kSmall = 1e-3;

Followed aft::raise::follow(Formulas &formulas, Expr e) {
  Followed result = {e, nullptr};
  Expr current = e;
  while (Expr next = formulas.open(current)) {
    next = stripped(next);
    if (next->kind != Kind::Element) {
      result.definition = next;
      if (next->kind == Kind::Number)
        result.value = next;
      return result;
    }
    current = next;
    if (isPlain(current) || !isPlain(result.value))
      result.value = current;
  }
  return result;
}

static void add(SmallVectorImpl<Power> &list, Expr base, int power) {
  for (Power &known : list)
    if (same(known.base, base)) {
      known.power += power;
      if (known.power == 0)
        list.erase(&known);
      return;
    }
  list.push_back({base, power});
}

void Product::times(const Product &other, int power) {
  number *= power > 0 ? other.number : 1 / other.number;
  shift += other.shift * power;
  for (const Power &factor : other.factors)
    add(factors, factor.base, factor.power * power);
  for (const Power &exponent : other.exponents)
    add(exponents, exponent.base, exponent.power * power);
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
  add(product.factors, e, power);
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
    add(product.factors, followed.value, power);
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
  bool elseZero = numberOf(e->operands[2]) == 0.0, thenZero = numberOf(e->operands[1]) == 0.0;
  if (elseZero == thenZero)
    return false;
  std::optional<Mask> known = mask(e->operands[0]);
  known = thenZero ? negated(known) : known;
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
  if (is<arith::SelectOp>(e)) {
    double inf = std::numeric_limits<double>::infinity();
    return numberOf(e->operands[1]) == -inf || numberOf(e->operands[2]) == -inf;
  }
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

bool Normalizer::addMaskedExponent(Expr e, int coefficient, Product &product) {
  double inf = std::numeric_limits<double>::infinity();
  if (!is<arith::SelectOp>(e) || coefficient != 1)
    return false;
  bool hidesThen = numberOf(e->operands[1]) == -inf, hidesElse = numberOf(e->operands[2]) == -inf;
  if (hidesThen == hidesElse)
    return false;
  std::optional<Mask> known = mask(e->operands[0]);
  known = hidesThen ? negated(known) : known;
  if (!known)
    return false;
  product.masks.append(*known);
  addExponent(e->operands[hidesThen ? 2 : 1], 1, product);
  return true;
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
    e = followed.value;
    if (numberOf(e))
      return addExponent(e, coefficient, product);
  }
  add(product.exponents, e, coefficient);
}
