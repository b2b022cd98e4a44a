//===- Masks.cpp - What a condition says of places -------------------------===//

#include "compiler/graph/raise/Product.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace aft::raise;

int64_t Inequality::of(int var) const {
  for (auto [known, coefficient] : vars)
    if (known == var)
      return coefficient;
  return 0;
}

Inequality Inequality::negated() const {
  Inequality result = *this;
  for (auto &var : result.vars)
    var.second = -var.second;
  for (auto &value : result.values)
    value.second = -value.second;
  result.number = 1 - number;
  return result;
}

bool Inequality::operator==(const Inequality &other) const {
  return vars == other.vars && number == other.number && values.size() == other.values.size() &&
         llvm::all_of(llvm::zip(values, other.values), [](auto pair) {
           return std::get<0>(pair).second == std::get<1>(pair).second &&
                  same(std::get<0>(pair).first, std::get<1>(pair).first);
         });
}

Inequality Inequality::renamed(Formulas &formulas, int from, int to) const {
  Inequality result = *this;
  for (auto &var : result.vars)
    var.first = var.first == from ? to : var.first;
  llvm::sort(result.vars);
  for (auto &value : result.values)
    value.first = formulas.renamed(value.first, from, to);
  return result;
}

static Inequality sumOf(const Inequality &a, const Inequality &b, int64_t sign) {
  Inequality result = a;
  result.number += sign * b.number;
  for (auto [var, coefficient] : b.vars) {
    auto *known = llvm::find_if(result.vars, [&](auto &own) { return own.first == var; });
    if (known == result.vars.end())
      result.vars.push_back({var, sign * coefficient});
    else if ((known->second += sign * coefficient) == 0)
      result.vars.erase(known);
  }
  llvm::sort(result.vars);
  for (auto [value, coefficient] : b.values)
    result.values.push_back({value, sign * coefficient});
  return result;
}

static bool isCondition(Type type) { return type.isInteger(1); }

static unsigned widthOf(Expr e) {
  Type type = e->op->getResult(0).getType();
  return type.isIndex() ? 64 : type.getIntOrFloatBitWidth();
}

static bool isNatural(const Inequality &side) {
  return side.values.empty() && side.number >= 0 &&
         llvm::all_of(side.vars, [](auto &var) { return var.second > 0; });
}

/// An integer as a linear formula.
std::optional<Inequality> Normalizer::linear(Expr e) {
  Inequality result;
  if (std::optional<double> number = numberOf(e)) {
    result.number = static_cast<int64_t>(*number);
    return result;
  }
  if (e->kind == Kind::Variable) {
    result.vars.push_back({e->var, 1});
    return result;
  }
  // Places and lengths stay far below 2^31; what is narrower may wrap.
  if ((is<arith::IndexCastOp>(e) || is<arith::ExtSIOp>(e) || is<arith::TruncIOp>(e)) &&
      widthOf(e) >= 32)
    return linear(e->operands[0]);
  if (is<arith::AddIOp>(e) || is<arith::SubIOp>(e)) {
    std::optional<Inequality> a = linear(e->operands[0]), b = linear(e->operands[1]);
    if (!a || !b)
      return std::nullopt;
    return sumOf(*a, *b, is<arith::AddIOp>(e) ? 1 : -1);
  }
  if (e->kind != Kind::Element)
    return std::nullopt;
  Followed followed = follow(formulas, e);
  if (followed.definition)
    if (std::optional<Inequality> inner = linear(followed.definition))
      return inner;
  result.values.push_back({followed.value, 1});
  return result;
}

std::optional<Mask> Normalizer::comparison(Expr e) {
  auto predicate = cast<arith::CmpIOp>(e->op).getPredicate();
  using P = arith::CmpIPredicate;
  if (predicate == P::eq || predicate == P::ne) {
    if (numberOf(e->operands[1]) != 0.0)
      return std::nullopt;
    std::optional<Mask> set = truth(e->operands[0]);
    return predicate == P::ne ? set : negated(set);
  }
  std::optional<Inequality> a = linear(e->operands[0]), b = linear(e->operands[1]);
  if (!a || !b)
    return std::nullopt;
  // Without a sign only what cannot be negative is ordered as it is with one.
  bool isUnsigned =
      predicate == P::ule || predicate == P::ult || predicate == P::uge || predicate == P::ugt;
  if (isUnsigned && !(isNatural(*a) && isNatural(*b)))
    return std::nullopt;
  Inequality difference = sumOf(*a, *b, -1);
  switch (predicate) {
  case P::sle:
  case P::ule:
    return Mask{difference};
  case P::sgt:
  case P::ugt:
    return Mask{difference.negated()};
  case P::slt:
  case P::ult:
    difference = sumOf(*b, *a, -1);
    return Mask{difference.negated()};
  case P::sge:
  case P::uge:
    return Mask{sumOf(*b, *a, -1)};
  default:
    return std::nullopt;
  }
}

/// Where a mask does not hold; of several inequalities that is none.
std::optional<Mask> aft::raise::negated(const std::optional<Mask> &mask) {
  return mask && mask->size() == 1 ? std::optional(Mask{mask->front().negated()}) : std::nullopt;
}

/// When a number that is surely 0 or 1 is 1.
std::optional<Mask> Normalizer::zeroOne(Expr e) {
  e = stripped(e);
  if (is<arith::UIToFPOp>(e) || is<arith::ExtUIOp>(e)) {
    Expr inner = e->operands[0];
    return isCondition(e->op->getOperand(0).getType()) ? mask(inner) : zeroOne(inner);
  }
  if (is<arith::SIToFPOp>(e) && !isCondition(e->op->getOperand(0).getType()))
    return zeroOne(e->operands[0]);
  if (e->kind == Kind::Element) {
    if (isCondition(getElementTypeOrSelf(e->tensor.getType())))
      return std::nullopt;
    Followed followed = follow(formulas, e);
    return followed.definition ? zeroOne(followed.definition) : std::nullopt;
  }
  if (!is<arith::SelectOp>(e))
    return std::nullopt;
  std::optional<double> then = numberOf(e->operands[1]), other = numberOf(e->operands[2]);
  if (then == 1.0 && other == 0.0)
    return mask(e->operands[0]);
  if (then == 0.0 && other == 1.0)
    return negated(mask(e->operands[0]));
  // tril of ones, or of another such mask
  std::optional<Mask> outer = mask(e->operands[0]), inner;
  if (other == 0.0)
    inner = zeroOne(e->operands[1]);
  if (!outer || !inner)
    return std::nullopt;
  outer->append(*inner);
  return outer;
}

/// When a number that is 0 or not is not 0.
std::optional<Mask> Normalizer::truth(Expr e) {
  e = stripped(e);
  if (is<arith::UIToFPOp>(e) || is<arith::ExtUIOp>(e))
    return truth(e->operands[0]);
  if (e->kind == Kind::Element && !isCondition(getElementTypeOrSelf(e->tensor.getType()))) {
    Followed followed = follow(formulas, e);
    return followed.definition ? truth(followed.definition) : std::nullopt;
  }
  if (is<arith::SelectOp>(e) && !isCondition(e->op->getResult(0).getType())) {
    std::optional<double> then = numberOf(e->operands[1]), other = numberOf(e->operands[2]);
    if (!then || !other || (*then != 0) == (*other != 0))
      return std::nullopt;
    std::optional<Mask> known = mask(e->operands[0]);
    return *then != 0 ? known : negated(known);
  }
  return mask(e);
}

std::optional<Mask> Normalizer::mask(Expr e) {
  if (std::optional<double> number = numberOf(e))
    return *number != 0 ? std::optional(Mask()) : std::nullopt;
  if (e->kind == Kind::Element) {
    Followed followed = follow(formulas, e);
    return followed.definition ? mask(followed.definition) : std::nullopt;
  }
  if (is<arith::CmpIOp>(e))
    return comparison(e);
  if (is<arith::CmpFOp>(e)) {
    auto predicate = cast<arith::CmpFOp>(e->op).getPredicate();
    using P = arith::CmpFPredicate;
    bool equal = predicate == P::OEQ || predicate == P::UEQ;
    if (numberOf(e->operands[1]) != 0.0 || (!equal && predicate != P::UNE && predicate != P::ONE))
      return std::nullopt;
    std::optional<Mask> set = truth(e->operands[0]);
    return equal ? negated(set) : set;
  }
  if (is<arith::XOrIOp>(e) && widthOf(e) == 1 && numberOf(e->operands[1]) == 1.0) {
    return negated(mask(e->operands[0]));
  }
  bool both = is<arith::AndIOp>(e) && widthOf(e) == 1;
  // tril of a condition
  if (both || (is<arith::SelectOp>(e) && widthOf(e) == 1 && numberOf(e->operands[2]) == 0.0)) {
    std::optional<Mask> a = mask(e->operands[0]), b = mask(e->operands[1]);
    if (!a || !b)
      return std::nullopt;
    a->append(*b);
    return a;
  }
  return std::nullopt;
}
