//===- Elementwise.cpp - Rules of elementwise operators -------------------===//

#include "frontends/torch/capture/Elementwise.h"

#include <limits>

using namespace aft;
using namespace aft::capture;

static bool isInteger(DType dtype) {
  return dtype == DType::i8 || dtype == DType::i32 || dtype == DType::i64;
}

static Results same(Operation &op) { return op.as("self"); }

//===----------------------------------------------------------------------===//
// Arithmetic
//===----------------------------------------------------------------------===//

/// other * alpha
static Operand scaled(Operation &op, const char *name, DType dtype) {
  Operand operand = op.operand(name, dtype);
  double alpha = op.number("alpha", 1);
  if (alpha == 1)
    return operand;
  return operand.isScalar ? Operand(operand.scalar * alpha)
                          : Operand(op.f.mul(operand.value, alpha));
}

static Results add(Operation &op) {
  if (op.dtype() == DType::i1)
    return op.f.logicalOr(op.as("self"), op.as("other"));
  return op.f.add(op.operand("self", op.dtype()), scaled(op, "other", op.dtype()));
}

static Results sub(Operation &op) {
  return op.f.sub(op.operand("self", op.dtype()), scaled(op, "other", op.dtype()));
}

static Results rsub(Operation &op) {
  return op.f.sub(op.operand("other", op.dtype()), scaled(op, "self", op.dtype()));
}

static Results mul(Operation &op) {
  DType dtype = op.dtype();
  if (dtype == DType::i1)
    return op.f.logicalAnd(op.as("self"), op.as("other"));
  return op.f.mul(op.operand("self", dtype), op.operand("other", dtype));
}

/// a / b rounded towards minus infinity, or towards zero.
static Value quotient(Operation &op, Operand a, Operand b, bool down) {
  Function &f = op.f;
  Value q = f.div(a, b);
  if (!isInteger(op.dtype()))
    return down ? f.floor(q) : f.trunc(q);
  if (!down)
    return q;
  Value rest = f.sub(a, f.mul(q, b));
  Value opposite = f.compare(Compare::lt, f.mul(rest, b), 0);
  return f.where(opposite, f.sub(q, 1), q);
}

static Results divide(Operation &op) {
  DType dtype = op.dtype();
  Operand a = op.operand("self", dtype), b = op.operand("other", dtype);
  std::string mode = op.text("rounding_mode");
  return mode.empty() ? op.f.div(a, b) : quotient(op, a, b, mode == "floor");
}

static Results floorDivide(Operation &op) {
  return quotient(op, op.operand("self", op.dtype()), op.operand("other", op.dtype()), true);
}

/// What remains of a division with the sign of the divisor, or the dividend.
template <bool down> static Results remainder(Operation &op) {
  Operand a = op.operand("self", op.dtype()), b = op.operand("other", op.dtype());
  return op.f.sub(a, op.f.mul(quotient(op, a, b, down), b));
}

static Results power(Operation &op) {
  DType dtype = op.dtype();
  const char *base = "self", *exponent = "exponent";
  Operand b = op.operand(exponent, dtype);
  if (!op.has(base))
    op.fail("expected a base");
  Operand a = op.operand(base, dtype);
  if (b.isScalar && !a.isScalar) {
    if (b.scalar == 0.5)
      return op.f.sqrt(a.value);
    if (b.scalar == -0.5)
      return op.f.rsqrt(a.value);
    if (b.scalar == -1)
      return op.f.div(1, a);
    if (b.scalar == 1)
      return a.value;
    if (b.scalar == 4) {
      Value square = op.f.mul(a, a);
      return op.f.mul(square, square);
    }
  }
  // Says so to the compiler, for which the buffer may hold any numbers.
  if (!a.isScalar && !b.isScalar && op.isNeverNegative(base))
    a.value = op.f.maximum(a.value, 0);
  return op.f.pow(a, b);
}

static Results lerp(Operation &op) {
  DType dtype = op.dtype();
  Value start = op.as("self"), end = op.as("end");
  return op.f.add(start, op.f.mul(op.f.sub(end, start), op.operand("weight", dtype)));
}

/// self + value * tensor1 * tensor2, or / tensor2
template <bool divides> static Results addProduct(Operation &op) {
  Value a = op.as("tensor1"), b = op.as("tensor2");
  Value term = divides ? op.f.div(a, b) : op.f.mul(a, b);
  return op.f.add(op.as("self"), op.f.mul(term, op.number("value", 1)));
}

//===----------------------------------------------------------------------===//
// Choices
//===----------------------------------------------------------------------===//

static Rule comparison(Compare kind) {
  return [kind](Operation &op) -> Results {
    DType dtype = op.commonType("self", "other");
    if (dtype == DType::i1)
      dtype = DType::i32;
    return op.f.compare(kind, op.operand("self", dtype), op.operand("other", dtype));
  };
}

static Value truth(Operation &op, const char *name) {
  Value value = op.value(name);
  return value.dtype() == DType::i1 ? value : op.f.compare(Compare::ne, value, 0);
}

static Results logicalAnd(Operation &op) {
  return op.f.logicalAnd(truth(op, "self"), truth(op, "other"));
}
static Results logicalOr(Operation &op) {
  return op.f.logicalOr(truth(op, "self"), truth(op, "other"));
}
static Results logicalXor(Operation &op) {
  Value a = op.f.cast(truth(op, "self"), DType::i32), b = op.f.cast(truth(op, "other"), DType::i32);
  return op.f.compare(Compare::ne, a, b);
}
static Results logicalNot(Operation &op) { return op.f.logicalNot(truth(op, "self")); }

template <Results (*logical)(Operation &)> static Results onBits(Operation &op) {
  if (op.dtype() != DType::i1)
    op.fail("supported on bool tensors only");
  return logical(op);
}

static Results where(Operation &op) {
  if (!op.has("self"))
    op.fail("only the form with three arguments is supported");
  return op.f.where(truth(op, "condition"), op.operand("self", op.dtype()),
                    op.operand("other", op.dtype()));
}

static Results maskedFill(Operation &op) {
  return op.f.where(truth(op, "mask"), op.operand("value", op.dtype()), op.as("self"));
}

static Results clamp(Operation &op) {
  Value x = op.as("self");
  if (op.has("min"))
    x = op.f.maximum(x, op.operand("min", op.dtype()));
  return op.has("max") ? op.f.minimum(x, op.operand("max", op.dtype())) : x;
}

static Results hardtanh(Operation &op) {
  Value low = op.f.maximum(op.as("self"), op.number("min_val", -1));
  return op.f.minimum(low, op.number("max_val", 1));
}

static Results isNan(Operation &op) {
  Value x = op.value("self");
  return op.f.logicalNot(op.f.compare(Compare::eq, x, x));
}

static Results isInf(Operation &op) {
  double infinity = std::numeric_limits<double>::infinity();
  return op.f.compare(Compare::eq, op.f.abs(op.value("self")), infinity);
}

static Results isFinite(Operation &op) {
  double infinity = std::numeric_limits<double>::infinity();
  return op.f.compare(Compare::lt, op.f.abs(op.value("self")), infinity);
}

static Results nanToNum(Operation &op) {
  Value x = op.as("self");
  double largest = op.dtype() == DType::f64    ? std::numeric_limits<double>::max()
                   : op.dtype() == DType::bf16 ? 0x1.FEp127
                                               : std::numeric_limits<float>::max();
  double infinity = std::numeric_limits<double>::infinity();
  Value isNumber = op.f.compare(Compare::eq, x, x);
  Value high = op.f.compare(Compare::eq, x, infinity),
        low = op.f.compare(Compare::eq, x, -infinity);
  x = op.f.where(high, op.number("posinf", largest), x);
  x = op.f.where(low, op.number("neginf", -largest), x);
  return op.f.where(isNumber, x, op.number("nan", 0));
}

static Results sign(Operation &op) {
  Value x = op.as("self");
  Value up = op.f.cast(op.f.compare(Compare::gt, x, 0), op.dtype());
  return op.f.sub(up, op.f.cast(op.f.compare(Compare::lt, x, 0), op.dtype()));
}

//===----------------------------------------------------------------------===//
// Table
//===----------------------------------------------------------------------===//

static void addChoices(Rules &rules) {
  rules["aten::eq"] = comparison(Compare::eq);
  rules["aten::ne"] = comparison(Compare::ne);
  rules["aten::lt"] = comparison(Compare::lt);
  rules["aten::le"] = comparison(Compare::le);
  rules["aten::gt"] = comparison(Compare::gt);
  rules["aten::ge"] = comparison(Compare::ge);
  rules["aten::less"] = rules["aten::lt"];
  rules["aten::greater"] = rules["aten::gt"];
  rules["aten::logical_and"] = logicalAnd;
  rules["aten::logical_or"] = logicalOr;
  rules["aten::logical_xor"] = logicalXor;
  rules["aten::logical_not"] = logicalNot;
  rules["aten::bitwise_and"] = rules["aten::__and__"] = onBits<logicalAnd>;
  rules["aten::bitwise_or"] = rules["aten::__or__"] = onBits<logicalOr>;
  rules["aten::bitwise_xor"] = rules["aten::__xor__"] = onBits<logicalXor>;
  rules["aten::bitwise_not"] = onBits<logicalNot>;
  rules["aten::where"] = where;
  rules["aten::masked_fill"] = maskedFill;
  rules["aten::clamp"] = rules["aten::clip"] = clamp;
  rules["aten::clamp_min"] = rules["aten::clamp_max"] = clamp;
  rules["aten::hardtanh"] = hardtanh;
  rules["aten::maximum"] = binary(&Function::maximum);
  rules["aten::minimum"] = binary(&Function::minimum);
  rules["aten::isnan"] = isNan;
  rules["aten::isinf"] = isInf;
  rules["aten::isfinite"] = isFinite;
  rules["aten::nan_to_num"] = nanToNum;
  rules["aten::sign"] = rules["aten::sgn"] = sign;
}

void aft::capture::addElementwiseRules(Rules &rules) {
  rules["aten::add"] = add;
  rules["aten::sub"] = rules["aten::subtract"] = sub;
  rules["aten::rsub"] = rsub;
  rules["aten::mul"] = rules["aten::multiply"] = mul;
  rules["aten::div"] = rules["aten::divide"] = rules["aten::true_divide"] = divide;
  rules["aten::floor_divide"] = floorDivide;
  rules["aten::remainder"] = remainder<true>;
  rules["aten::fmod"] = remainder<false>;
  rules["aten::pow"] = power;
  rules["aten::lerp"] = lerp;
  rules["aten::addcmul"] = addProduct<false>;
  rules["aten::addcdiv"] = addProduct<true>;
  rules["aten::neg"] = rules["aten::negative"] = unary(&Function::neg);
  rules["aten::abs"] = rules["aten::absolute"] = unary(&Function::abs);
  for (const char *name : {"to", "_to_copy", "type_as", "contiguous", "clone", "alias", "lift",
                           "lift_fresh", "lift_fresh_copy", "positive", "detach_copy"})
    rules[std::string("aten::") + name] = same;
  rules["aten::detach"] = [](Operation &op) -> Results {
    return op.isTraining() ? op.f.stopGradient(op.value("self")) : op.value("self");
  };
  addChoices(rules);
}
