//===- Product.cpp - Brings formulas into the normal form -----------------===//

#include "compiler/graph/raise/Product.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace aft::raise;

static bool isJoined(Expr e) {
  return llvm::any_of(e->place, [](const Index &index) { return !index.parts.empty(); });
}

/// Whether it depends on less: as what is repeated does, or a sum with zeros.
static bool isNarrower(Expr inner, Expr outer) {
  return inner->vars != outer->vars && !(inner->vars & ~outer->vars);
}

Followed aft::raise::follow(Formulas &formulas, Expr e) {
  Followed result = {e, nullptr, e};
  Expr current = e;
  bool isRounded = false; // a tensor is read as it was rounded, not as it was before
  while (Expr next = formulas.open(current)) {
    isRounded |= is<arith::TruncFOp>(next);
    next = stripped(next);
    if (next->kind != Kind::Element) {
      result.definition = next;
      if (next->kind == Kind::Number ||
          (next->kind == Kind::Scalar && isNarrower(next, result.value)))
        result.value = next;
      return result;
    }
    current = result.origin = next;
    if (isRounded && isTidy(result.value))
      continue;
    // A part of a tensor can be read, of one whose dimensions were joined not always.
    if (isTidy(current) || (isNarrower(current, result.value) && !isJoined(current)) ||
        (!isTidy(result.value) && (isJoined(result.value) || !isJoined(current))))
      result.value = current;
  }
  return result;
}

bool aft::raise::covers(ArrayRef<Inequality> a, ArrayRef<Inequality> b) {
  return llvm::all_of(b, [&](const Inequality &mask) { return llvm::is_contained(a, mask); });
}

bool Power::isLike(const Power &other) const {
  return same(identity(), other.identity()) && covers(where, other.where) &&
         covers(other.where, where);
}

Power Power::renamed(Formulas &formulas, int from, int to) const {
  Power result = {formulas.renamed(base, from, to), power, formulas.renamed(identity(), from, to)};
  for (const Inequality &mask : where)
    result.where.push_back(mask.renamed(formulas, from, to));
  return result;
}

Product Product::renamed(Formulas &formulas, int from, int to) const {
  Product result;
  result.number = number;
  result.shift = shift;
  for (const Power &factor : factors)
    result.factors.push_back(factor.renamed(formulas, from, to));
  for (const Power &exponent : exponents)
    result.exponents.push_back(exponent.renamed(formulas, from, to));
  for (const Inequality &mask : masks)
    result.masks.push_back(mask.renamed(formulas, from, to));
  return result;
}

std::optional<SmallVector<Power>> aft::raise::difference(ArrayRef<Power> list,
                                                         ArrayRef<Power> other) {
  SmallVector<Power> result(list);
  for (const Power &gone : other) {
    auto *known = llvm::find_if(result, [&](const Power &p) { return p.isLike(gone); });
    if (known == result.end() || (known->power > 0) != (gone.power > 0) ||
        std::abs(known->power) < std::abs(gone.power))
      return std::nullopt;
    known->power -= gone.power;
    if (known->power == 0)
      result.erase(known);
  }
  return result;
}

bool aft::raise::isSame(ArrayRef<Power> a, ArrayRef<Power> b) {
  std::optional<SmallVector<Power>> rest = difference(a, b);
  return rest && rest->empty();
}

void aft::raise::addPower(SmallVectorImpl<Power> &list, const Power &more) {
  for (Power &known : list)
    if (known.isLike(more)) {
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
    addPower(factors, {factor.base, factor.power * power, factor.origin});
  for (const Power &exponent : other.exponents)
    addPower(exponents, {exponent.base, exponent.power * power, exponent.origin, exponent.where});
  for (const Inequality &mask : other.masks)
    if (!llvm::is_contained(masks, mask))
      masks.push_back(mask);
  for (const Total &total : other.totals)
    totals.push_back({total.vars, total.power * power, total.ops, total.term});
  loose = loose ? loose : other.loose;
  severalAdded |= other.severalAdded || (other.added && (added || power != 1));
  if (other.added)
    added = other.added;
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
  if (e->kind == Kind::Inside && power == 1) {
    for (auto [index, bound] : llvm::zip(e->place, e->bounds)) {
      // 0 <= var - minus + offset < bound
      Inequality above;
      above.vars = {{index.var, 1}, {index.minus, -1}};
      llvm::sort(above.vars);
      above.number = index.offset - bound + 1;
      Inequality below = above.negated();
      below.number = -index.offset;
      product.masks.append({above, below});
    }
    return multiply(e->operands[0], power, product);
  }
  if (is<arith::MulFOp>(e) || is<arith::DivFOp>(e)) {
    multiply(e->operands[0], power, product);
    return multiply(e->operands[1], is<arith::DivFOp>(e) ? -power : power, product);
  }
  if (is<math::ExpOp>(e))
    return addExponent(e->operands[0], power, product);
  if (is<math::PowFOp>(e))
    if (std::optional<double> base = number(e->operands[0]); base && *base > 0)
      return addExponent(e->operands[1], power, product, std::log(*base));
  if (multiplyPower(e, power, product))
    return;
  if (is<arith::NegFOp>(e)) {
    product.number = -product.number;
    return multiply(e->operands[0], power, product);
  }
  if (is<arith::AddFOp>(e))
    for (int side : {0, 1})
      if (number(e->operands[side]) == 0.0)
        return multiply(e->operands[1 - side], power, product);
  if (power > 0 && multiplySelect(e, product))
    return;
  if (power < 0 && multiplyAdded(e, power, product))
    return;
  if (multiplyWindow(e, power, product))
    return;
  addPower(product.factors, {e, power});
}

void Normalizer::multiplyElement(Expr e, int power, Product &product) {
  Followed followed = follow(formulas, e);
  if (Expr weights = formulas.asWeights(followed.origin); weights != followed.origin)
    followed = follow(formulas, weights);
  Product own;
  if (followed.definition && depth < kDepth) {
    ++depth;
    multiply(followed.definition, power, own);
    --depth;
    // A weighted sum for each place that is summed over is a value like any.
    if (own.isNumber() || own.isWeight() || (!(e->vars & summed) && own.hasWeights()))
      return product.times(own);
  }
  if (std::optional<double> number = numberOf(followed.value))
    product.number *= power > 0 ? *number : 1 / *number;
  else
    addPower(product.factors, {followed.value, power, followed.origin});
  product.loose = product.loose ? product.loose : own.loose;
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
    return multiplyChoice(e->operands[0], !thenZero, e->operands[thenZero ? 2 : 1], product);
  product.masks.append(*known);
  multiply(e->operands[thenZero ? 2 : 1], 1, product);
  return true;
}

/// A weight where a condition holds that says nothing of places, such as one that the caller
/// hands in. Values stay as they are: 0 times inf is not 0.
bool Normalizer::multiplyChoice(Expr condition, bool holds, Expr kept, Product &product) {
  if (depth >= kDepth)
    return false;
  ++depth;
  Product own = this->product(kept);
  --depth;
  if (!own.isWeight())
    return false;
  product.times(own);
  addPower(product.factors, {formulas.choice(condition, holds ? 1 : 0, holds ? 0 : 1), 1});
  return true;
}

std::optional<std::pair<Expr, bool>> Normalizer::conditionOf(Expr e) {
  e = definitionOf(stripped(e));
  if (e->kind == Kind::Choice)
    return std::pair(e->operands[0], numberOf(e->operands[1]) == 1.0);
  if (is<arith::UIToFPOp>(e) && e->op->getOperand(0).getType().isInteger(1))
    return std::pair(e->operands[0], true);
  if (!is<arith::SelectOp>(e))
    return std::nullopt;
  std::optional<double> then = number(e->operands[1]), other = number(e->operands[2]);
  bool isNumber = (then == 1.0 && other == 0.0) || (then == 0.0 && other == 1.0);
  return isNumber ? std::optional(std::pair(e->operands[0], then == 1.0)) : std::nullopt;
}

/// The sums that one operation computes at once are one sum over several variables.
void Normalizer::multiplySum(Expr e, int power, Product &product) {
  SmallVector<int, 2> vars;
  Expr summand = e;
  Vars own = 0;
  for (; summand->kind == Kind::Sum && summand->op == e->op; summand = summand->operands[0]) {
    vars.insert(vars.begin(), summand->var);
    own |= Vars(1) << summand->var;
  }
  Product all, inside, outside;
  Vars around = std::exchange(summed, summed | own);
  ++depth;
  multiply(summand, 1, all);
  --depth;
  summed = around;
  if (!turnAround(vars, all))
    return addPower(product.factors, {e, power});
  own = 0;
  for (int var : vars)
    own |= Vars(1) << var;
  outside.number = all.number;
  outside.shift = all.shift;
  auto depends = [&](const Inequality &mask) {
    return llvm::any_of(mask.vars, [&](auto &var) { return own >> var.first & 1; }) ||
           llvm::any_of(mask.values, [&](auto &value) { return value.first->vars & own; });
  };
  auto varies = [&](const Power &each) {
    return (each.base->vars & own) || llvm::any_of(each.where, depends);
  };
  for (const Power &factor : all.factors)
    (varies(factor) ? inside : outside).factors.push_back(factor);
  for (const Power &exponent : all.exponents)
    (varies(exponent) ? inside : outside).exponents.push_back(exponent);
  for (const Inequality &mask : all.masks)
    (depends(mask) ? inside : outside).masks.push_back(mask);
  for (const Total &total : all.totals) {
    bool inner = llvm::any_of(total.term->factors, varies) ||
                 llvm::any_of(total.term->exponents, varies) ||
                 llvm::any_of(total.term->masks, depends) || !total.term->totals.empty();
    (inner ? inside : outside).totals.push_back(total);
  }
  outside.loose = all.loose;
  outside.added = all.added;
  outside.severalAdded = all.severalAdded;
  outside.totals.push_back({vars, 1, {e->op}, std::make_shared<Product>(std::move(inside))});
  product.times(outside, power);
}
