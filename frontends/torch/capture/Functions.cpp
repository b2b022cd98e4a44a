//===- Functions.cpp - Rules of functions of one or two numbers -----------===//

#include "frontends/torch/capture/Elementwise.h"

#include <cmath>
#include <limits>

using namespace aft;
using namespace aft::capture;

static Results square(Operation &op) {
  Value x = op.as("self");
  return op.f.mul(x, x);
}
static Results reciprocal(Operation &op) { return op.f.div(1, op.as("self")); }
static Results exponentialOfTwo(Operation &op) { return op.f.exp(op.f.mul(op.as("self"), M_LN2)); }
static Results binaryLog(Operation &op) { return op.f.mul(op.f.log(op.as("self")), M_LOG2E); }
static Results decimalLog(Operation &op) { return op.f.mul(op.f.log(op.as("self")), M_LOG10E); }

static Results ceiling(Operation &op) { return op.f.neg(op.f.floor(op.f.neg(op.as("self")))); }

static Results fraction(Operation &op) {
  Value x = op.as("self");
  return op.f.sub(x, op.f.trunc(x));
}

/// To the nearest integer, from the middle to the even one.
static Results rounded(Operation &op) {
  if (op.integer("decimals", 0) != 0)
    op.fail("rounding to decimals is not supported");
  Function &f = op.f;
  Value x = op.as("self"), down = f.floor(x), rest = f.sub(x, down);
  Value odd = f.compare(Compare::ne, down, f.mul(f.floor(f.mul(down, 0.5)), 2));
  Value middle = f.logicalAnd(f.compare(Compare::eq, rest, 0.5), odd);
  Value up = f.logicalOr(f.compare(Compare::gt, rest, 0.5), middle);
  return f.where(up, f.add(down, 1), down);
}

static Results tangent(Operation &op) {
  return op.f.div(op.f.sin(op.as("self")), op.f.cos(op.as("self")));
}

static Results hyperbolicSine(Operation &op) {
  Value e = op.f.expm1(op.f.abs(op.as("self")));
  Value size = op.f.mul(op.f.add(e, op.f.div(e, op.f.add(e, 1))), 0.5);
  return op.f.where(op.f.compare(Compare::lt, op.as("self"), 0), op.f.neg(size), size);
}

static Results hyperbolicCosine(Operation &op) {
  Value x = op.as("self");
  return op.f.mul(op.f.add(op.f.exp(x), op.f.exp(op.f.neg(x))), 0.5);
}

static Results errorComplement(Operation &op) { return op.f.sub(1, op.f.erf(op.as("self"))); }

static Results logAddExp(Operation &op) {
  Function &f = op.f;
  Value a = op.as("self"), b = op.as("other"), top = f.maximum(a, b);
  // Two equal infinities have no difference.
  Value apart = f.where(f.compare(Compare::eq, a, b), 0, f.neg(f.abs(f.sub(a, b))));
  return f.add(top, f.log1p(f.exp(apart)));
}

static Results hypotenuse(Operation &op) {
  Value a = op.as("self"), b = op.as("other");
  return op.f.sqrt(op.f.add(op.f.mul(a, a), op.f.mul(b, b)));
}

static Results timesLog(Operation &op) {
  Function &f = op.f;
  Operand x = op.operand("self", op.dtype()), y = op.operand("other", op.dtype());
  Value isZero = f.compare(Compare::eq, x, 0);
  Value safe = f.where(isZero, 1, y);
  return f.where(isZero, f.where(f.compare(Compare::eq, y, y), 0, y), f.mul(x, f.log(safe)));
}

static Results logit(Operation &op) {
  Value x = op.as("self");
  if (op.has("eps"))
    x = op.f.minimum(op.f.maximum(x, op.number("eps")), 1 - op.number("eps"));
  return op.f.log(op.f.div(x, op.f.sub(1, x)));
}

static Results scaledBy(Operation &op, double factor) { return op.f.mul(op.as("self"), factor); }

/// The larger (smaller) of two numbers, or the one that is a number.
static Rule ignoringNan(Binary operation) {
  return [operation](Operation &op) -> Results {
    Function &f = op.f;
    Value a = op.as("self"), b = op.as("other"), both = (f.*operation)(a, b);
    return f.where(f.compare(Compare::eq, a, a), f.where(f.compare(Compare::eq, b, b), both, a), b);
  };
}

static Rule equalTo(double number) {
  return [number](Operation &op) -> Results {
    return op.f.compare(Compare::eq, op.value("self"), number);
  };
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

void aft::capture::addFunctionRules(Rules &rules) {
  rules["aten::exp"] = unary(&Function::exp);
  rules["aten::expm1"] = unary(&Function::expm1);
  rules["aten::log"] = unary(&Function::log);
  rules["aten::log1p"] = unary(&Function::log1p);
  rules["aten::sqrt"] = unary(&Function::sqrt);
  rules["aten::rsqrt"] = unary(&Function::rsqrt);
  rules["aten::erf"] = rules["aten::special_erf"] = unary(&Function::erf);
  rules["aten::sin"] = unary(&Function::sin);
  rules["aten::cos"] = unary(&Function::cos);
  rules["aten::floor"] = unary(&Function::floor);
  rules["aten::trunc"] = rules["aten::fix"] = unary(&Function::trunc);
  rules["aten::square"] = square;
  rules["aten::reciprocal"] = reciprocal;
  rules["aten::exp2"] = exponentialOfTwo;
  rules["aten::log2"] = binaryLog;
  rules["aten::log10"] = decimalLog;
  rules["aten::ceil"] = ceiling;
  rules["aten::frac"] = fraction;
  rules["aten::round"] = rounded;
  rules["aten::tan"] = tangent;
  rules["aten::sinh"] = hyperbolicSine;
  rules["aten::cosh"] = hyperbolicCosine;
  rules["aten::erfc"] = errorComplement;
  rules["aten::logaddexp"] = logAddExp;
  rules["aten::hypot"] = hypotenuse;
  rules["aten::xlogy"] = timesLog;
  rules["aten::logit"] = logit;
  rules["aten::deg2rad"] = [](Operation &op) { return scaledBy(op, M_PI / 180); };
  rules["aten::rad2deg"] = [](Operation &op) { return scaledBy(op, 180 / M_PI); };
  rules["aten::fmax"] = ignoringNan(&Function::maximum);
  rules["aten::fmin"] = ignoringNan(&Function::minimum);
  rules["aten::isposinf"] = equalTo(std::numeric_limits<double>::infinity());
  rules["aten::isneginf"] = equalTo(-std::numeric_limits<double>::infinity());
}
