//===- AtTaps.cpp - Biases that depend on distances alone -------------------===//
// What depends on nothing but how far a key is from its query is the same for every
// query: it is computed once per distance, for one query that stands for all.

#include "compiler/graph/raise/Match.h"
#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace aft::raise;

namespace {
class TapRewriter {
public:
  TapRewriter(Formulas &formulas, Normalizer &normalizer, ArrayRef<Filter::Axis> axes)
      : formulas(formulas), normalizer(normalizer), axes(axes) {
    for (const Filter::Axis &axis : axes)
      places |= Vars(1) << axis.query | Vars(1) << axis.key;
  }
  Expr rewritten(Expr e);

private:
  bool isDistance(const Inequality &sum) const;
  std::optional<Interval> rangeOf(const Inequality &sum) const;
  std::optional<bool> known(Expr condition);
  std::optional<Inequality> placeIn(Expr e);
  std::optional<Index> indexOf(const Inequality &place, int64_t extent) const;
  Expr element(Expr e);
  Expr found(Expr lookup);
  Expr searched(Expr lookup);
  Expr expanded(Expr e);
  bool isLinear(Expr e);

  Formulas &formulas;
  Normalizer &normalizer;
  ArrayRef<Filter::Axis> axes;
  Vars places = 0;
};
} // namespace

/// Whether keys and queries occur as their differences only.
bool TapRewriter::isDistance(const Inequality &sum) const {
  return llvm::all_of(
             axes,
             [&](const Filter::Axis &axis) { return sum.of(axis.key) == -sum.of(axis.query); }) &&
         llvm::none_of(sum.values, [&](auto &value) { return value.first->vars & places; });
}

/// The least and the largest value at the taps.
std::optional<Interval> TapRewriter::rangeOf(const Inequality &sum) const {
  if (!isDistance(sum) || !sum.values.empty())
    return std::nullopt;
  Interval range = {sum.number, sum.number};
  for (auto [var, coefficient] : sum.vars) {
    auto *axis = llvm::find_if(axes, [&, var = var](auto &axis) { return axis.key == var; });
    if (axis != axes.end()) {
      range.first += coefficient * (coefficient > 0 ? axis->first : axis->last);
      range.second += coefficient * (coefficient > 0 ? axis->last : axis->first);
    } else if (!(places >> var & 1)) {
      return std::nullopt;
    }
  }
  return range;
}

/// Whether x < number holds, where it is the same at all taps.
std::optional<bool> TapRewriter::known(Expr condition) {
  condition = normalizer.definitionOf(condition);
  if (!is<arith::CmpIOp>(condition) ||
      cast<arith::CmpIOp>(condition->op).getPredicate() != arith::CmpIPredicate::slt)
    return std::nullopt;
  std::optional<Inequality> x = placeIn(condition->operands[0]);
  std::optional<double> limit = normalizer.number(condition->operands[1]);
  std::optional<Interval> range = x && limit ? rangeOf(*x) : std::nullopt;
  if (!range || (range->first < *limit && range->second >= *limit))
    return std::nullopt;
  return range->second < *limit;
}

/// A place in a table; what keeps it inside is left out where it is inside anyway.
std::optional<Inequality> TapRewriter::placeIn(Expr e) {
  Expr definition = normalizer.definitionOf(e);
  if (is<arith::IndexCastOp>(definition) || is<arith::ExtSIOp>(definition))
    return placeIn(definition->operands[0]);
  if (is<arith::SelectOp>(definition))
    if (std::optional<bool> holds = known(definition->operands[0]))
      return placeIn(definition->operands[*holds ? 1 : 2]);
  bool isMost = is<arith::MinSIOp>(definition), isLeast = is<arith::MaxSIOp>(definition);
  if (!isMost && !isLeast)
    return normalizer.linear(e);
  for (int side : {0, 1}) {
    std::optional<double> limit = normalizer.number(definition->operands[1 - side]);
    std::optional<Inequality> inner = limit ? placeIn(definition->operands[side]) : std::nullopt;
    std::optional<Interval> range = inner ? rangeOf(*inner) : std::nullopt;
    if (range && (isMost ? range->second <= *limit : range->first >= *limit))
      return inner;
  }
  return std::nullopt;
}

/// The place as one at the taps; nothing where it leaves the dimension.
std::optional<Index> TapRewriter::indexOf(const Inequality &place, int64_t extent) const {
  Index index = Index::number(place.number);
  if (!place.values.empty())
    return std::nullopt;
  for (const Filter::Axis &axis : axes) {
    if (place.of(axis.key) != 1 || place.of(axis.query) != -1 || place.vars.size() != 2)
      continue;
    index.var = axis.tap;
    index.offset += axis.first;
    index.partial = true;
    bool inside = index.offset >= 0 && place.number + axis.last < extent;
    return !ShapedType::isDynamic(extent) && inside ? std::optional(index) : std::nullopt;
  }
  if (place.vars.empty())
    return index;
  int var = place.vars[0].first;
  if (place.vars.size() != 1 || place.vars[0].second != 1 || places >> var & 1 || index.offset != 0)
    return std::nullopt;
  index.var = var;
  return index;
}

/// An element that is read at distances.
Expr TapRewriter::element(Expr e) {
  Place at = e->place;
  for (auto [dim, index] : llvm::enumerate(at)) {
    Inequality place;
    place.number = index.offset;
    if (!index.parts.empty())
      return nullptr;
    if (index.minus < 0) {
      if (index.var >= 0 && places >> index.var & 1)
        return nullptr;
      continue;
    }
    place.vars = {{index.var, 1}, {index.minus, -1}};
    std::optional<Index> tap =
        indexOf(place, cast<RankedTensorType>(e->tensor.getType()).getDimSize(dim));
    if (!tap)
      return nullptr;
    index = *tap;
  }
  return formulas.element(e->tensor, at);
}

Expr TapRewriter::found(Expr lookup) {
  Place at;
  auto type = cast<RankedTensorType>(lookup->tensor.getType());
  for (auto [dim, operand] : llvm::enumerate(lookup->operands)) {
    std::optional<Inequality> place = placeIn(operand);
    std::optional<Index> index = place ? indexOf(*place, type.getDimSize(dim)) : std::nullopt;
    if (!index)
      return searched(lookup);
    at.push_back(*index);
  }
  return formulas.element(lookup->tensor, at);
}

/// Where places do not follow the taps one by one, from the first on, they are computed.
Expr TapRewriter::searched(Expr lookup) {
  auto type = cast<RankedTensorType>(lookup->tensor.getType());
  SmallVector<Expr> at;
  for (auto [dim, operand] : llvm::enumerate(lookup->operands)) {
    at.push_back(operand);
    if (!(operand->vars & places))
      continue;
    std::optional<Interval> range =
        aft::raise::rangeOf(normalizer, operand, [&](Expr e) -> std::optional<Interval> {
          std::optional<Inequality> sum = normalizer.linear(e);
          return sum ? rangeOf(*sum) : std::nullopt;
        });
    if (!range || range->first < 0 || range->second >= type.getDimSize(dim))
      return nullptr;
    at.back() = rewritten(operand);
    if (!at.back())
      return nullptr;
  }
  return formulas.lookup(lookup->tensor, at);
}

/// The formula for the first query that sees all taps.
Expr TapRewriter::expanded(Expr e) {
  if (!(e->vars & places))
    return e;
  if (e->kind == Kind::Variable) {
    for (const Filter::Axis &axis : axes) {
      int64_t query = std::max<int64_t>(-axis.first, 0);
      if (e->var == axis.query)
        return formulas.index(Index::number(query));
      if (e->var != axis.key)
        continue;
      Index key = Index::variable(axis.tap);
      key.offset = axis.first + query;
      return formulas.index(key);
    }
  }
  if (e->kind == Kind::Element) {
    Expr definition = normalizer.definitionOf(e);
    return definition->kind == Kind::Scalar ? expanded(definition) : nullptr;
  }
  return withOperands(formulas, e, [&](Expr operand) { return expanded(operand); });
}

bool TapRewriter::isLinear(Expr e) {
  auto sum = [&](Expr e) { return normalizer.linear(e); };
  std::optional<Inequality> all;
  if (is<arith::CmpIOp>(e) || is<arith::CmpFOp>(e)) {
    std::optional<Inequality> a = sum(e->operands[0]), b = sum(e->operands[1]);
    if (a && b)
      all = a->plus(*b, -1);
  } else {
    all = sum(e);
  }
  return all && isDistance(*all);
}

Expr TapRewriter::rewritten(Expr e) {
  if (!(e->vars & places))
    return e;
  if (e->kind == Kind::Lookup)
    return found(e);
  if (e->kind == Kind::Element) {
    if (Expr tap = element(e))
      return tap;
    if (Expr origin = normalizer.originOf(e); origin != e)
      if (Expr tap = element(origin))
        return tap;
    Expr definition = normalizer.definitionOf(e);
    return definition->kind == Kind::Element ? nullptr : rewritten(definition);
  }
  if (e->kind == Kind::Scalar && isLinear(e))
    return expanded(e);
  return withOperands(formulas, e, [&](Expr operand) { return rewritten(operand); });
}

std::optional<Interval>
aft::raise::rangeOf(Normalizer &normalizer, Expr e,
                    llvm::function_ref<std::optional<Interval>(Expr)> leaf) {
  if (std::optional<Interval> range = leaf(e))
    return range;
  e = normalizer.definitionOf(e);
  if (e->kind != Kind::Scalar)
    return std::nullopt;
  auto operand = [&](int number) { return rangeOf(normalizer, e->operands[number], leaf); };
  if (isa<arith::IndexCastOp, arith::ExtSIOp>(e->op))
    return operand(0);
  if (isa<arith::SelectOp>(e->op)) {
    Expr condition = normalizer.definitionOf(e->operands[0]);
    std::optional<Interval> then = operand(1), otherwise = operand(2);
    if (is<arith::CmpIOp>(condition) &&
        cast<arith::CmpIOp>(condition->op).getPredicate() == arith::CmpIPredicate::slt) {
      std::optional<Interval> left = rangeOf(normalizer, condition->operands[0], leaf),
                              right = rangeOf(normalizer, condition->operands[1], leaf);
      if (left && right && left->second < right->first)
        return then;
      if (left && right && left->first >= right->second)
        return otherwise;
    }
    if (!then || !otherwise)
      return std::nullopt;
    return Interval(std::min(then->first, otherwise->first),
                    std::max(then->second, otherwise->second));
  }
  if (!isa<arith::AddIOp, arith::SubIOp, arith::MinSIOp, arith::MaxSIOp>(e->op))
    return std::nullopt;
  std::optional<Interval> a = operand(0), b = operand(1);
  if (!a || !b)
    return std::nullopt;
  if (isa<arith::AddIOp>(e->op))
    return Interval(a->first + b->first, a->second + b->second);
  if (isa<arith::SubIOp>(e->op))
    return Interval(a->first - b->second, a->second - b->first);
  if (isa<arith::MinSIOp>(e->op))
    return Interval(std::min(a->first, b->first), std::min(a->second, b->second));
  return Interval(std::max(a->first, b->first), std::max(a->second, b->second));
}

Expr aft::raise::withOperands(Formulas &formulas, Expr e, llvm::function_ref<Expr(Expr)> made) {
  SmallVector<Expr> operands;
  if (!llvm::is_contained({Kind::Scalar, Kind::Scaled, Kind::Log, Kind::LogPower, Kind::Lookup},
                          e->kind))
    return nullptr;
  for (Expr operand : e->operands) {
    operands.push_back(made(operand));
    if (!operands.back())
      return nullptr;
  }
  if (e->kind == Kind::Lookup)
    return formulas.lookup(e->tensor, operands);
  if (e->kind == Kind::Scaled)
    return formulas.scaled(operands[0], factorOf(e));
  if (e->kind == Kind::Log)
    return formulas.log(operands[0]);
  return e->kind == Kind::LogPower ? formulas.logPower(operands[0], operands[1])
                                   : formulas.scalar(e->op, operands);
}

Expr aft::raise::atTaps(Formulas &formulas, Normalizer &normalizer, ArrayRef<Filter::Axis> axes,
                        Expr e) {
  return TapRewriter(formulas, normalizer, axes).rewritten(e);
}
