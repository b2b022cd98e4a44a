//===- Masks.cpp - What a condition says of places -------------------------===//

#include "compiler/graph/raise/Product.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace aft::raise;

Expr Normalizer::definitionOf(Expr e) {
  if (e->kind != Kind::Element)
    return e;
  Followed followed = follow(formulas, e);
  return followed.definition ? followed.definition : followed.value;
}

Expr Normalizer::originOf(Expr e) { return follow(formulas, e).origin; }

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

Inequality Inequality::plus(const Inequality &other, int64_t sign) const {
  Inequality result = *this;
  result.number += sign * other.number;
  for (auto [var, coefficient] : other.vars) {
    auto *known = llvm::find_if(result.vars, [&](auto &own) { return own.first == var; });
    if (known == result.vars.end())
      result.vars.push_back({var, sign * coefficient});
    else if ((known->second += sign * coefficient) == 0)
      result.vars.erase(known);
  }
  llvm::sort(result.vars);
  for (auto [value, coefficient] : other.values)
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

static Inequality multiplied(Inequality all, int64_t factor) {
  if (factor == 0)
    return {};
  for (auto &var : all.vars)
    var.second *= factor;
  for (auto &value : all.values)
    value.second *= factor;
  all.number *= factor;
  return all;
}

/// A float that is made of places: exact in f32 up to 2^24, far beyond any.
std::optional<Inequality> Normalizer::linearFloat(Expr e) {
  auto isWide = [](Expr e) {
    Type type = getElementTypeOrSelf(e->kind == Kind::Scalar ? e->op->getResult(0).getType()
                                                             : e->tensor.getType());
    return type.isF32() || type.isF64();
  };
  if (e->kind == Kind::Element) {
    Followed followed = follow(formulas, e);
    return isWide(e) && followed.definition ? linear(followed.definition) : std::nullopt;
  }
  if (e->kind != Kind::Scalar || !isWide(e))
    return std::nullopt;
  if ((is<arith::SIToFPOp>(e) || is<arith::UIToFPOp>(e)) &&
      !e->op->getOperand(0).getType().isInteger(1))
    return linear(e->operands[0]);
  if (is<arith::NegFOp>(e)) {
    std::optional<Inequality> inner = linear(e->operands[0]);
    return inner ? std::optional(multiplied(*inner, -1)) : std::nullopt;
  }
  if (!is<arith::AddFOp>(e) && !is<arith::SubFOp>(e) && !is<arith::MulFOp>(e))
    return std::nullopt;
  if (is<arith::MulFOp>(e))
    return linearProduct(e);
  std::optional<Inequality> a = linear(e->operands[0]), b = linear(e->operands[1]);
  if (!a || !b)
    return std::nullopt;
  return a->plus(*b, is<arith::AddFOp>(e) ? 1 : -1);
}

/// One of the factors is a number.
std::optional<Inequality> Normalizer::linearProduct(Expr e) {
  std::optional<Inequality> a = linear(e->operands[0]), b = linear(e->operands[1]);
  auto isNumber = [](const std::optional<Inequality> &side) {
    return side && side->vars.empty() && side->values.empty();
  };
  if (!isNumber(a))
    std::swap(a, b);
  return isNumber(a) && b ? std::optional(multiplied(*b, a->number)) : std::nullopt;
}

std::optional<Inequality> Normalizer::linear(Expr e) {
  Inequality result;
  if (std::optional<double> number = numberOf(e)) {
    if (*number != std::trunc(*number) || std::abs(*number) > 0x1p53)
      return std::nullopt;
    result.number = static_cast<int64_t>(*number);
    return result;
  }
  if (e->kind == Kind::Variable) {
    const Index place = e->index();
    if (place.var >= 0)
      result.vars.push_back({place.var, 1});
    result.number = place.offset;
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
    return a->plus(*b, is<arith::AddIOp>(e) ? 1 : -1);
  }
  if (is<arith::MulIOp>(e))
    return linearProduct(e);
  bool isInteger =
      e->kind == Kind::Element && getElementTypeOrSelf(e->tensor.getType()).isIntOrIndex();
  if (!isInteger)
    return linearFloat(e);
  Followed followed = follow(formulas, e);
  if (followed.definition)
    if (std::optional<Inequality> inner = linear(followed.definition))
      return inner;
  result.values.push_back({followed.value, 1});
  return result;
}

/// a <= b
static Mask inOrder(const Inequality &a, const Inequality &b) { return {a.plus(b, -1)}; }

/// What must be true of one number where it is true of the larger, or the absolute, one.
static SmallVector<std::pair<Expr, int>, 2> partsOfMaximum(Expr e) {
  if (is<arith::MaxSIOp>(e))
    return {{e->operands[0], 1}, {e->operands[1], 1}};
  if (is<math::AbsIOp>(e))
    return {{e->operands[0], 1}, {e->operands[0], -1}};
  return {};
}

/// max(a, b) <= c, or |a| <= c, or < c
std::optional<Mask> Normalizer::belowAll(Expr e, Expr limit, bool orEqual) {
  e = definitionOf(e);
  std::optional<Inequality> above = linear(limit);
  if (!above)
    return std::nullopt;
  Mask all;
  for (auto [part, sign] : partsOfMaximum(e)) {
    std::optional<Inequality> own = linear(part);
    if (!own)
      return std::nullopt;
    Inequality side = sign > 0 ? *own : Inequality().plus(*own, -1);
    side.number += !orEqual;
    all.append(inOrder(side, *above));
  }
  return all.empty() ? std::nullopt : std::optional(all);
}

std::optional<Mask> Normalizer::comparison(Expr e, bool holds) {
  using P = arith::CmpIPredicate;
  P predicate = cast<arith::CmpIOp>(e->op).getPredicate();
  if (predicate == P::eq || predicate == P::ne) {
    if (number(e->operands[1]) != 0.0)
      return std::nullopt;
    return truth(e->operands[0], holds == (predicate == P::ne));
  }
  predicate = holds ? predicate : arith::invertPredicate(predicate);
  Expr left = e->operands[0], right = e->operands[1];
  bool swaps =
      predicate == P::sgt || predicate == P::sge || predicate == P::ugt || predicate == P::uge;
  if (swaps)
    std::swap(left, right);
  bool orEqual =
      predicate == P::sle || predicate == P::sge || predicate == P::ule || predicate == P::uge;
  bool hasSign =
      predicate == P::slt || predicate == P::sle || predicate == P::sgt || predicate == P::sge;
  if (!partsOfMaximum(definitionOf(left)).empty())
    return hasSign ? belowAll(left, right, orEqual) : std::nullopt;
  std::optional<Inequality> a = linear(left), b = linear(right);
  if (!a || !b)
    return std::nullopt;
  // Without a sign only what cannot be negative is ordered as it is with one.
  if (!hasSign && !(isNatural(*a) && isNatural(*b)))
    return std::nullopt;
  a->number += !orEqual;
  return inOrder(*a, *b);
}

/// All of both
static std::optional<Mask> together(std::optional<Mask> a, const std::optional<Mask> &b) {
  if (!a || !b)
    return std::nullopt;
  a->append(*b);
  return a;
}

/// When a number that is surely 0 or 1 is 1, or is 0.
std::optional<Mask> Normalizer::zeroOne(Expr e, bool holds) {
  e = definitionOf(stripped(e));
  if (is<arith::UIToFPOp>(e) || is<arith::ExtUIOp>(e)) {
    Expr inner = e->operands[0];
    return isCondition(e->op->getOperand(0).getType()) ? mask(inner, holds) : zeroOne(inner, holds);
  }
  if (is<arith::SIToFPOp>(e) && !isCondition(e->op->getOperand(0).getType()))
    return zeroOne(e->operands[0], holds);
  if (std::optional<double> known = numberOf(e))
    return *known == holds ? std::optional(Mask()) : std::nullopt;
  if (is<arith::SubFOp>(e) && number(e->operands[0]) == 1.0)
    return zeroOne(e->operands[1], !holds);
  if (holds && is<arith::MulFOp>(e))
    return together(zeroOne(e->operands[0], true), zeroOne(e->operands[1], true));
  if (!is<arith::SelectOp>(e))
    return std::nullopt;
  std::optional<double> then = number(e->operands[1]), other = number(e->operands[2]);
  if (then == 1.0 && other == 0.0)
    return mask(e->operands[0], holds);
  if (then == 0.0 && other == 1.0)
    return mask(e->operands[0], !holds);
  // tril or triu of ones, or of another such mask
  if (holds && other == 0.0)
    return together(mask(e->operands[0], true), zeroOne(e->operands[1], true));
  if (holds && then == 0.0)
    return together(mask(e->operands[0], false), zeroOne(e->operands[2], true));
  return std::nullopt;
}

/// When a number that is 0 or not is not 0, or is 0.
std::optional<Mask> Normalizer::truth(Expr e, bool holds) {
  e = stripped(e);
  if (e->kind == Kind::Element && isCondition(getElementTypeOrSelf(e->tensor.getType())))
    return mask(e, holds);
  e = definitionOf(e);
  if (is<arith::UIToFPOp>(e) || is<arith::ExtUIOp>(e))
    return truth(e->operands[0], holds);
  if (e->kind != Kind::Scalar)
    return std::nullopt;
  if (isCondition(e->op->getResult(0).getType()))
    return mask(e, holds);
  if (!is<arith::SelectOp>(e))
    return zeroOne(e, holds);
  std::optional<double> then = number(e->operands[1]), other = number(e->operands[2]);
  if (!then || !other || (*then != 0) == (*other != 0))
    return zeroOne(e, holds);
  return mask(e->operands[0], holds == (*then != 0));
}

/// Two floats that are made of places; none of them is NaN.
std::optional<Mask> Normalizer::placeComparison(Expr e, bool holds) {
  using P = arith::CmpFPredicate;
  P predicate = cast<arith::CmpFOp>(e->op).getPredicate();
  bool less = llvm::is_contained({P::OLT, P::ULT, P::OLE, P::ULE}, predicate);
  bool greater = llvm::is_contained({P::OGT, P::UGT, P::OGE, P::UGE}, predicate);
  if (!less && !greater)
    return std::nullopt;
  std::optional<Inequality> a = linear(e->operands[less ? 0 : 1]),
                            b = linear(e->operands[less ? 1 : 0]);
  if (!a || !b || !a->values.empty() || !b->values.empty() || (a->vars.empty() && b->vars.empty()))
    return std::nullopt;
  a->number += llvm::is_contained({P::OLT, P::ULT, P::OGT, P::UGT}, predicate);
  Inequality order = a->plus(*b, -1);
  return Mask{holds ? order : order.negated()};
}

/// One of two numbers, such as 0 and -inf, compared with a third.
std::optional<Mask> Normalizer::choiceComparison(Expr e, bool holds) {
  auto isExact = [](double number) {
    return number == std::trunc(number) && !(std::abs(number) > 256);
  };
  Expr choice = definitionOf(stripped(e->operands[0]));
  std::optional<double> limit = number(e->operands[1]);
  if (!limit || !is<arith::SelectOp>(choice))
    return std::nullopt;
  bool holdsFor[2];
  for (int side : {0, 1}) {
    std::optional<double> own = number(choice->operands[1 + side]);
    if (!own || !(isExact(*own) || std::isinf(*own)))
      return std::nullopt;
    holdsFor[side] = arith::applyCmpPredicate(cast<arith::CmpFOp>(e->op).getPredicate(),
                                              APFloat(*own), APFloat(*limit));
  }
  if (holdsFor[0] == holdsFor[1])
    return holdsFor[0] == holds ? std::optional(Mask()) : std::nullopt;
  return mask(choice->operands[0], holds == holdsFor[0]);
}

/// A float that is surely 0 or 1, compared with a number.
std::optional<Mask> Normalizer::floatComparison(Expr e, bool holds) {
  using P = arith::CmpFPredicate;
  if (std::optional<Mask> places = placeComparison(e, holds))
    return places;
  if (std::optional<Mask> choice = choiceComparison(e, holds))
    return choice;
  P predicate = cast<arith::CmpFOp>(e->op).getPredicate();
  std::optional<double> limit = number(e->operands[1]);
  if (!limit)
    return std::nullopt;
  bool equal = predicate == P::OEQ || predicate == P::UEQ;
  bool unequal = predicate == P::ONE || predicate == P::UNE;
  if (*limit == 0 && (equal || unequal))
    return truth(e->operands[0], holds == unequal);
  bool greater = predicate == P::OGT || predicate == P::UGT,
       less = predicate == P::OLT || predicate == P::ULT;
  if ((equal || unequal) && *limit == 1)
    return zeroOne(e->operands[0], holds == equal);
  if ((greater && *limit >= 0 && *limit < 1) || (less && *limit > 0 && *limit <= 1))
    return zeroOne(e->operands[0], holds == greater);
  return std::nullopt;
}

/// Where a condition holds, or where it does not.
std::optional<Mask> Normalizer::mask(Expr e, bool holds) {
  e = definitionOf(e);
  if (std::optional<double> number = numberOf(e))
    return (*number != 0) == holds ? std::optional(Mask()) : std::nullopt;
  if (is<arith::CmpIOp>(e))
    return comparison(e, holds);
  if (is<arith::CmpFOp>(e))
    return floatComparison(e, holds);
  if (e->kind != Kind::Scalar || widthOf(e) != 1)
    return std::nullopt;
  if (is<arith::XOrIOp>(e) && number(e->operands[1]) == 1.0)
    return mask(e->operands[0], !holds);
  bool isSelect = is<arith::SelectOp>(e);
  // tril of a condition
  if (is<arith::AndIOp>(e) || (isSelect && number(e->operands[2]) == 0.0))
    return holds ? together(mask(e->operands[0], true), mask(e->operands[1], true)) : std::nullopt;
  if (isSelect && number(e->operands[1]) == 0.0)
    return holds ? together(mask(e->operands[0], false), mask(e->operands[2], true)) : std::nullopt;
  if (is<arith::OrIOp>(e))
    return holds ? std::nullopt
                 : together(mask(e->operands[0], false), mask(e->operands[1], false));
  return std::nullopt;
}
