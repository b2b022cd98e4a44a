//===- Elementwise.cpp - Arithmetic with broadcasting ----------------------===//

#include "frontends/builder/FunctionImpl.h"

#include <algorithm>
#include <cmath>

using namespace aft;
using Impl = Function::Impl;

std::optional<Shape> Impl::broadcast(const char *operation, const std::vector<Shape> &shapes) {
  size_t rank = 0;
  for (const Shape &shape : shapes)
    rank = std::max(rank, shape.size());
  Shape result(rank, Polynomial(1));
  for (const Shape &shape : shapes)
    for (size_t dim = 0; dim < shape.size(); ++dim) {
      Polynomial &extent = result[rank - shape.size() + dim];
      extent = canonical(extent);
      Polynomial found = canonical(shape[dim]);
      if (found.is(1))
        continue;
      if (!extent.is(1) && !unify(extent, found)) {
        std::string all;
        for (const Shape &each : shapes)
          all += (all.empty() ? "" : " and ") + describe(each);
        fail(operation, "expected shapes that broadcast, found " + all);
        return std::nullopt;
      }
      if (extent.is(1) || found.constant())
        extent = found;
    }
  for (Polynomial &extent : result)
    extent = canonical(extent);
  return result;
}

/// Drops the dimensions that repeat, so that the indexing map leaves them out.
static GenericOperand broadcastOperand(Impl &impl, Value value, const Shape &result) {
  Shape shape = impl.shapeOf(value);
  std::vector<bool> drop(shape.size());
  std::vector<int> loops;
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    size_t loop = result.size() - shape.size() + dim;
    drop[dim] = shape[dim].is(1) && !result[loop].is(1);
    if (!drop[dim])
      loops.push_back(static_cast<int>(loop));
  }
  return {impl.dropUnits(value, drop), loops};
}

Value Impl::dropUnits(Value x, const std::vector<bool> &drop) {
  Shape kept, shape = shapeOf(x);
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (!drop[dim])
      kept.push_back(shape[dim]);
  return viewAs(x, kept);
}

Value Impl::elementwise(const char *operation, const std::vector<Operand> &operands,
                        const Emit &emit, std::optional<DType> result, size_t conditions) {
  std::vector<Shape> shapes;
  Value first;
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].isScalar)
      continue;
    Value value = operands[i].value;
    if (!check(operation, {value}))
      return {};
    shapes.push_back(shapeOf(value));
    if (i < conditions)
      continue;
    if (first && !checkSameType(operation, first, value, "the operands"))
      return {};
    first = first ? first : value;
  }
  if (shapes.empty())
    return fail(operation, "expected a tensor among the operands, found numbers only");
  DType dtype = first ? node(first).type.dtype : DType::f32, wide = accumulationOf(dtype);
  std::optional<Shape> shape = broadcast(operation, shapes);
  if (!shape)
    return {};
  for (size_t i = conditions; i < operands.size(); ++i)
    if (operands[i].isScalar && !checkNumber(operation, operands[i].scalar, dtype))
      return {};
  std::vector<GenericOperand> inputs;
  for (const Operand &operand : operands)
    if (!operand.isScalar)
      inputs.push_back(broadcastOperand(*this, operand.value, *shape));
  return generic(inputs, result.value_or(dtype), *shape, [&](Body &body, const Strings &args) {
    Strings values;
    size_t next = 0;
    for (size_t i = 0; i < operands.size(); ++i) {
      bool condition = i < conditions;
      values.push_back(operands[i].isScalar ? body.number(operands[i].scalar, wide)
                       : condition          ? args[next++]
                                            : body.convert(args[next++], dtype, wide));
    }
    std::string value = emit(body, values);
    return result ? value : body.convert(value, wide, dtype);
  });
}

//===----------------------------------------------------------------------===//
// Two operands
//===----------------------------------------------------------------------===//

/// The type both operands are computed in; nothing after an error.
static std::optional<DType> computeType(Impl &impl, const char *operation,
                                        const std::vector<Operand> &operands, bool onlyFloat) {
  for (const Operand &operand : operands) {
    if (operand.isScalar || !impl.check(operation, {operand.value}))
      continue;
    DType dtype = operand.value.dtype();
    if (isFloat(dtype) || (!onlyFloat && isInteger(dtype)))
      return accumulationOf(dtype);
    impl.fail(operation, std::string("expected element type ") +
                             (onlyFloat ? "f32, f64 or bf16" : "of a number") + ", found " +
                             impl.typeTextOf(operand.value));
    return std::nullopt;
  }
  if (std::all_of(operands.begin(), operands.end(), [](const Operand &o) { return o.isScalar; }))
    impl.fail(operation, "expected a tensor among the operands, found numbers only");
  return std::nullopt;
}

static Value binary(Impl &impl, const char *operation, Operand a, Operand b, const char *real,
                    const char *integer) {
  std::optional<DType> wide = computeType(impl, operation, {a, b}, integer == nullptr);
  if (!wide)
    return {};
  return impl.elementwise(operation, {a, b}, [&](Body &body, const Strings &args) {
    return body.op(isFloat(*wide) ? real : integer, {args[0], args[1]}, *wide);
  });
}

/// Rounded towards zero. The processor's division ends the process for a divisor of 0 and for
/// the least integer by -1: these are 0, and the least integer.
static std::string quotientOf(Body &body, const std::string &a, const std::string &b,
                              const Operand &divisor, DType dtype) {
  if (divisor.isScalar && divisor.scalar != -1)
    return body.op("arith.divsi", {a, b}, dtype);
  std::string zero = body.number(0, dtype), one = body.number(1, dtype);
  std::string isZero = body.compare(Compare::eq, b, zero, dtype);
  std::string isMinus = body.compare(Compare::eq, b, body.number(-1, dtype), dtype);
  std::string isSpecial = body.op("arith.ori", {isZero, isMinus}, DType::i1);
  std::string plain = body.op("arith.divsi", {a, body.select(isSpecial, one, b, dtype)}, dtype);
  std::string negated = body.op("arith.subi", {zero, a}, dtype);
  return body.select(isZero, zero, body.select(isMinus, negated, plain, dtype), dtype);
}

Value Function::add(Operand a, Operand b) {
  return binary(*impl, "add", a, b, "arith.addf", "arith.addi");
}
Value Function::sub(Operand a, Operand b) {
  return binary(*impl, "sub", a, b, "arith.subf", "arith.subi");
}
Value Function::mul(Operand a, Operand b) {
  return binary(*impl, "mul", a, b, "arith.mulf", "arith.muli");
}
Value Function::div(Operand a, Operand b) {
  std::optional<DType> wide = computeType(*impl, "div", {a, b}, /*onlyFloat=*/false);
  if (!wide || isFloat(*wide))
    return wide ? binary(*impl, "div", a, b, "arith.divf", nullptr) : Value();
  if (b.isScalar && b.scalar == 0)
    return impl->fail("div", "expected a number other than 0 to divide integers by, found 0");
  return impl->elementwise("div", {a, b}, [&](Body &body, const Strings &args) {
    return quotientOf(body, args[0], args[1], b, *wide);
  });
}
Value Function::maximum(Operand a, Operand b) {
  return binary(*impl, "maximum", a, b, "arith.maximumf", "arith.maxsi");
}
Value Function::minimum(Operand a, Operand b) {
  return binary(*impl, "minimum", a, b, "arith.minimumf", "arith.minsi");
}

Value Function::pow(Operand a, Operand b) {
  // Small whole powers are products, which are exact for negative numbers too.
  if (!a.isScalar && b.isScalar && (b.scalar == 2 || b.scalar == 3)) {
    Value square = mul(a, a);
    return b.scalar == 2 ? square : mul(square, a);
  }
  return binary(*impl, "pow", a, b, "math.powf", nullptr);
}

Value Function::compare(Compare kind, Operand a, Operand b) {
  DType dtype = a.isScalar ? b.value.dtype() : a.value.dtype(), wide = accumulationOf(dtype);
  if (kind < Compare::eq || kind > Compare::ge)
    return impl->fail("compare", "expected a kind of Compare, found number " +
                                     std::to_string(static_cast<int>(kind)));
  return impl->elementwise(
      "compare", {a, b},
      [&](Body &body, const Strings &args) { return body.compare(kind, args[0], args[1], wide); },
      DType::i1);
}

static Value logical(Impl &impl, const char *operation, std::vector<Operand> operands,
                     const char *name) {
  for (const Operand &operand : operands) {
    if (!operand.isScalar && !impl.check(operation, {operand.value}))
      return {};
    if (!operand.isScalar && operand.value.dtype() != DType::i1)
      return impl.fail(operation, "expected element type i1, found " +
                                      impl.typeTextOf(operand.value));
  }
  return impl.elementwise(operation, operands, [&](Body &body, const Strings &args) {
    return body.op(name, {args[0], args[1]}, DType::i1);
  });
}

Value Function::logicalAnd(Value a, Value b) {
  return logical(*impl, "logicalAnd", {a, b}, "arith.andi");
}
Value Function::logicalOr(Value a, Value b) {
  return logical(*impl, "logicalOr", {a, b}, "arith.ori");
}
Value Function::logicalNot(Value a) { return logical(*impl, "logicalNot", {a, 1}, "arith.xori"); }

Value Function::where(Value condition, Operand yes, Operand no) {
  if (!impl->check("where", {condition}))
    return {};
  if (condition.dtype() != DType::i1)
    return impl->fail("where", "the condition must have element type i1, found " +
                                   impl->typeTextOf(condition));
  DType dtype = !yes.isScalar ? yes.value.dtype() : !no.isScalar ? no.value.dtype() : DType::f32;
  DType wide = accumulationOf(dtype);
  return impl->elementwise(
      "where", {condition, yes, no},
      [&](Body &body, const Strings &args) {
        return body.select(args[0], args[1], args[2], wide);
      },
      std::nullopt, /*conditions=*/1);
}

//===----------------------------------------------------------------------===//
// One operand
//===----------------------------------------------------------------------===//

Value Impl::unary(const char *operation, Value x, const Emit &emit) {
  if (!check(operation, {x}) || !checkFloat(operation, x, "the operand"))
    return {};
  return elementwise(operation, {x}, emit);
}

Value Impl::unaryMath(const char *operation, Value x, const char *name) {
  return unary(operation, x, [&](Body &body, const Strings &args) {
    return body.op(name, {args[0]}, accumulationOf(node(x).type.dtype));
  });
}

Value Function::neg(Value x) {
  if (x && isInteger(x.dtype()))
    return sub(0, x);
  return impl->unaryMath("neg", x, "arith.negf");
}
Value Function::abs(Value x) {
  if (x && isInteger(x.dtype()))
    return maximum(x, sub(0, x));
  return impl->unaryMath("abs", x, "math.absf");
}
Value Function::exp(Value x) { return impl->unaryMath("exp", x, "math.exp"); }
Value Function::expm1(Value x) { return impl->unaryMath("expm1", x, "math.expm1"); }
Value Function::log1p(Value x) { return impl->unaryMath("log1p", x, "math.log1p"); }
Value Function::floor(Value x) { return impl->unaryMath("floor", x, "math.floor"); }
Value Function::trunc(Value x) { return impl->unaryMath("trunc", x, "math.trunc"); }
Value Function::log(Value x) { return impl->unaryMath("log", x, "math.log"); }
Value Function::sqrt(Value x) { return impl->unaryMath("sqrt", x, "math.sqrt"); }
Value Function::tanh(Value x) { return impl->unaryMath("tanh", x, "math.tanh"); }
Value Function::erf(Value x) { return impl->unaryMath("erf", x, "math.erf"); }
Value Function::sin(Value x) { return impl->unaryMath("sin", x, "math.sin"); }
Value Function::cos(Value x) { return impl->unaryMath("cos", x, "math.cos"); }

Value Function::rsqrt(Value x) {
  return impl->unary("rsqrt", x, [&](Body &body, const Strings &args) {
    DType wide = accumulationOf(x.dtype());
    std::string root = body.op("math.sqrt", {args[0]}, wide);
    return body.op("arith.divf", {body.number(1, wide), root}, wide);
  });
}

/// 1 / (1 + exp(-x))
static std::string sigmoidOf(Body &body, const std::string &x, DType dtype) {
  std::string one = body.number(1, dtype);
  std::string power = body.op("math.exp", {body.op("arith.negf", {x}, dtype)}, dtype);
  return body.op("arith.divf", {one, body.op("arith.addf", {one, power}, dtype)}, dtype);
}

Value Function::sigmoid(Value x) {
  return impl->unary("sigmoid", x, [&](Body &body, const Strings &args) {
    return sigmoidOf(body, args[0], accumulationOf(x.dtype()));
  });
}

Value Function::relu(Value x) {
  return impl->unary("relu", x, [&](Body &body, const Strings &args) {
    DType wide = accumulationOf(x.dtype());
    // Not a maximum: the derivative at 0 is 0, and NaN passes.
    std::string zero = body.number(0, wide);
    std::string positive =
        body.assign("arith.cmpf ugt, " + args[0] + ", " + zero + " : " + nameOf(wide));
    return body.select(positive, args[0], zero, wide);
  });
}

Value Function::silu(Value x) {
  return impl->unary("silu", x, [&](Body &body, const Strings &args) {
    DType wide = accumulationOf(x.dtype());
    return body.op("arith.mulf", {args[0], sigmoidOf(body, args[0], wide)}, wide);
  });
}

/// x/2 * (1 + erf(x / sqrt 2)), or tanh(sqrt(2/pi) * (x + 0.044715 x^3)) in
/// place of erf.
Value Function::gelu(Value x, bool tanhApproximation) {
  return impl->unary("gelu", x, [&](Body &body, const Strings &args) {
    DType wide = accumulationOf(x.dtype());
    auto mul = [&](const std::string &a, const std::string &b) {
      return body.op("arith.mulf", {a, b}, wide);
    };
    auto add = [&](const std::string &a, const std::string &b) {
      return body.op("arith.addf", {a, b}, wide);
    };
    const std::string &v = args[0];
    std::string inner;
    if (tanhApproximation) {
      std::string cube = mul(mul(mul(v, v), v), body.number(0.044715, wide));
      inner = mul(add(v, cube), body.number(std::sqrt(2 / M_PI), wide));
      inner = body.op("math.tanh", {inner}, wide);
    } else {
      inner = body.op("math.erf", {mul(v, body.number(std::sqrt(0.5), wide))}, wide);
    }
    return mul(mul(v, body.number(0.5, wide)), add(inner, body.number(1, wide)));
  });
}

Value Function::cast(Value x, DType dtype) {
  if (!impl->check("cast", {x}) || !impl->checkElementType("cast", dtype))
    return {};
  DType from = x.dtype();
  if (from == dtype)
    return x;
  std::vector<int> loops(x.rank());
  for (int loop = 0; loop < x.rank(); ++loop)
    loops[loop] = loop;
  return impl->generic({{x, loops}}, dtype, impl->shapeOf(x),
                       [&](Body &body, const Strings &args) {
                         return body.convert(args[0], from, dtype);
                       });
}

Value Function::stopGradient(Value x) {
  if (!impl->check("stopGradient", {x}))
    return {};
  Value source = impl->refined(x);
  std::string type = impl->typeTextOf(source);
  return impl->define("aft.stop_gradient " + impl->nameOf(source) + " : (" + type + ") -> " + type,
                      x.dtype(), impl->shapeOf(source));
}
