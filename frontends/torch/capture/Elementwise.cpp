//===- Elementwise.cpp - Rules of elementwise operators -------------------===//

#include "frontends/torch/capture/Rules.h"

#include <cmath>
#include <limits>

using namespace aft;
using namespace aft::capture;

using Binary = Value (Function::*)(Operand, Operand);
using Unary = Value (Function::*)(Value);

static bool isInteger(DType dtype) {
  return dtype == DType::i8 || dtype == DType::i32 || dtype == DType::i64;
}

/// `self` and `other` in the result's element type.
static Rule binary(Binary operation) {
  return [operation](Operation &op) -> Results {
    DType dtype = op.dtype();
    return (op.f.*operation)(op.operand("self", dtype), op.operand("other", dtype));
  };
}

static Rule unary(Unary operation) {
  return [operation](Operation &op) -> Results { return (op.f.*operation)(op.as("self")); };
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
  Value high = op.f.compare(Compare::eq, x, infinity), low = op.f.compare(Compare::eq, x, -infinity);
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
// Activations
//===----------------------------------------------------------------------===//

static Results gelu(Operation &op) {
  return op.f.gelu(op.as("self"), op.text("approximate", "none") == "tanh");
}

/// log(1 + exp(x)) without overflow.
static Value softplusOf(Function &f, Value x) {
  return f.add(f.relu(x), f.log1p(f.exp(f.neg(f.abs(x)))));
}

static Results softplus(Operation &op) {
  Value x = op.as("self");
  double beta = op.number("beta", 1), threshold = op.number("threshold", 20);
  Value scaled = op.f.mul(x, beta);
  Value soft = op.f.div(softplusOf(op.f, scaled), beta);
  return op.f.where(op.f.compare(Compare::gt, scaled, threshold), x, soft);
}

static Results logSigmoid(Operation &op) {
  return op.f.neg(softplusOf(op.f, op.f.neg(op.as("self"))));
}

static Results mish(Operation &op) {
  Value x = op.as("self");
  return op.f.mul(x, op.f.tanh(softplusOf(op.f, x)));
}

static Results leakyRelu(Operation &op) {
  Value x = op.as("self");
  return op.f.where(op.f.compare(Compare::gt, x, 0), x,
                    op.f.mul(x, op.number("negative_slope", 0.01)));
}

static Results elu(Operation &op) {
  Value x = op.as("self");
  Value low = op.f.expm1(op.f.mul(op.f.minimum(x, 0), op.number("input_scale", 1)));
  return op.f.mul(op.f.where(op.f.compare(Compare::gt, x, 0), x,
                             op.f.mul(low, op.number("alpha", 1))),
                  op.number("scale", 1));
}

static Results celu(Operation &op) {
  Value x = op.as("self");
  double alpha = op.number("alpha", 1);
  Value low = op.f.mul(op.f.expm1(op.f.div(op.f.minimum(x, 0), alpha)), alpha);
  return op.f.where(op.f.compare(Compare::gt, x, 0), x, low);
}

static Results selu(Operation &op) {
  constexpr double alpha = 1.6732632423543772, scale = 1.0507009873554805;
  Value x = op.as("self"), low = op.f.mul(op.f.expm1(op.f.minimum(x, 0)), alpha);
  return op.f.mul(op.f.where(op.f.compare(Compare::gt, x, 0), x, low), scale);
}

static Results hardShrink(Operation &op) {
  Value x = op.as("self");
  return op.f.where(op.f.compare(Compare::le, op.f.abs(x), op.number("lambd", 0.5)), 0, x);
}

static Results softShrink(Operation &op) {
  Value x = op.as("self");
  double lambda = op.number("lambd", 0.5);
  return op.f.sub(op.f.relu(op.f.sub(x, lambda)), op.f.relu(op.f.sub(op.f.neg(x), lambda)));
}

static Results thresholded(Operation &op) {
  Value x = op.as("self");
  return op.f.where(op.f.compare(Compare::le, x, op.number("threshold")), op.number("value"), x);
}

/// One slope per channel, dimension 1 of x.
static Results prelu(Operation &op) {
  Value x = op.as("self"), slope = op.as("weight");
  if (x.rank() >= 2) {
    std::vector<Extent> shape(x.rank(), 1);
    shape[1] = op.f.extent(slope, 0);
    slope = op.f.reshape(slope, shape);
  }
  return op.f.where(op.f.compare(Compare::gt, x, 0), x, op.f.mul(x, slope));
}

/// relu6(x + 3) / 6
static Value hardSigmoidOf(Function &f, Value x) {
  return f.div(f.minimum(f.relu(f.add(x, 3)), 6), 6);
}

static Results hardSigmoid(Operation &op) { return hardSigmoidOf(op.f, op.as("self")); }
static Results hardSwish(Operation &op) {
  Value x = op.as("self");
  return op.f.mul(x, hardSigmoidOf(op.f, x));
}
static Results relu6(Operation &op) { return op.f.minimum(op.f.relu(op.as("self")), 6); }

static Results glu(Operation &op) {
  Value x = op.value("self");
  int dim = static_cast<int>(op.integer("dim", -1));
  Extent half = op.f.extent(x, dim) / 2;
  return op.f.mul(op.f.slice(x, dim, 0, half), op.f.sigmoid(op.f.slice(x, dim, half)));
}

static Results square(Operation &op) {
  Value x = op.as("self");
  return op.f.mul(x, x);
}
static Results reciprocal(Operation &op) { return op.f.div(1, op.as("self")); }
static Results exponentialOfTwo(Operation &op) { return op.f.exp(op.f.mul(op.as("self"), M_LN2)); }
static Results binaryLog(Operation &op) { return op.f.mul(op.f.log(op.as("self")), M_LOG2E); }
static Results decimalLog(Operation &op) { return op.f.mul(op.f.log(op.as("self")), M_LOG10E); }

//===----------------------------------------------------------------------===//
// Further functions
//===----------------------------------------------------------------------===//

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

static void addFunctions(Rules &rules) {
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

static void addActivations(Rules &rules) {
  rules["aten::sigmoid"] = rules["aten::special_expit"] = unary(&Function::sigmoid);
  rules["aten::tanh"] = unary(&Function::tanh);
  rules["aten::relu"] = unary(&Function::relu);
  rules["aten::silu"] = unary(&Function::silu);
  rules["aten::gelu"] = gelu;
  rules["aten::softplus"] = softplus;
  rules["aten::log_sigmoid"] = logSigmoid;
  rules["aten::mish"] = mish;
  rules["aten::leaky_relu"] = leakyRelu;
  rules["aten::elu"] = elu;
  rules["aten::celu"] = celu;
  rules["aten::selu"] = selu;
  rules["aten::hardshrink"] = hardShrink;
  rules["aten::softshrink"] = softShrink;
  rules["aten::threshold"] = thresholded;
  rules["aten::prelu"] = prelu;
  rules["aten::hardsigmoid"] = hardSigmoid;
  rules["aten::hardswish"] = hardSwish;
  rules["aten::relu6"] = relu6;
  rules["aten::glu"] = glu;
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
  for (const char *name : {"to", "_to_copy", "type_as", "contiguous", "clone", "alias", "lift",
                           "lift_fresh", "lift_fresh_copy", "positive", "detach_copy"})
    rules[std::string("aten::") + name] = same;
  rules["aten::detach"] = [](Operation &op) -> Results {
    return op.isTraining() ? op.f.stopGradient(op.value("self")) : op.value("self");
  };
  addChoices(rules);
  addActivations(rules);
  addFunctions(rules);
}
