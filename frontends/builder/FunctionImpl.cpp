//===- FunctionImpl.cpp - Errors, values and text of a function -----------===//

#include "frontends/builder/FunctionImpl.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

using namespace aft;
using Impl = Function::Impl;

//===----------------------------------------------------------------------===//
// Errors
//===----------------------------------------------------------------------===//

Value Impl::fail(const char *operation, const std::string &message) {
  std::string place = "@" + name + (location.empty() ? "" : ", " + location);
  std::string error = place + ": " + operation + ": " + message;
  // One operation may ask for the same thing several times.
  if (errors.empty() || errors.back() != error)
    errors.push_back(error);
  return {};
}

bool Impl::check(const char *operation, const std::vector<Value> &values) {
  current = operation;
  for (Value value : values) {
    if (!value) {
      if (errors.empty())
        fail(operation, "an operand is an empty value");
      return false;
    }
    if (value.function != self) {
      fail(operation, "an operand is a value of function '" + value.function->name() + "'");
      return false;
    }
  }
  return true;
}

bool Impl::checkFloat(const char *operation, Value value, const char *what) {
  if (isFloat(node(value).type.dtype))
    return true;
  fail(operation, std::string(what) + " must have element type f32, f64 or bf16, found " +
                      typeTextOf(value));
  return false;
}

bool Impl::checkSameType(const char *operation, Value a, Value b, const char *what) {
  if (node(a).type.dtype == node(b).type.dtype)
    return true;
  fail(operation, std::string(what) + " must have one element type, found " + typeTextOf(a) +
                      " and " + typeTextOf(b));
  return false;
}

bool Impl::checkElementType(const char *operation, DType dtype) {
  if (sizeOf(dtype) > 0)
    return true;
  fail(operation, "expected an element type, found number " +
                      std::to_string(static_cast<int>(dtype)) + " of DType");
  return false;
}

bool Impl::checkNumber(const char *operation, double value, DType dtype) {
  if (!checkElementType(operation, dtype))
    return false;
  if (!isInteger(dtype))
    return true;
  // Both bounds are powers of two, which a double has.
  double bound = std::ldexp(1.0, static_cast<int>(sizeOf(dtype)) * 8 - 1);
  if (value == std::trunc(value) && value >= -bound && value < bound)
    return true;
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", value);
  fail(operation,
       std::string("expected a whole number that is an ") + aft::nameOf(dtype) + ", found " + text);
  return false;
}

std::optional<int> Impl::dimension(const char *operation, int dim, int rank) {
  if (rank == 0) {
    fail(operation,
         "expected rank 1 or more, found dimension " + std::to_string(dim) + " of a scalar");
    return std::nullopt;
  }
  int found = dim < 0 ? dim + rank : dim;
  if (found >= 0 && found < rank)
    return found;
  fail(operation, "dimension must be in [" + std::to_string(-rank) + ", " +
                      std::to_string(rank - 1) + "], found " + std::to_string(dim));
  return std::nullopt;
}

std::optional<std::vector<int>> Impl::dimensions(const char *operation,
                                                 const std::vector<int> &dims, int rank) {
  std::vector<int> result;
  for (int dim : dims) {
    std::optional<int> found = dimension(operation, dim, rank);
    if (!found)
      return std::nullopt;
    if (std::count(result.begin(), result.end(), *found)) {
      fail(operation, "dimension " + std::to_string(dim) + " is given twice");
      return std::nullopt;
    }
    result.push_back(*found);
  }
  return result;
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

Shape Impl::shapeOf(Value value) const {
  Shape shape;
  for (const Polynomial &extent : nodes[value.id].shape)
    shape.push_back(canonical(extent));
  return shape;
}

Polynomial Impl::extentOf(Value value, int dim) const {
  return canonical(nodes[value.id].shape[dim]);
}

TensorType Impl::typeOf(DType dtype, const Shape &shape) const {
  TensorType type{dtype, {}};
  for (const Polynomial &extent : shape)
    type.shape.push_back(canonical(extent).constant().value_or(kDynamic));
  return type;
}

bool Impl::checkExtents(const Shape &shape) {
  for (const Polynomial &extent : shape)
    if (canonical(extent).constant().value_or(0) < 0) {
      fail(current.c_str(), "expected extents of 0 or more, found shape " + describe(shape));
      return false;
    }
  return true;
}

Value Impl::refined(Value value) {
  Shape shape = shapeOf(value);
  if (!checkExtents(shape))
    return value;
  TensorType type = typeOf(node(value).type.dtype, shape);
  if (type.shape == node(value).type.shape)
    return value;
  return retyped(value, type, shape);
}

Value Impl::retyped(Value value, const TensorType &type, const Shape &shape) {
  Value result =
      record("tensor.cast " + nameOf(value) + " : " + typeTextOf(value) + " to " + typeText(type),
             {{type.dtype, shape}})
          .front();
  node(result).type = type;
  return result;
}

//===----------------------------------------------------------------------===//
// Text
//===----------------------------------------------------------------------===//

void Impl::line(const std::string &content) {
  text += "    " + content;
  if (!location.empty())
    text += " loc(" + quoted(location) + ")";
  text += "\n";
}

std::string Impl::constantIndex(int64_t value) {
  auto [entry, isNew] = extentNames.try_emplace(Polynomial(value));
  if (isNew) {
    entry->second = fresh();
    line(entry->second + " = arith.constant " + std::to_string(value) + " : index");
  }
  return entry->second;
}

Value Impl::define(const std::string &content, DType dtype, const Shape &shape) {
  return defineAll(content, {{dtype, shape}}).front();
}

std::vector<Value> Impl::defineAll(const std::string &content,
                                   const std::vector<std::pair<DType, Shape>> &results) {
  for (const auto &[dtype, shape] : results) {
    if (!checkExtents(shape))
      return std::vector<Value>(results.size());
    if (TensorType type = typeOf(dtype, shape); !isCountable(type)) {
      fail(current.c_str(), "expected a result of at most 10^18 bytes, found shape " +
                                describe(shape) + " of " + aft::nameOf(dtype));
      return std::vector<Value>(results.size());
    }
  }
  return record(content, results);
}

std::vector<Value> Impl::record(const std::string &content,
                                const std::vector<std::pair<DType, Shape>> &results) {
  std::vector<Value> values;
  std::string base = fresh();
  for (const auto &[dtype, shape] : results) {
    TensorType type = typeOf(dtype, shape);
    int id = static_cast<int>(nodes.size());
    std::string suffix = results.size() > 1 ? "#" + std::to_string(values.size()) : "";
    nodes.push_back({base + suffix, type, shape});
    for (size_t dim = 0; dim < shape.size(); ++dim)
      if (type.shape[dim] == kDynamic)
        extentHomes.try_emplace(canonical(shape[dim]), id, static_cast<int>(dim));
    values.push_back(Value(self, id));
  }
  std::string count = results.size() > 1 ? ":" + std::to_string(results.size()) : "";
  line(base + count + " = " + content);
  return values;
}

Value Impl::empty(DType dtype, const Shape &shape) {
  Strings sizes;
  for (const Polynomial &extent : shape)
    if (!canonical(extent).constant())
      sizes.push_back(materialise(extent));
  return define("tensor.empty(" + joined(sizes) + ") : " + typeText(typeOf(dtype, shape)), dtype,
                shape);
}

Value Impl::filled(const std::string &scalar, DType dtype, const Shape &shape) {
  Value target = empty(dtype, shape);
  if (!target)
    return {};
  std::string number = fresh();
  line(number + " = arith.constant " + scalar);
  return define("linalg.fill ins(" + number + " : " + aft::nameOf(dtype) + ") outs(" +
                    nameOf(target) + " : " + typeTextOf(target) + ") -> " + typeTextOf(target),
                dtype, shape);
}

Value Impl::splat(const std::string &scalar, DType dtype, const Shape &shape) {
  TensorType type = typeOf(dtype, shape);
  // A large constant would be written out where it cannot become part of a kernel.
  double elements = 1;
  for (int64_t extent : type.shape)
    elements *= static_cast<double>(extent);
  if (std::count(type.shape.begin(), type.shape.end(), kDynamic) || elements > kMostSplat)
    return filled(scalar, dtype, shape);
  std::string number = scalar.substr(0, scalar.find(" :"));
  return define("arith.constant dense<" + number + "> : " + typeText(type), dtype, shape);
}

Value Impl::generic(const std::vector<GenericOperand> &inputs, DType dtype, const Shape &shape,
                    const Emit &emit, int reductions, Value init) {
  std::vector<int> loops(shape.size());
  for (size_t loop = 0; loop < loops.size(); ++loop)
    loops[loop] = static_cast<int>(loop);
  return generic(inputs, static_cast<int>(loops.size()) + reductions, dtype, shape, loops, init,
                 emit);
}

Value Impl::generic(const std::vector<GenericOperand> &inputs, int loops, DType dtype,
                    const Shape &shape, const std::vector<int> &resultLoops, Value init,
                    const Emit &emit) {
  Strings maps, iterators(loops, "\"reduction\""), names, types, arguments, scalars;
  for (const GenericOperand &input : inputs) {
    if (!input.value)
      return {};
    Value value = refined(input.value);
    maps.push_back(mapText(loops, input.loops));
    names.push_back(nameOf(value));
    types.push_back(typeTextOf(value));
    scalars.push_back("%a" + std::to_string(scalars.size()));
    arguments.push_back(scalars.back() + ": " + aft::nameOf(node(value).type.dtype));
  }
  if (!init)
    init = empty(dtype, shape);
  if (!init)
    return {};
  for (int loop : resultLoops)
    iterators[loop] = "\"parallel\"";
  maps.push_back(mapText(loops, resultLoops));
  scalars.push_back("%out");
  arguments.push_back("%out: " + std::string(aft::nameOf(dtype)));
  Body body(*this);
  std::string result = emit(body, scalars);
  std::string ins =
      inputs.empty() ? "" : " ins(" + joined(names) + " : " + joined(types) + ")";
  std::string type = typeTextOf(init);
  return define("linalg.generic {indexing_maps = [" + joined(maps) + "], iterator_types = [" +
                    joined(iterators) + "]}" + ins + " outs(" + nameOf(init) + " : " + type +
                    ") {\n    ^bb0(" + joined(arguments) + "):\n" + body.text +
                    "      linalg.yield " + result + " : " + aft::nameOf(dtype) + "\n    } -> " +
                    type,
                dtype, shape);
}
