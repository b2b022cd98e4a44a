//===- Reshape.cpp - Views: other extents, same elements -------------------===//
// A view becomes tensor.collapse_shape and tensor.expand_shape, which the
// compiler takes as views; what belongs together follows from the extents as
// expressions.

#include "frontends/builder/FunctionImpl.h"

using namespace aft;
using Impl = Function::Impl;

namespace {
/// Dimensions of the source and of the target with equal products.
struct Group {
  std::vector<int> source, target;
};
} // namespace

static std::vector<int> range(size_t count) {
  std::vector<int> all(count);
  for (size_t i = 0; i < count; ++i)
    all[i] = static_cast<int>(i);
  return all;
}

/// Whether the source's product has to grow to reach the target's; nothing if
/// neither helps.
static std::optional<bool> growsSource(const Polynomial &source, const Polynomial &target) {
  if (source.constant() && target.constant())
    return *source.constant() < *target.constant();
  if (target.dividedBy(source))
    return true;
  if (source.dividedBy(target))
    return false;
  if (source.constant())
    return true;
  if (target.constant())
    return false;
  return std::nullopt;
}

/// The finest groups; empty where they cannot be told.
static std::vector<Group> grouped(const Shape &source, const Shape &target) {
  std::vector<Group> groups;
  size_t i = 0, j = 0;
  while (i < source.size() && j < target.size()) {
    Polynomial left = source[i], right = target[j];
    Group group{{static_cast<int>(i++)}, {static_cast<int>(j++)}};
    while (left != right) {
      std::optional<bool> grow = growsSource(left, right);
      if (!grow || (*grow ? i == source.size() : j == target.size()))
        return {};
      if (*grow) {
        left = left * source[i];
        group.source.push_back(static_cast<int>(i++));
      } else {
        right = right * target[j];
        group.target.push_back(static_cast<int>(j++));
      }
    }
    groups.push_back(group);
  }
  for (; i < source.size() && !groups.empty(); ++i) {
    if (!source[i].is(1))
      return {};
    groups.back().source.push_back(static_cast<int>(i));
  }
  for (; j < target.size() && !groups.empty(); ++j) {
    if (!target[j].is(1))
      return {};
    groups.back().target.push_back(static_cast<int>(j));
  }
  return groups;
}

static std::string reassociation(const std::vector<std::vector<int>> &groups) {
  Strings parts;
  for (const std::vector<int> &group : groups) {
    Strings dims;
    for (int dim : group)
      dims.push_back(std::to_string(dim));
    parts.push_back("[" + joined(dims) + "]");
  }
  return "[" + joined(parts) + "]";
}

/// The type whose extents are the products of groups: dynamic where one of their
/// extents is, even if the product is known, which MLIR wants so.
static TensorType typeOfGroups(Impl &impl, DType dtype, const Shape &shape,
                               const std::vector<std::vector<int>> &groups) {
  TensorType parts = impl.typeOf(dtype, shape), type{dtype, {}};
  for (const std::vector<int> &group : groups) {
    int64_t product = 1;
    for (int dim : group)
      product = product == kDynamic || parts.shape[dim] == kDynamic ? kDynamic
                                                                    : product * parts.shape[dim];
    type.shape.push_back(product);
  }
  return type;
}

static Value collapse(Impl &impl, Value x, const std::vector<Group> &groups) {
  std::vector<std::vector<int>> dims;
  Shape shape = impl.shapeOf(x), result;
  for (const Group &group : groups) {
    Polynomial product = 1;
    for (int dim : group.source)
      product = product * shape[dim];
    result.push_back(product);
    dims.push_back(group.source);
  }
  if (result.size() == shape.size())
    return x;
  DType dtype = impl.node(x).type.dtype;
  TensorType type = typeOfGroups(impl, dtype, shape, dims);
  Value y = impl.define("tensor.collapse_shape " + impl.nameOf(x) + " " + reassociation(dims) +
                            " : " + impl.typeTextOf(x) + " into " + typeText(type),
                        dtype, result);
  if (!y)
    return {};
  impl.node(y).type = type;
  return impl.refined(y);
}

static Value expandGroups(Impl &impl, Value x, const std::vector<Group> &groups,
                          const Shape &target) {
  std::vector<std::vector<int>> dims;
  Shape products;
  for (const Group &group : groups) {
    Polynomial product = 1;
    for (int dim : group.target)
      product = product * target[dim];
    products.push_back(product);
    dims.push_back(group.target);
  }
  DType dtype = impl.node(x).type.dtype;
  // Where the two products are only assumed to be equal, one may be static.
  TensorType expected = typeOfGroups(impl, dtype, target, dims);
  if (expected.shape != impl.node(x).type.shape)
    x = impl.retyped(x, expected, products);
  if (products.size() == target.size())
    return x;
  Strings sizes;
  for (const Polynomial &extent : target)
    sizes.push_back(impl.sizeText(extent));
  return impl.define("tensor.expand_shape " + impl.nameOf(x) + " " + reassociation(dims) +
                         " output_shape [" + joined(sizes) + "] : " + impl.typeTextOf(x) +
                         " into " + typeText(impl.typeOf(dtype, target)),
                     dtype, target);
}

Value Impl::viewAs(Value x, const Shape &wanted) {
  if (!x)
    return {};
  Shape target;
  for (const Polynomial &extent : wanted)
    target.push_back(canonical(extent));
  x = refined(x);
  Shape source = shapeOf(x);
  if (source == target)
    return x;
  TensorType type = typeOf(node(x).type.dtype, target);
  if (!isCountable(type))
    return fail(current.c_str(), "expected a result of at most 10^18 bytes, found shape " +
                                     describe(target) + " of " + aft::nameOf(type.dtype));
  std::vector<Group> groups = grouped(source, target);
  if (groups.empty() && !source.empty() && !target.empty())
    groups = {{range(source.size()), range(target.size())}};
  Value collapsed = collapse(*this, x, groups);
  return collapsed ? expandGroups(*this, collapsed, groups, target) : collapsed;
}

Value Function::reshape(Value x, const std::vector<Extent> &shape) {
  if (!impl->check("reshape", {x}))
    return {};
  std::vector<Extent> extents = shape;
  int open = -1;
  for (size_t dim = 0; dim < extents.size(); ++dim) {
    if (!extents[dim].isConstant() || extents[dim].constant() != -1)
      continue;
    if (open >= 0)
      return impl->fail("reshape", "at most one extent may be -1");
    open = static_cast<int>(dim);
    extents[dim] = 1;
  }
  std::optional<Shape> target = impl->fromExtents("reshape", extents);
  if (!target)
    return {};
  Polynomial total = 1, known = 1;
  for (const Polynomial &extent : impl->shapeOf(x))
    total = total * extent;
  for (const Polynomial &extent : *target)
    known = known * extent;
  if (open >= 0) {
    if (known.is(0))
      return impl->fail("reshape", "an extent of -1 beside one of 0 does not follow");
    (*target)[open] = impl->divided(total, known);
    known = known * (*target)[open];
  }
  if (!impl->unify(total, known))
    return impl->fail("reshape", "expected as many elements as " + impl->typeTextOf(x) +
                                     " has, found shape " + impl->describe(*target));
  return impl->viewAs(x, *target);
}

Value Function::flatten(Value x, int first, int last) {
  if (!impl->check("flatten", {x}))
    return {};
  if (x.rank() == 0)
    return impl->viewAs(x, {1});
  std::optional<int> from = impl->dimension("flatten", first, x.rank());
  std::optional<int> to = impl->dimension("flatten", last, x.rank());
  if (!from || !to)
    return {};
  if (*from > *to)
    return impl->fail("flatten", "the first dimension, " + std::to_string(*from) +
                                     ", lies behind the last, " + std::to_string(*to));
  Shape shape = impl->shapeOf(x), result(shape.begin(), shape.begin() + *from);
  Polynomial product = 1;
  for (int dim = *from; dim <= *to; ++dim)
    product = product * shape[dim];
  result.push_back(product);
  result.insert(result.end(), shape.begin() + *to + 1, shape.end());
  return impl->viewAs(x, result);
}

Value Function::unsqueeze(Value x, int dim) {
  if (!impl->check("unsqueeze", {x}))
    return {};
  std::optional<int> at = impl->dimension("unsqueeze", dim, x.rank() + 1);
  if (!at)
    return {};
  Shape shape = impl->shapeOf(x);
  shape.insert(shape.begin() + *at, Polynomial(1));
  return impl->viewAs(x, shape);
}

Value Function::squeeze(Value x, int dim) {
  if (!impl->check("squeeze", {x}))
    return {};
  std::optional<int> at = impl->dimension("squeeze", dim, x.rank());
  if (!at)
    return {};
  Shape shape = impl->shapeOf(x);
  if (!impl->unify(shape[*at], 1))
    return impl->fail("squeeze", "dimension " + std::to_string(*at) + " must be 1, found " +
                                     impl->typeTextOf(x));
  shape.erase(shape.begin() + *at);
  return impl->viewAs(x, shape);
}
