//===- Function.cpp - Arguments, results and constants of a function -------===//

#include "frontends/builder/FunctionImpl.h"

#include <algorithm>
#include <cstring>

using namespace aft;
using Impl = Function::Impl;

Function::Function(std::unique_ptr<Impl> content) : impl(std::move(content)) {
  impl->self = this;
}
Function::~Function() = default;

const std::string &Function::name() const { return impl->name; }
void Function::setLocation(const std::string &location) { impl->location = location; }

const TensorType &Value::type() const {
  static const TensorType none;
  return function ? function->get().nodes[id].type : none;
}

int64_t Value::dim(int dimension) const {
  int found = dimension < 0 ? dimension + rank() : dimension;
  return found >= 0 && found < rank() ? type().shape[found] : 0;
}

//===----------------------------------------------------------------------===//
// Arguments and results
//===----------------------------------------------------------------------===//

Value Impl::argument(const std::string &argumentName, const TensorType &type, bool isParameter) {
  const char *kind = isParameter ? "parameter" : "input";
  if (!checkElementType(kind, type.dtype))
    return {};
  for (const Argument &other : arguments)
    if (!argumentName.empty() && other.name == argumentName)
      return fail(kind, "the name '" + argumentName + "' is used twice");
  if (isParameter && !isFloat(type.dtype))
    return fail(kind, "'" + argumentName + "' must have element type f32, f64 or bf16, found " +
                          typeText(type));
  if (type.shape.size() > kMostRank)
    return fail(kind, "'" + argumentName + "' must have a rank of at most " +
                          std::to_string(kMostRank) + ", found " +
                          std::to_string(type.shape.size()));
  Shape shape;
  for (int64_t extent : type.shape) {
    if (extent < kDynamic)
      return fail(kind, "'" + argumentName +
                            "' must have extents of 0 or more, or kDynamic, found " +
                            std::to_string(extent));
    shape.push_back(extent == kDynamic ? newSymbol() : Polynomial(extent));
  }
  if (!isCountable(type))
    return fail(kind,
                "'" + argumentName + "' must have at most 10^18 bytes, found " + typeText(type));
  int id = static_cast<int>(nodes.size());
  nodes.push_back({"%arg" + std::to_string(arguments.size()), type, shape});
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (type.shape[dim] == kDynamic)
      extentHomes.try_emplace(shape[dim], id, static_cast<int>(dim));
  arguments.push_back({argumentName, id, isParameter});
  return Value(self, id);
}

Value Function::input(const std::string &name, const TensorType &type) {
  return impl->argument(name, type, false);
}

Value Function::parameter(const std::string &name, const TensorType &type) {
  return impl->argument(name, type, true);
}

void Function::limit(Value input, int dimension, int64_t least, int64_t most) {
  if (!impl->check("limit", {input}))
    return;
  size_t rank = input.type().shape.size();
  std::optional<int> dim = impl->dimension("limit", dimension, static_cast<int>(rank));
  auto argument = std::find_if(impl->arguments.begin(), impl->arguments.end(),
                               [&](const Impl::Argument &each) { return each.node == input.id; });
  if (argument == impl->arguments.end())
    impl->fail("limit", "expected an input, found the result of an operation");
  else if (least < 0 || least > most)
    impl->fail("limit", "'" + argument->name + "' must have a least extent from 0 to the most, " +
                            "found " + std::to_string(least) + " and " + std::to_string(most));
  else if (int64_t extent = dim ? input.type().shape[*dim] : kDynamic;
           extent != kDynamic && (extent < least || extent > most))
    impl->fail("limit", "'" + argument->name + "' has the extent " + std::to_string(extent) +
                            " in dimension " + std::to_string(*dim) + ", expected one from " +
                            std::to_string(least) + " to " + std::to_string(most));
  else if (dim) {
    argument->limits.resize(rank);
    argument->limits[*dim] = {least, most};
  }
}

void Function::output(Value value, const std::string &name, int aliasOfInput) {
  if (!impl->check("output", {value}))
    return;
  int count = static_cast<int>(impl->arguments.size());
  if (aliasOfInput < -1 || aliasOfInput >= count) {
    impl->fail("output", "'" + name + "' aliases input " + std::to_string(aliasOfInput) +
                             ", but there are " + std::to_string(count) + " inputs");
    return;
  }
  for (const Impl::Output &other : impl->outputs) {
    if (!name.empty() && other.name == name) {
      impl->fail("output", "the name '" + name + "' is used twice");
      return;
    }
    if (aliasOfInput >= 0 && other.alias == aliasOfInput) {
      impl->fail("output", "'" + name + "' updates input " + std::to_string(aliasOfInput) +
                               " in place, which '" + other.name + "' does already");
      return;
    }
  }
  value = impl->refined(value);
  if (aliasOfInput >= 0) {
    const TensorType &expected = impl->nodes[impl->arguments[aliasOfInput].node].type;
    const TensorType &found = value.type();
    if (expected.dtype != found.dtype || expected.shape != found.shape) {
      impl->fail("output", "'" + name + "' updates input " + std::to_string(aliasOfInput) +
                               " in place and must be " + typeText(expected) + ", found " +
                               typeText(found));
      return;
    }
  }
  impl->outputs.push_back({name, value, aliasOfInput});
}

std::string Impl::functionText() const {
  Strings inputs, types, names, values;
  for (const Argument &argument : arguments) {
    Strings attributes;
    if (!argument.name.empty())
      attributes.push_back("aft.name = " + quoted(argument.name));
    if (argument.isParameter)
      attributes.push_back("aft.param");
    Strings limits;
    for (auto [least, most] : argument.limits)
      limits.push_back(std::to_string(least) + ", " + std::to_string(most));
    if (!limits.empty())
      attributes.push_back("aft.limits = array<i64: " + joined(limits) + ">");
    const Node &node = nodes[argument.node];
    inputs.push_back(node.name + ": " + typeText(node.type) +
                     (attributes.empty() ? "" : " {" + joined(attributes) + "}"));
  }
  for (const Output &output : outputs) {
    Strings attributes;
    if (!output.name.empty())
      attributes.push_back("aft.name = " + quoted(output.name));
    if (output.alias >= 0)
      attributes.push_back("aft.alias = " + std::to_string(output.alias) + " : i64");
    const Node &node = nodes[output.value.id];
    names.push_back(node.name);
    values.push_back(typeText(node.type));
    types.push_back(values.back() + (attributes.empty() ? "" : " {" + joined(attributes) + "}"));
  }
  return "  func.func @" + quoted(name) + "(" + joined(inputs) + ") -> (" + joined(types) +
         ") {\n" + text + "    return " + joined(names) + (names.empty() ? "" : " : ") +
         joined(values) + "\n  }\n";
}

//===----------------------------------------------------------------------===//
// Constants
//===----------------------------------------------------------------------===//

Value Function::splat(double value, DType dtype, const std::vector<Extent> &shape) {
  std::optional<Shape> extents = impl->fromExtents("splat", shape);
  if (!impl->checkNumber("splat", value, dtype))
    return {};
  return extents ? impl->splat(numberText(value, dtype), dtype, *extents) : Value();
}

Value Function::constant(const TensorType &type, const void *data) {
  if (!impl->checkElementType("constant", type.dtype))
    return {};
  Shape shape;
  int64_t count = 1;
  for (int64_t extent : type.shape) {
    if (extent < 0)
      return impl->fail("constant", "expected a static type, found " + typeText(type));
    shape.push_back(extent);
    count = __builtin_mul_overflow(count, extent, &count) ? kMostConstant + 1 : count;
  }
  if (count == 0)
    return impl->empty(type.dtype, shape);
  if (count > kMostConstant)
    return impl->fail("constant", "expected at most " + std::to_string(kMostConstant) +
                                      " elements, found " + typeText(type) +
                                      "; larger data is an input");
  if (!data)
    return impl->fail("constant", "expected data of " + typeText(type) + ", found null");
  const auto *bytes = static_cast<const unsigned char *>(data);
  std::string text;
  if (type.dtype == DType::i1) {
    // The hexadecimal form packs bits: a list of one dimension says it plainly.
    Strings bits;
    for (int64_t i = 0; i < count; ++i)
      bits.push_back(bytes[i] ? "true" : "false");
    Value flat = impl->define("arith.constant dense<[" + joined(bits) + "]> : tensor<" +
                                  std::to_string(count) + "xi1>",
                              DType::i1, {count});
    return flat ? impl->viewAs(flat, shape) : Value();
  }
  static const char digits[] = "0123456789ABCDEF";
  text.reserve(static_cast<size_t>(count * sizeOf(type.dtype)) * 2);
  for (int64_t i = 0; i < count * sizeOf(type.dtype); ++i) {
    text += digits[bytes[i] >> 4];
    text += digits[bytes[i] & 15];
  }
  return impl->define("arith.constant dense<\"0x" + text + "\"> : " + typeText(type), type.dtype,
                      shape);
}

Value Function::number(Extent extent, DType dtype) {
  std::optional<Polynomial> value = impl->fromExtent("number", extent);
  if (!value)
    return {};
  if (!impl->checkElementType("number", dtype))
    return {};
  if (!isFloat(dtype) && !isInteger(dtype))
    return impl->fail("number", "expected the element type of a number, found i1");
  DType wide = accumulationOf(dtype);
  return impl->generic({}, dtype, {}, [&](Body &body, const Strings &) {
    return body.convert(body.fromIndex(impl->materialise(*value), wide), wide, dtype);
  });
}

Value Function::arange(Extent length, DType dtype, double start, double step) {
  std::optional<Shape> shape = impl->fromExtents("arange", {length});
  if (!shape || !impl->checkElementType("arange", dtype))
    return {};
  if (!isFloat(dtype) && !isInteger(dtype))
    return impl->fail("arange", "expected numbers, found element type i1");
  if (!impl->checkNumber("arange", start, dtype) || !impl->checkNumber("arange", step, dtype))
    return {};
  DType wide = accumulationOf(dtype);
  bool real = isFloat(dtype);
  return impl->generic({}, dtype, *shape, [&](Body &body, const Strings &) {
    std::string value = body.fromIndex(body.index(0), wide);
    if (step != 1)
      value = body.op(real ? "arith.mulf" : "arith.muli", {value, body.number(step, wide)}, wide);
    if (start != 0)
      value = body.op(real ? "arith.addf" : "arith.addi", {value, body.number(start, wide)}, wide);
    return body.convert(value, wide, dtype);
  });
}
