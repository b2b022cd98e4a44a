//===- Extents.cpp - What is known of dynamic extents ---------------------===//

#include "frontends/builder/FunctionImpl.h"

#include <limits>

using namespace aft;
using Impl = Function::Impl;

/// What a number divided by zero is, until a function says so.
static constexpr int64_t kNoExtent = std::numeric_limits<int64_t>::min();

Polynomial Impl::newSymbol() {
  symbols.emplace_back();
  return Polynomial::symbol(static_cast<int>(symbols.size()) - 1);
}

Polynomial Impl::canonical(const Polynomial &extent) const {
  for (const auto &[monomial, factor] : extent.terms())
    for (int symbol : monomial)
      if (symbols[symbol])
        return canonical(extent.substitute(symbol, *symbols[symbol]));
  return extent;
}

bool Impl::unify(const Polynomial &left, const Polynomial &right) {
  Polynomial a = canonical(left), b = canonical(right);
  if (a == b)
    return true;
  if ((a - b).constant() || !(a - b).hasRoot())
    return false;
  // The earlier symbol stays.
  if (a.symbol() && b.symbol() && *a.symbol() > *b.symbol())
    std::swap(a, b);
  if (std::optional<int> symbol = b.symbol(); symbol && !a.contains(*symbol))
    symbols[*symbol] = a;
  else if (symbol = a.symbol(); symbol && !b.contains(*symbol))
    symbols[*symbol] = b;
  return true;
}

std::string Impl::materialise(const Polynomial &extent) {
  Polynomial wanted = canonical(extent);
  if (std::optional<int64_t> constant = wanted.constant())
    return constantIndex(*constant);
  if (auto known = extentNames.find(wanted); known != extentNames.end())
    return known->second;
  std::string name;
  auto compute = [&](const std::string &content) {
    name = fresh();
    line(name + " = " + content);
  };
  if (auto home = extentHomes.find(wanted); home != extentHomes.end()) {
    std::string dim = constantIndex(home->second.second);
    const Node &source = nodes[home->second.first];
    compute("tensor.dim " + source.name + ", " + dim + " : " + typeText(source.type));
    return extentNames[wanted] = name;
  }
  std::string total;
  for (auto term = wanted.terms().rbegin(); term != wanted.terms().rend(); ++term) {
    const auto &[monomial, factor] = *term;
    std::string product;
    for (int symbol : monomial) {
      std::string one = materialise(Polynomial::symbol(symbol));
      if (!product.empty())
        compute("arith.muli " + product + ", " + one + " : index");
      product = product.empty() ? one : name;
    }
    if (product.empty()) {
      product = constantIndex(factor);
    } else if (factor != 1) {
      compute("arith.muli " + product + ", " + constantIndex(factor) + " : index");
      product = name;
    }
    if (!total.empty()) {
      compute("arith.addi " + total + ", " + product + " : index");
      product = name;
    }
    total = product;
  }
  return extentNames[wanted] = total;
}

std::string Impl::sizeText(const Polynomial &extent) {
  std::optional<int64_t> constant = canonical(extent).constant();
  return constant ? std::to_string(*constant) : materialise(extent);
}

Extent Impl::toExtent(const Polynomial &extent) {
  Polynomial known = canonical(extent);
  Extent result;
  if (std::optional<int64_t> constant = known.constant()) {
    result.value = *constant;
    return result;
  }
  result.function = self;
  result.value = static_cast<int64_t>(expressions.size());
  expressions.push_back(known);
  return result;
}

std::optional<Polynomial> Impl::fromExtent(const char *operation, Extent extent) {
  current = operation;
  if (extent.isConstant() && extent.value == kNoExtent) {
    fail(operation, "expected an extent, found one that was divided by zero");
    return std::nullopt;
  }
  if (extent.isConstant())
    return Polynomial(extent.value);
  if (extent.function != self) {
    fail(operation, "an extent of function '" + extent.function->name() + "'");
    return std::nullopt;
  }
  return canonical(expressions[extent.value]);
}

std::optional<Shape> Impl::fromExtents(const char *operation, const std::vector<Extent> &extents) {
  Shape shape;
  for (Extent extent : extents) {
    std::optional<Polynomial> found = fromExtent(operation, extent);
    if (!found)
      return std::nullopt;
    if (std::optional<int64_t> constant = found->constant(); constant && *constant < 0) {
      fail(operation, "an extent must not be negative, found " + std::to_string(*constant));
      return std::nullopt;
    }
    shape.push_back(*found);
  }
  return shape;
}

std::string Impl::describe(const Polynomial &extent) const {
  std::optional<int64_t> constant = canonical(extent).constant();
  return constant ? std::to_string(*constant) : "?";
}

std::string Impl::describe(const Shape &shape) const {
  Strings parts;
  for (const Polynomial &extent : shape)
    parts.push_back(describe(extent));
  return "[" + joined(parts) + "]";
}

//===----------------------------------------------------------------------===//
// The public side
//===----------------------------------------------------------------------===//

Extent Function::extent(Value value, int dimension) {
  if (!impl->check("extent", {value}))
    return 0;
  std::optional<int> dim = impl->dimension("extent", dimension, value.rank());
  return dim ? impl->toExtent(impl->extentOf(value, *dim)) : Extent(0);
}

std::vector<Extent> Function::shape(Value value) {
  std::vector<Extent> extents;
  if (impl->check("shape", {value}))
    for (const Polynomial &extent : impl->shapeOf(value))
      extents.push_back(impl->toExtent(extent));
  return extents;
}

void Function::assumeEqual(Extent a, Extent b) {
  std::optional<Polynomial> left = impl->fromExtent("assumeEqual", a);
  std::optional<Polynomial> right = impl->fromExtent("assumeEqual", b);
  for (const std::optional<Polynomial> &each : {left, right})
    if (each && each->constant().value_or(0) < 0) {
      impl->fail("assumeEqual",
                 "an extent must not be negative, found " + std::to_string(*each->constant()));
      return;
    }
  if (left && right && !impl->unify(*left, *right))
    impl->fail("assumeEqual",
               impl->describe(*left) + " and " + impl->describe(*right) + " are never equal");
}

static int64_t dividedDown(int64_t a, int64_t b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

Extent Function::arithmetic(char operation, Extent a, Extent b) {
  Function *function = a.function ? a.function : b.function;
  if (!function) {
    if (a.value == kNoExtent || b.value == kNoExtent || (operation == '/' && b.value == 0))
      return kNoExtent;
    Polynomial left(a.value), right(b.value);
    Polynomial result = operation == '+'   ? left + right
                        : operation == '-' ? left - right
                        : operation == '*' ? left * right
                                           : Polynomial(dividedDown(a.value, b.value));
    return Extent(*result.constant());
  }
  Impl &impl = *function->impl;
  std::optional<Polynomial> left = impl.fromExtent("extent", a), right = impl.fromExtent("extent", b);
  if (!left || !right)
    return 0;
  switch (operation) {
  case '+': return impl.toExtent(*left + *right);
  case '-': return impl.toExtent(*left - *right);
  case '*': return impl.toExtent(*left * *right);
  default: return impl.toExtent(impl.divided(*left, *right));
  }
}

Polynomial Impl::divided(const Polynomial &a, const Polynomial &b) {
  if (b.is(0)) {
    fail("extent", "division by zero");
    return 0;
  }
  if (std::optional<Polynomial> exact = a.dividedBy(b))
    return *exact;
  if (a.constant() && b.constant())
    return dividedDown(*a.constant(), *b.constant());
  auto [known, isNew] = quotients.try_emplace({a, b});
  if (!isNew)
    return known->second;
  std::string dividend = materialise(a), divisor = materialise(b), quotient = fresh();
  if (!b.constant() || *b.constant() < 0) {
    // An extent of 0 must not end the process: what follows from the quotient is
    // checked against it all the same.
    std::string least = constantIndex(1), positive = fresh();
    line(positive + " = arith.maxsi " + divisor + ", " + least + " : index");
    divisor = positive;
  }
  line(quotient + " = arith.floordivsi " + dividend + ", " + divisor + " : index");
  known->second = newSymbol();
  extentNames[known->second] = quotient;
  return known->second;
}

Extent aft::operator+(Extent a, Extent b) { return Function::arithmetic('+', a, b); }
Extent aft::operator-(Extent a, Extent b) { return Function::arithmetic('-', a, b); }
Extent aft::operator*(Extent a, Extent b) { return Function::arithmetic('*', a, b); }
Extent aft::operator/(Extent a, Extent b) { return Function::arithmetic('/', a, b); }
