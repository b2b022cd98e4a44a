//===- Calculations.cpp - Python's operators on sizes, in .pt2 files ------===//

#include "frontends/torch/import/ExportedArguments.h"

#include <c10/util/Exception.h>

#include <cmath>
#include <functional>
#include <map>

using namespace aft::import;
using c10::IValue;
using Numbers = std::vector<IValue>;

static bool isReal(const Numbers &numbers) {
  for (const IValue &number : numbers)
    if (number.isDouble())
      return true;
  return false;
}

static double real(const IValue &value) {
  return value.isDouble() ? value.toDouble()
         : value.isBool() ? value.toBool()
                          : static_cast<double>(value.toInt());
}

static int64_t whole(const IValue &value) {
  return value.isBool() ? value.toBool() : value.toInt();
}

/// Sizes that overflow are no sizes.
static IValue inRange(bool overflows, int64_t result) {
  TORCH_CHECK(!overflows, "a calculation with sizes overflows");
  return result;
}

static IValue add(const Numbers &n) {
  int64_t result;
  if (isReal(n))
    return real(n[0]) + real(n[1]);
  return inRange(__builtin_add_overflow(whole(n[0]), whole(n[1]), &result), result);
}

static IValue sub(const Numbers &n) {
  int64_t result;
  if (isReal(n))
    return real(n[0]) - real(n[1]);
  return inRange(__builtin_sub_overflow(whole(n[0]), whole(n[1]), &result), result);
}

static IValue mul(const Numbers &n) {
  int64_t result;
  if (isReal(n))
    return real(n[0]) * real(n[1]);
  return inRange(__builtin_mul_overflow(whole(n[0]), whole(n[1]), &result), result);
}

static IValue floorDiv(const Numbers &n) {
  TORCH_CHECK(real(n[1]) != 0, "a calculation with sizes divides by zero");
  if (isReal(n))
    return std::floor(real(n[0]) / real(n[1]));
  int64_t a = whole(n[0]), b = whole(n[1]);
  TORCH_CHECK(b != -1 || a != INT64_MIN, "a calculation with sizes overflows");
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static IValue mod(const Numbers &n) {
  IValue quotient = floorDiv(n);
  return sub({n[0], mul({quotient, n[1]})});
}

static IValue power(const Numbers &n) {
  if (isReal(n) || whole(n[1]) < 0)
    return std::pow(real(n[0]), real(n[1]));
  TORCH_CHECK(whole(n[1]) < 64, "a calculation with sizes overflows");
  IValue result(int64_t(1));
  for (int64_t i = 0; i < whole(n[1]); ++i)
    result = mul({result, n[0]});
  return result;
}

static IValue toInt(double number) {
  TORCH_CHECK(std::abs(number) < 9e18, "a calculation with sizes overflows");
  return static_cast<int64_t>(number);
}

static IValue extreme(const Numbers &n, bool largest) {
  bool first = largest ? real(n[0]) >= real(n[1]) : real(n[0]) <= real(n[1]);
  if (isReal(n))
    return real(first ? n[0] : n[1]);
  return whole(first ? n[0] : n[1]);
}

namespace {
struct Calculation {
  size_t count;
  std::function<IValue(const Numbers &)> make;
};
} // namespace

static const std::map<std::string, Calculation> &calculations() {
  static const std::map<std::string, Calculation> all = {
      {"_operator.add", {2, add}},
      {"_operator.sub", {2, sub}},
      {"_operator.mul", {2, mul}},
      {"_operator.floordiv", {2, floorDiv}},
      {"_operator.mod", {2, mod}},
      {"_operator.pow", {2, power}},
      {"_operator.truediv", {2, [](const Numbers &n) { return IValue(real(n[0]) / real(n[1])); }}},
      {"_operator.neg", {1, [](const Numbers &n) { return sub({IValue(int64_t(0)), n[0]}); }}},
      {"_operator.pos", {1, [](const Numbers &n) { return n[0]; }}},
      {"_operator.eq", {2, [](const Numbers &n) { return IValue(real(n[0]) == real(n[1])); }}},
      {"_operator.ne", {2, [](const Numbers &n) { return IValue(real(n[0]) != real(n[1])); }}},
      {"_operator.lt", {2, [](const Numbers &n) { return IValue(real(n[0]) < real(n[1])); }}},
      {"_operator.le", {2, [](const Numbers &n) { return IValue(real(n[0]) <= real(n[1])); }}},
      {"_operator.gt", {2, [](const Numbers &n) { return IValue(real(n[0]) > real(n[1])); }}},
      {"_operator.ge", {2, [](const Numbers &n) { return IValue(real(n[0]) >= real(n[1])); }}},
      {"_operator.and_", {2, [](const Numbers &n) { return IValue(whole(n[0]) && whole(n[1])); }}},
      {"_operator.or_", {2, [](const Numbers &n) { return IValue(whole(n[0]) || whole(n[1])); }}},
      {"torch.sym_not", {1, [](const Numbers &n) { return IValue(!whole(n[0])); }}},
      {"torch.sym_float", {1, [](const Numbers &n) { return IValue(real(n[0])); }}},
      {"torch.sym_int", {1, [](const Numbers &n) { return toInt(real(n[0])); }}},
      {"math.trunc", {1, [](const Numbers &n) { return toInt(real(n[0])); }}},
      {"torch.sym_max", {2, [](const Numbers &n) { return extreme(n, true); }}},
      {"torch.sym_min", {2, [](const Numbers &n) { return extreme(n, false); }}},
      {"torch.sym_ite", {3, [](const Numbers &n) { return whole(n[0]) ? n[1] : n[2]; }}},
      {"torch.sym_sqrt", {1, [](const Numbers &n) { return IValue(std::sqrt(real(n[0]))); }}},
      {"torch._sym_sqrt", {1, [](const Numbers &n) { return IValue(std::sqrt(real(n[0]))); }}},
  };
  return all;
}

std::optional<IValue> aft::import::calculate(const std::string &target, const Numbers &arguments) {
  auto found = calculations().find(target);
  if (found == calculations().end())
    return std::nullopt;
  TORCH_CHECK(arguments.size() == found->second.count, "expected ", found->second.count,
              " numbers, found ", arguments.size());
  for (const IValue &argument : arguments)
    TORCH_CHECK(argument.isInt() || argument.isDouble() || argument.isBool(),
                "expected numbers as arguments");
  return found->second.make(arguments);
}
