//===- Operation.cpp - One captured call while it is translated -----------===//

#include "frontends/torch/capture/Operation.h"

#include "frontends/torch/capture/Translation.h"
#include "frontends/torch/ops/Kernels.h"

#include <ATen/ATen.h>

#include <cmath>

using namespace aft;
using namespace aft::capture;
using Kind = Arg::Kind;

Operation::Operation(Translation &translation, size_t call)
    : f(translation.function), translation(translation), number_(call),
      call(translation.capture.trace().calls[call]) {}

void Operation::fail(const std::string &message) const { translation.fail(number_, message); }

//===----------------------------------------------------------------------===//
// Finding arguments
//===----------------------------------------------------------------------===//

const Arg *Operation::find(const char *name) const {
  const Arg *found = call.arg(name);
  return found && found->kind != Kind::None ? found : nullptr;
}

bool Operation::has(const char *name) const { return find(name) != nullptr; }

const Arg &Operation::arg(const char *name) const {
  const Arg *found = find(name);
  if (!found)
    fail(std::string("expected an argument '") + name + "', found none");
  return *found;
}

size_t Operation::indexOf(const char *name) const {
  return static_cast<size_t>(&arg(name) - call.args.data());
}

//===----------------------------------------------------------------------===//
// Tensors
//===----------------------------------------------------------------------===//

Value Operation::value(const char *name) {
  const Arg &found = arg(name);
  if (found.kind != Kind::Value)
    fail(std::string("argument '") + name + "' must be a tensor");
  Value value = translation.valueOf(found.values[0]);
  if (!value)
    fail(std::string("argument '") + name + "' is a result of an operator that is not supported");
  return value;
}

Value Operation::optional(const char *name) { return has(name) ? value(name) : Value(); }

Value Operation::as(const char *name, DType dtype) { return f.cast(value(name), dtype); }

std::vector<Value> Operation::values(const char *name) {
  std::vector<Value> values;
  for (int id : arg(name).values)
    values.push_back(id < 0 ? Value() : translation.valueOf(id));
  return values;
}

Operand Operation::operand(const char *name, DType dtype) {
  const Arg &found = arg(name);
  if (found.kind == Kind::Value)
    return as(name, dtype);
  if (found.kind == Kind::Double)
    return real(name, dtype);
  if (found.kind != Kind::Int)
    return number(name);
  Extent size = extent(name);
  return size.isConstant() ? Operand(size.constant()) : Operand(extentValue(size, dtype));
}

/// A floating-point number, computed where it depends on sizes.
Operand Operation::real(const char *name, DType dtype) {
  RealFormula formula = translation.capture.numberOf(number_, indexOf(name));
  if (formula.extents.empty())
    return formula.scale;
  Extent base = formula.offset;
  Extent product = 1;
  for (int extent : formula.extents)
    product = product * translation.sizeOf(extent);
  Value x = extentValue(product + base, DType::f64);
  if (formula.isLog)
    x = f.log(x);
  else if (formula.power == 0.5 || formula.power == -0.5)
    x = f.sqrt(x);
  else if (std::abs(formula.power) == 2)
    x = f.mul(x, x);
  x = !formula.isLog && formula.power < 0 ? f.div(formula.scale, x) : f.mul(x, formula.scale);
  return f.cast(x, dtype);
}

const at::Tensor &Operation::recorded(const char *name) const {
  const Arg &found = arg(name);
  if (found.kind != Kind::Value)
    fail(std::string("argument '") + name + "' must be a tensor");
  return translation.capture.trace().values[found.values[0]].tensor;
}

bool Operation::isNeverNegative(const char *name) {
  const Arg &found = arg(name);
  return found.kind == Kind::Value && translation.isNeverNegative(found.values[0]);
}

DType Operation::commonType(const char *a, const char *b) const {
  auto scalar = [&](const char *name) {
    const Arg &found = arg(name);
    if (found.kind == Kind::Double)
      return at::Scalar(found.doubles[0]);
    return found.kind == Kind::Bool ? at::Scalar(found.ints[0] != 0) : at::Scalar(found.ints[0]);
  };
  bool tensorA = arg(a).kind == Kind::Value, tensorB = arg(b).kind == Kind::Value;
  at::ScalarType type = tensorA && tensorB ? at::result_type(recorded(a), recorded(b))
                        : tensorA          ? at::result_type(recorded(a), scalar(b))
                                           : at::result_type(scalar(a), recorded(b));
  return ops::dtypeOf(type);
}

//===----------------------------------------------------------------------===//
// Numbers
//===----------------------------------------------------------------------===//

std::vector<int64_t> Operation::integers(const char *name) {
  std::vector<int64_t> numbers;
  for (Extent extent : extents(name)) {
    if (!extent.isConstant())
      fail(std::string("argument '") + name +
           "' must be the same at all sizes of the module's inputs");
    numbers.push_back(extent.constant());
  }
  return numbers;
}

std::vector<double> Operation::numbers(const char *name) {
  const Arg &found = arg(name);
  if (found.kind != Kind::Doubles)
    fail(std::string("argument '") + name + "' must be a list of numbers");
  return found.doubles;
}

int64_t Operation::integer(const char *name, int64_t missing) {
  return has(name) ? integers(name).at(0) : missing;
}

std::vector<int> Operation::dims(const char *name) {
  if (!has(name))
    return {};
  std::vector<int64_t> numbers = integers(name);
  return {numbers.begin(), numbers.end()};
}

double Operation::number(const char *name, double missing) {
  if (!has(name))
    return missing;
  const Arg &found = arg(name);
  if (found.kind == Kind::Double)
    return found.doubles[0];
  if (found.kind == Kind::Bool)
    return static_cast<double>(found.ints[0]);
  return static_cast<double>(integer(name));
}

bool Operation::flag(const char *name, bool missing) {
  return has(name) ? arg(name).ints.at(0) != 0 : missing;
}

std::string Operation::text(const char *name, const std::string &missing) {
  return has(name) ? arg(name).text : missing;
}

std::vector<Extent> Operation::extents(const char *name) {
  std::vector<Extent> found;
  for (size_t i = 0; i < arg(name).ints.size(); ++i)
    found.push_back(translation.extent(translation.capture.sizeOf(number_, indexOf(name), i)));
  return found;
}

Extent Operation::extent(const char *name, Extent missing) {
  if (!has(name))
    return missing;
  std::vector<Extent> found = extents(name);
  if (found.size() != 1)
    fail(std::string("argument '") + name + "' must be one number");
  return found[0];
}

Value Operation::extentValue(Extent extent, DType dtype) {
  if (extent.isConstant())
    return f.splat(static_cast<double>(extent.constant()), dtype, {});
  return f.number(extent, dtype);
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

size_t Operation::resultCount() const { return call.results.size(); }

DType Operation::dtype(size_t result) const {
  return ops::dtypeOf(translation.capture.trace().values[call.results[result]].dtype());
}

std::vector<Extent> Operation::shape(size_t result) const {
  int id = call.results[result];
  std::vector<Extent> extents;
  for (int dim = 0; dim < translation.capture.trace().values[id].tensor.dim(); ++dim)
    extents.push_back(translation.extent(translation.capture.dimOf(id, dim)));
  return extents;
}

bool Operation::isFloat(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::bf16;
}

bool Operation::isTraining() const { return translation.training; }

Value Operation::seed() { return translation.seed(); }

Value Operation::source() { return f.cast(translation.valueOf(call.source), dtype()); }

Extent Operation::sourceExtent(int dim) const {
  return translation.extent(translation.capture.dimOf(call.source, dim));
}
