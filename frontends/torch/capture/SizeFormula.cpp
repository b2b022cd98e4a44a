//===- SizeFormula.cpp - Numbers as formulas over dynamic extents ----------===//

#include "frontends/torch/capture/Checked.h"
#include "frontends/torch/capture/Sizes.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

using namespace aft;
using namespace aft::capture;

/// Larger divisors in a formula are taken for a coincidence.
static constexpr int64_t kLargestDivisor = 4096;
/// More terms than this are not multiplied further.
static constexpr size_t kMostTerms = 16;
/// How far two computations of one float may be apart.
static constexpr double kRounding = 0x1p-46;

bool SizeFormula::isConstant() const {
  return products.empty() &&
         std::all_of(linear.begin(), linear.end(), [](int64_t factor) { return factor == 0; });
}

static int64_t floorDivide(int64_t a, int64_t b) { return a / b - (a % b != 0 && a < 0); }

/// The numerator of a formula.
static Checked evaluate(const SizeFormula &formula, const std::vector<int64_t> &sizes) {
  Checked total = formula.constant;
  for (size_t i = 0; i < sizes.size(); ++i)
    total = total + Checked(formula.linear[i]) * sizes[i];
  for (const SizeFormula::Product &product : formula.products) {
    Checked term = product.factor;
    for (int extent : product.extents)
      term = term * sizes[extent];
    total = total + term;
  }
  return total;
}

std::optional<int64_t> SizeFormula::at(const std::vector<int64_t> &sizes) const {
  std::optional<int64_t> numerator = evaluate(*this, sizes).value();
  return numerator ? std::optional(floorDivide(*numerator, divisor)) : std::nullopt;
}

static bool isLowest(int64_t value) { return value == std::numeric_limits<int64_t>::min(); }

/// The sum of what each extent adds alone, by how the numbers rise from the first run on.
static std::optional<SizeFormula> fitLinear(const std::vector<int64_t> &values,
                                            const std::vector<int64_t> &base,
                                            const std::vector<int64_t> &steps) {
  size_t count = base.size();
  SizeFormula formula;
  std::vector<int64_t> rises(count);
  for (size_t i = 0; i < count; ++i) {
    std::optional<int64_t> rise = (Checked(values[1 + i]) - values[0]).value();
    if (!rise || isLowest(*rise)) // which has no absolute value
      return std::nullopt;
    rises[i] = *rise;
    int64_t divisor = std::abs(steps[i] / std::gcd(rises[i], steps[i]));
    if (divisor > kLargestDivisor)
      return std::nullopt;
    formula.divisor = std::lcm(formula.divisor, divisor);
    if (formula.divisor > kLargestDivisor)
      return std::nullopt;
  }
  Checked constant = Checked(values[0]) * formula.divisor;
  for (size_t i = 0; i < count; ++i) {
    std::optional<int64_t> factor = (Checked(rises[i]) * formula.divisor / steps[i]).value();
    if (!factor)
      return std::nullopt;
    formula.linear.push_back(*factor);
    constant = constant - Checked(*factor) * base[i];
  }
  if (!constant.value())
    return std::nullopt;
  formula.constant = *constant.value();
  return formula;
}

/// `formula` and a product of two extents, which is 0 where only one of them changes.
static std::optional<SizeFormula> withProduct(SizeFormula formula, size_t i, size_t j,
                                              Checked missing, const std::vector<int64_t> &base,
                                              const std::vector<int64_t> &sizes) {
  std::optional<int64_t> area = (Checked(sizes[i] - base[i]) * Checked(sizes[j] - base[j])).value();
  std::optional<int64_t> factor = area ? (missing / *area).value() : std::nullopt;
  if (!factor || (Checked(*factor) * *area).value() != missing.value())
    return std::nullopt;
  std::optional<int64_t> first = (Checked(formula.linear[i]) - Checked(*factor) * base[j]).value();
  std::optional<int64_t> second = (Checked(formula.linear[j]) - Checked(*factor) * base[i]).value();
  std::optional<int64_t> constant =
      (Checked(formula.constant) + Checked(*factor) * base[i] * base[j]).value();
  if (!first || !second || !constant)
    return std::nullopt;
  formula.products.push_back({{static_cast<int>(i), static_cast<int>(j)}, *factor});
  formula.linear[i] = *first;
  formula.linear[j] = *second;
  formula.constant = *constant;
  return formula;
}

/// The product of one linear factor per extent: what each does alone, all together.
static std::optional<SizeFormula> fitFactors(const std::vector<int64_t> &values,
                                             const std::vector<int64_t> &base,
                                             const std::vector<int64_t> &steps) {
  SizeFormula formula;
  formula.linear.assign(base.size(), 0);
  std::vector<SizeFormula::Product> terms = {{{}, values[0]}};
  for (size_t i = 0; i < base.size(); ++i) {
    // values[0] * (1 + (extent - base) * rise / (step * values[0]))
    std::optional<int64_t> rise = (Checked(values[1 + i]) - values[0]).value();
    std::optional<int64_t> whole = (Checked(steps[i]) * values[0]).value();
    if (!rise || !whole || *whole == 0 || isLowest(*rise) || isLowest(*whole))
      return std::nullopt;
    if (*rise == 0)
      continue;
    int64_t common = std::gcd(*rise, *whole) * (*whole < 0 ? -1 : 1);
    int64_t factor = *rise / common, divisor = *whole / common;
    std::optional<int64_t> constant = (divisor - Checked(factor) * base[i]).value();
    std::optional<int64_t> divisors = (Checked(formula.divisor) * divisor).value();
    if (!constant || !divisors || terms.size() > kMostTerms)
      return std::nullopt;
    formula.divisor = *divisors;
    std::vector<SizeFormula::Product> longer;
    for (const SizeFormula::Product &term : terms)
      for (bool with : {false, true}) {
        std::optional<int64_t> own = (Checked(term.factor) * (with ? factor : *constant)).value();
        if (!own || isLowest(*own))
          return std::nullopt;
        if (*own == 0)
          continue;
        longer.push_back({term.extents, *own});
        if (with)
          longer.back().extents.push_back(static_cast<int>(i));
      }
    terms = longer;
  }
  int64_t common = formula.divisor;
  for (const SizeFormula::Product &term : terms)
    common = std::gcd(common, term.factor);
  formula.divisor /= common;
  if (formula.divisor > kLargestDivisor)
    return std::nullopt;
  for (SizeFormula::Product &term : terms) {
    term.factor /= common;
    if (term.extents.empty())
      formula.constant = term.factor;
    else if (term.extents.size() == 1)
      formula.linear[term.extents[0]] = term.factor;
    else
      formula.products.push_back(term);
  }
  return formula;
}

/// A number times powers of extents, one of them a square.
static std::optional<SizeFormula> fitPowers(const std::vector<int64_t> &values,
                                            const std::vector<int64_t> &base,
                                            const std::vector<int64_t> &steps) {
  SizeFormula::Product product{{}, values[0]};
  Checked divisor = 1;
  bool isSquare = false;
  for (size_t i = 0; i < base.size(); ++i) {
    Checked before = values[0], after = values[1 + i];
    int power = 0;
    for (; power < 3 && before.value() != after.value(); ++power) {
      before = before * (Checked(base[i]) + steps[i]);
      after = after * base[i];
    }
    if (power == 3 || !before.value())
      return std::nullopt;
    isSquare |= power == 2;
    for (; power > 0; --power) {
      product.extents.push_back(static_cast<int>(i));
      divisor = divisor * base[i];
    }
  }
  if (!isSquare || divisor.value().value_or(0) <= 0 || isLowest(values[0]))
    return std::nullopt;
  int64_t common = std::gcd(values[0], *divisor.value());
  SizeFormula formula;
  formula.linear.assign(base.size(), 0);
  formula.divisor = *divisor.value() / common;
  product.factor /= common;
  formula.products.push_back(product);
  return formula.divisor <= kLargestDivisor ? std::optional(formula) : std::nullopt;
}

/// A formula for the numbers that the runs show, in their order.
std::optional<SizeFormula> Capture::fit(const std::vector<int64_t> &values) const {
  size_t count = dynamicExtents.size();
  SizeFormula same;
  same.linear.assign(count, 0);
  same.constant = values[0];
  if (std::all_of(values.begin(), values.end(), [&](int64_t v) { return v == values[0]; }))
    return same;
  const std::vector<int64_t> &base = runs[0].sizes;
  std::vector<int64_t> steps(count);
  for (size_t i = 0; i < count; ++i)
    steps[i] = runs[1 + i].sizes[i] - base[i];
  std::optional<SizeFormula> formula = fitLinear(values, base, steps);
  if (!formula)
    return std::nullopt;
  auto holds = [&](const SizeFormula &candidate) {
    for (size_t run = 0; run < runs.size(); ++run)
      if (candidate.at(runs[run].sizes) != values[run])
        return false;
    return true;
  };
  // A quotient that was rounded down leaves the constant uncertain.
  for (int64_t shift = 0; shift < formula->divisor; ++shift)
    for (int64_t sign : {1, -1}) {
      std::optional<int64_t> constant = (Checked(formula->constant) + sign * shift).value();
      SizeFormula shifted = *formula;
      shifted.constant = constant.value_or(0);
      if (constant && holds(shifted))
        return shifted;
    }
  // A product shows only where both extents change.
  const std::vector<int64_t> &sizes = runs[1 + count].sizes;
  Checked missing = Checked(values[1 + count]) * formula->divisor - evaluate(*formula, sizes);
  for (size_t i = 0; i < count; ++i)
    for (size_t j = i + 1; j < count; ++j) {
      std::optional<SizeFormula> product = withProduct(*formula, i, j, missing, base, sizes);
      if (product && holds(*product))
        return product;
    }
  for (auto other : {fitFactors, fitPowers})
    if (std::optional<SizeFormula> found = other(values, base, steps); found && holds(*found))
      return found;
  return std::nullopt;
}

SizeFormula Capture::sizeOf(size_t call, size_t arg, size_t index) const {
  std::vector<int64_t> values;
  for (const Run &run : runs)
    values.push_back(run.trace.calls[call].args[arg].ints[index]);
  return *fit(values); // the constructor has made sure
}

SizeFormula Capture::dimOf(int value, int dimension) const {
  std::vector<int64_t> values;
  for (const Run &run : runs)
    values.push_back(run.trace.values[value].tensor.size(dimension));
  return *fit(values);
}

bool Capture::isFixed(int value) const {
  const at::Tensor &numbers = trace().values[value].numbers;
  return numbers.defined() && std::all_of(runs.begin(), runs.end(), [&](const Run &run) {
           const at::Tensor &others = run.trace.values[value].numbers;
           return others.defined() && others.sizes() == numbers.sizes() && others.equal(numbers);
         });
}

//===----------------------------------------------------------------------===//
// Floating-point numbers
//===----------------------------------------------------------------------===//

bool capture::isClose(double a, double b) {
  return a == b || std::abs(a - b) <= kRounding * std::max(std::abs(a), std::abs(b));
}

static double baseOf(const RealFormula &formula, const std::vector<int64_t> &sizes) {
  double product = 1;
  for (int extent : formula.extents)
    product *= static_cast<double>(sizes[extent]);
  return product + static_cast<double>(formula.offset);
}

double RealFormula::at(const std::vector<int64_t> &sizes) const {
  if (extents.empty())
    return scale;
  double base = baseOf(*this, sizes);
  return scale * (isLog ? std::log(base) : std::pow(base, power));
}

/// A formula for the numbers that the runs show, in their order.
std::optional<RealFormula> Capture::fitReal(const std::vector<double> &values) const {
  RealFormula formula;
  formula.scale = values[0];
  if (std::all_of(values.begin(), values.end(), [&](double v) { return v == values[0]; }))
    return formula;
  for (size_t extent = 0; extent < dynamicExtents.size(); ++extent)
    if (values[1 + extent] != values[0])
      formula.extents.push_back(static_cast<int>(extent));
  auto holds = [&](RealFormula candidate) {
    candidate.scale = 1;
    candidate.scale = values[0] / candidate.at(runs[0].sizes);
    for (size_t run = 0; run < runs.size(); ++run)
      if (!std::isfinite(candidate.scale) || baseOf(candidate, runs[run].sizes) <= 0 ||
          !isClose(candidate.at(runs[run].sizes), values[run]))
        return false;
    formula = candidate;
    return true;
  };
  for (int64_t offset : {0, -1, 1, -2, 2}) {
    formula.offset = offset;
    for (double power : {1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 0.0}) {
      formula.power = power;
      formula.isLog = power == 0;
      if (holds(formula))
        return formula;
    }
  }
  return std::nullopt;
}

std::vector<double> Capture::reals(size_t call, size_t arg) const {
  std::vector<double> values;
  for (const Run &run : runs)
    values.push_back(run.trace.calls[call].args[arg].doubles[0]);
  return values;
}

RealFormula Capture::numberOf(size_t call, size_t arg) const {
  return *fitReal(reals(call, arg)); // the constructor has made sure
}

/// These rules read the argument as an operand, which may be a tensor.
bool capture::takesAnyNumber(const Call &call, size_t arg) {
  static const std::set<std::string> operators = {
      "add",         "sub",         "subtract", "rsub",
      "mul",         "multiply",    "div",      "divide",
      "true_divide", "pow",         "clamp",    "clamp_min",
      "clamp_max",   "masked_fill", "where",    "full",
      "fill",        "full_like",   "new_full", "scalar_tensor",
      "lerp",        "eq",          "ne",       "lt",
      "le",          "gt",          "ge",       "scaled_dot_product_attention"};
  static const std::set<std::string> arguments = {
      "self", "other", "exponent", "min", "max", "value", "fill_value", "s", "weight", "scale"};
  std::string name = call.name.substr(call.name.find("::") + 2);
  if (name.back() == '_')
    name.pop_back();
  return operators.count(name) && arguments.count(call.schema->arguments()[arg].name());
}
