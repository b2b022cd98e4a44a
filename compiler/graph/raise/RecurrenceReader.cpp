//===- RecurrenceReader.cpp - Elements as weighted sums ----------------------===//

#include "compiler/graph/raise/Recurrence.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace aft::raise;

using Core = Weighted::Core;

Exponent Exponent::plus(const Exponent &other, double factor) const {
  Exponent result = *this;
  result.number += factor * other.number;
  for (auto [atom, coefficient] : other.atoms) {
    double &own = result.atoms[atom];
    own += factor * coefficient;
    if (own == 0)
      result.atoms.erase(atom);
  }
  return result;
}

bool Exponent::isClose(const Exponent &other) const {
  auto close = [](double a, double b) {
    return a == b || std::abs(a - b) <= 1e-9 * std::max(std::abs(a), std::abs(b));
  };
  return close(number, other.number) && atoms.size() == other.atoms.size() &&
         llvm::all_of(llvm::zip(atoms, other.atoms), [&](auto pair) {
           return std::get<0>(pair).first == std::get<1>(pair).first &&
                  close(std::get<0>(pair).second, std::get<1>(pair).second);
         });
}

static Form numberForm(double number) {
  Form form;
  form.linear.number = number;
  form.weighted.number = number;
  form.weighted.core = number == 0 ? Core::Zero : Core::One;
  return form;
}

static bool isNumber(const Form &form) {
  return form.linear.atoms.empty() && form.weighted.core != Core::Value;
}

int RecurrenceReader::atomOf(Expr e) {
  SmallVector<int, 2> &alike = atomsOf[e->kind == Kind::Element ? e->tensor : Value()];
  for (int id : alike)
    if (atoms[id] == e || (e->kind == Kind::Element && same(atoms[id], e)))
      return id;
  atoms.push_back(e);
  alike.push_back(static_cast<int>(atoms.size()) - 1);
  return alike.back();
}

Form RecurrenceReader::asAtom(Expr e) {
  int id = atomOf(e);
  Form form;
  form.linear.atoms[id] = 1;
  form.weighted.core = Core::Value;
  form.weighted.id = id;
  return form;
}

/// Whether it is an element that can be read on its own.
static bool isSimple(Expr e) {
  return e->kind == Kind::Element && llvm::all_of(e->place, [](const Index &index) {
           return index.parts.empty() && index.minus < 0;
         });
}

/// An element stands for what it is made of where that is no simple element.
void RecurrenceReader::simplify(Expr e, Form &form) {
  if (!isSimple(e))
    return;
  Weighted &weighted = form.weighted;
  if (weighted.core == Core::Value && !isSimple(atoms[weighted.id]) &&
      weighted.outside.atoms.empty() && weighted.number == 1)
    weighted.id = atomOf(e);
  if (llvm::any_of(form.linear.atoms, [&](auto &each) { return !isSimple(atoms[each.first]); })) {
    form.linear = {};
    form.linear.atoms[atomOf(e)] = 1;
  }
}

const Form &RecurrenceReader::read(Expr e) {
  for (auto &[place, form] : known[e->tensor])
    if (place == e->place)
      return *form;
  std::optional<Form> form;
  if (std::optional<double> number = numberOf(e)) {
    form = numberForm(*number);
  } else if (Expr next = formulas.open(e)) {
    if (next->kind == Kind::Element)
      form = read(next);
    else
      form = scalar(next);
    if (form && form->weighted.core == Core::Sum)
      states.insert(e->tensor.getDefiningOp());
    if (form)
      simplify(e, *form);
  }
  forms.push_back(form ? *form : asAtom(e));
  known[e->tensor].push_back({e->place, &forms.back()});
  return forms.back();
}

Form RecurrenceReader::operand(Expr e) {
  if (e->kind == Kind::Element)
    return read(e);
  std::optional<Form> form = scalar(e);
  return form ? *form : asAtom(e);
}

/// What is not exponentials, sums and quotients of them is none of it.
std::optional<Form> RecurrenceReader::scalar(Expr e) {
  e = stripped(e);
  if (std::optional<double> number = numberOf(e))
    return numberForm(*number);
  if (e->kind == Kind::Element)
    return read(e);
  if (is<math::ExpOp>(e)) {
    Form form;
    form.weighted.outside = operand(e->operands[0]).linear;
    form.linear.atoms[atomOf(e)] = 1;
    return form;
  }
  if (is<arith::NegFOp>(e)) {
    Form form = operand(e->operands[0]);
    form.linear = Exponent().plus(form.linear, -1);
    form.weighted.number = -form.weighted.number;
    form.ratio.reset();
    return form;
  }
  bool isBinary =
      is<arith::AddFOp>(e) || is<arith::SubFOp>(e) || is<arith::MulFOp>(e) || is<arith::DivFOp>(e);
  return isBinary ? binary(e) : std::nullopt;
}

static Weighted scaled(const Weighted &pure, const Weighted &other, double sign) {
  Weighted result = other;
  result.number *= sign > 0 ? pure.number : 1 / pure.number;
  result.outside = result.outside.plus(pure.outside, sign);
  return result;
}

std::optional<Form> RecurrenceReader::binary(Expr e) {
  Form a = operand(e->operands[0]), b = operand(e->operands[1]), result = asAtom(e);
  bool isSum = is<arith::AddFOp>(e) || is<arith::SubFOp>(e);
  if (isSum) {
    double sign = is<arith::SubFOp>(e) ? -1 : 1;
    if (isNumber(a) && isNumber(b))
      return numberForm(a.linear.number + sign * b.linear.number);
    result.linear = a.linear.plus(b.linear, sign);
    if (std::optional<Weighted> sum = added(a.weighted, b.weighted, sign))
      result.weighted = *sum;
    return result;
  }
  bool divides = is<arith::DivFOp>(e);
  if (isNumber(b) && b.linear.number != 0)
    result.linear = Exponent().plus(a.linear, divides ? 1 / b.linear.number : b.linear.number);
  else if (isNumber(a) && !divides)
    result.linear = Exponent().plus(b.linear, a.linear.number);
  if (a.weighted.core == Core::Zero || (!divides && b.weighted.core == Core::Zero))
    result.weighted = numberForm(0).weighted;
  else if (b.weighted.core == Core::One)
    result.weighted = scaled(b.weighted, a.weighted, divides ? -1 : 1);
  else if (a.weighted.core == Core::One && !divides)
    result.weighted = scaled(a.weighted, b.weighted, 1);
  else if (std::optional<Weighted> less = divides ? std::nullopt : faded(a.weighted, b.weighted))
    result.weighted = *less;
  else if (std::optional<Weighted> less = divides ? std::nullopt : faded(b.weighted, a.weighted))
    result.weighted = *less;
  if (divides)
    result.ratio = {a.weighted, b.weighted};
  return result;
}

/// Of what cannot be negative and is made of exponentials, such as a sigmoid.
std::optional<int> RecurrenceReader::logarithmOf(int atom) {
  auto [known, isNew] = logarithms.try_emplace(atom, -1);
  if (isNew && normalizer.isPositive(atoms[atom], /*orZero=*/true))
    if (Expr log = normalizer.logOf(atoms[atom]); hasExponential(log->operands[0]))
      known->second = atomOf(log);
  return known->second < 0 ? std::nullopt : std::optional(known->second);
}

/// A state times a decay that is no exponential.
std::optional<Weighted> RecurrenceReader::faded(const Weighted &decay, const Weighted &state) {
  bool isState =
      state.core == Core::Sum || (state.core == Core::Value && !state.outside.atoms.empty());
  if (!isState || decay.core != Core::Value || !decay.outside.atoms.empty() || decay.number != 1)
    return std::nullopt;
  std::optional<int> logarithm = logarithmOf(decay.id);
  if (!logarithm)
    return std::nullopt;
  Exponent log;
  log.atoms[*logarithm] = 1;
  Weighted result = state;
  result.outside = result.outside.plus(log, 1);
  return result;
}

/// Nothing where neither is weighted: a value like any.
std::optional<Weighted> RecurrenceReader::added(const Weighted &a, const Weighted &b, double sign) {
  Weighted other = b;
  other.number *= sign;
  if (a.core == Core::Zero)
    return other;
  if (b.core == Core::Zero)
    return a;
  auto isPlain = [](const Weighted &each) {
    return each.core != Core::Sum && each.outside.atoms.empty();
  };
  if (isPlain(a) && isPlain(b))
    return std::nullopt;
  // What both have, such as a maximum that was subtracted, stands before the sum.
  Weighted result;
  for (auto [atom, coefficient] : a.outside.atoms)
    if (auto own = b.outside.atoms.find(atom);
        own != b.outside.atoms.end() && own->second == coefficient)
      result.outside.atoms[atom] = coefficient;
  Weighted left = a;
  left.outside = left.outside.plus(result.outside, -1);
  other.outside = other.outside.plus(result.outside, -1);
  result.core = Core::Sum;
  result.id = static_cast<int>(sums.size());
  sums.push_back({left, other});
  return result;
}

void RecurrenceReader::flatten(const Weighted &sum, SmallVectorImpl<WeightedValue> &values,
                               bool isDenominator) {
  SmallVector<Weighted> open = {sum};
  while (!open.empty()) {
    Weighted next = open.pop_back_val();
    if (isDenominator && next.core == Core::Value)
      if (std::optional<int> logarithm = logarithmOf(next.id)) {
        Exponent log;
        log.atoms[*logarithm] = 1;
        next.outside = next.outside.plus(log, 1);
        next.core = Core::One;
      }
    if (next.core == Core::One || next.core == Core::Value)
      values.push_back({next.outside, next.number, next.core == Core::Value ? next.id : -1});
    if (next.core != Core::Sum)
      continue;
    for (Weighted term : sums[next.id]) {
      term.number *= next.number;
      term.outside = term.outside.plus(next.outside, 1);
      open.push_back(term);
    }
  }
}
