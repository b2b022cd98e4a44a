//===- Factories.cpp - Rules of operators that make tensors ---------------===//

#include "frontends/torch/capture/Rules.h"

using namespace aft;
using namespace aft::capture;

static Rule filled(double number) {
  return [number](Operation &op) -> Results {
    return op.f.splat(number, op.dtype(), op.shape());
  };
}

static Value filledWith(Operation &op, Operand number) {
  if (number.isScalar)
    return op.f.splat(number.scalar, op.dtype(), op.shape());
  return op.f.expand(number.value, op.shape());
}

static Results full(Operation &op) {
  return filledWith(op, op.operand("fill_value", op.dtype()));
}

static Results fill(Operation &op) { return filledWith(op, op.operand("value", op.dtype())); }

static Results copy(Operation &op) { return op.f.expand(op.as("src"), op.shape()); }

static Results arange(Operation &op) {
  double step = op.number("step", 1);
  Extent length = op.shape()[0];
  if (!op.has("start"))
    return op.f.arange(length, op.dtype(), 0, step);
  Operand start = op.operand("start", op.dtype());
  if (start.isScalar)
    return op.f.arange(length, op.dtype(), start.scalar, step);
  return op.f.add(op.f.arange(length, op.dtype(), 0, step), start);
}

static Results linspace(Operation &op) {
  double start = op.number("start"), end = op.number("end");
  if (Extent count = op.extent("steps"); !count.isConstant()) {
    Value last = op.f.maximum(op.f.sub(op.extentValue(count, op.dtype()), 1), 1);
    Value place = op.f.div(op.f.arange(op.shape()[0], op.dtype()), last);
    return op.f.add(op.f.mul(place, end - start), start);
  }
  double steps = static_cast<double>(op.integer("steps"));
  return op.f.arange(op.shape()[0], op.dtype(), start, steps > 1 ? (end - start) / (steps - 1) : 0);
}

static Results eye(Operation &op) {
  std::vector<Extent> shape = op.shape();
  Value ones = op.f.splat(1, op.dtype(), shape);
  return op.f.tril(op.f.triu(ones, 0), 0);
}

static Results scalarTensor(Operation &op) {
  return filledWith(op, op.operand("s", op.dtype()));
}

void aft::capture::addFactoryRules(Rules &rules) {
  // What `empty` holds is undefined; here it is 0.
  for (const char *name : {"zeros", "zeros_like", "new_zeros", "empty", "empty_like", "new_empty",
                           "zero"})
    rules[std::string("aten::") + name] = filled(0);
  for (const char *name : {"ones", "ones_like", "new_ones"})
    rules[std::string("aten::") + name] = filled(1);
  for (const char *name : {"full", "full_like", "new_full"})
    rules[std::string("aten::") + name] = full;
  rules["aten::fill"] = fill;
  rules["aten::copy"] = copy;
  rules["aten::arange"] = arange;
  rules["aten::linspace"] = linspace;
  rules["aten::eye"] = eye;
  rules["aten::scalar_tensor"] = scalarTensor;
}
