//===- Shapes.cpp - Slicing, joining, repeating and reordering -------------===//

#include "frontends/builder/FunctionImpl.h"

#include <algorithm>
#include <limits>
#include <numeric>

using namespace aft;
using Impl = Function::Impl;

static std::vector<int> identity(size_t rank) {
  std::vector<int> loops(rank);
  std::iota(loops.begin(), loops.end(), 0);
  return loops;
}

//===----------------------------------------------------------------------===//
// Order of dimensions
//===----------------------------------------------------------------------===//

Value Impl::permuted(Value x, const std::vector<int> &dims) {
  Shape shape = shapeOf(x), result;
  std::vector<int> loops(dims.size()), moved;
  for (size_t loop = 0; loop < dims.size(); ++loop) {
    loops[dims[loop]] = static_cast<int>(loop);
    result.push_back(shape[dims[loop]]);
    if (!result.back().is(1))
      moved.push_back(dims[loop]);
  }
  // Moving extents of 1 moves nothing in memory.
  if (std::is_sorted(moved.begin(), moved.end()))
    return viewAs(x, result);
  return generic({{x, loops}}, node(x).type.dtype, result,
                 [](Body &, const Strings &args) { return args[0]; });
}

Value Function::permute(Value x, const std::vector<int> &dims) {
  if (!impl->check("permute", {x}))
    return {};
  if (static_cast<int>(dims.size()) != x.rank())
    return impl->fail("permute", "expected " + std::to_string(x.rank()) + " dimensions, found " +
                                     std::to_string(dims.size()));
  std::optional<std::vector<int>> order = impl->dimensions("permute", dims, x.rank());
  return order ? impl->permuted(x, *order) : Value();
}

Value Function::transpose(Value x, int dim0, int dim1) {
  if (!impl->check("transpose", {x}))
    return {};
  std::optional<int> a = impl->dimension("transpose", dim0, x.rank());
  std::optional<int> b = impl->dimension("transpose", dim1, x.rank());
  if (!a || !b)
    return {};
  std::vector<int> order = identity(x.rank());
  std::swap(order[*a], order[*b]);
  return impl->permuted(x, order);
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

/// A position on a dimension; negative ones count from the end, and so do those that are never
/// positive: the last T are those from -T.
static std::optional<Polynomial> position(Impl &impl, const char *operation, Extent place,
                                          const Polynomial &extent) {
  std::optional<Polynomial> found = impl.fromExtent(operation, place);
  if (found && !found->terms().empty() &&
      std::all_of(found->terms().begin(), found->terms().end(),
                  [](const auto &term) { return term.second < 0; }))
    return extent + *found;
  return found;
}

Value Impl::sliced(Value x, int dim, const Polynomial &start, const Polynomial &length,
                   int64_t step) {
  x = refined(x);
  Shape shape = shapeOf(x);
  Strings offsets(shape.size(), "0"), sizes, strides(shape.size(), "1");
  shape[dim] = canonical(length);
  for (const Polynomial &extent : shape)
    sizes.push_back(sizeText(extent));
  offsets[dim] = sizeText(start);
  strides[dim] = std::to_string(step);
  DType dtype = node(x).type.dtype;
  return define("tensor.extract_slice " + nameOf(x) + "[" + joined(offsets) + "] [" +
                    joined(sizes) + "] [" + joined(strides) + "] : " + typeTextOf(x) + " to " +
                    typeText(typeOf(dtype, shape)),
                dtype, shape);
}

Value Function::slice(Value x, int dim, Extent start, Extent end, int64_t step) {
  if (!impl->check("slice", {x}))
    return {};
  std::optional<int> along = impl->dimension("slice", dim, x.rank());
  if (!along)
    return {};
  if (step < 1)
    return impl->fail("slice", "the step must be positive, found " + std::to_string(step));
  Polynomial extent = impl->extentOf(x, *along);
  std::optional<Polynomial> from = position(*impl, "slice", start, extent);
  bool toEnd = end.isConstant() && end.constant() == std::numeric_limits<int64_t>::max();
  std::optional<Polynomial> to = toEnd ? extent : position(*impl, "slice", end, extent);
  if (!from || !to)
    return {};
  // Clamp what is known, as numpy does.
  auto clamped = [&](const Polynomial &place) {
    if (!place.constant() || (extent.constant() && *place.constant() > *extent.constant()))
      return place.constant() ? extent : place;
    return Polynomial(std::max<int64_t>(*place.constant(), 0));
  };
  Polynomial first = clamped(*from), length = clamped(*to) - first;
  if (length.constant() && *length.constant() < 0)
    length = 0;
  if (step != 1)
    length = impl->divided(length + (step - 1), step);
  if (first.is(0) && length == extent && step == 1)
    return x;
  return impl->sliced(x, *along, first, length, step);
}

Value Function::select(Value x, int dim, Extent index) {
  if (!impl->check("select", {x}))
    return {};
  std::optional<int> along = impl->dimension("select", dim, x.rank());
  if (!along)
    return {};
  Polynomial extent = impl->extentOf(x, *along);
  std::optional<Polynomial> at = position(*impl, "select", index, extent);
  if (!at)
    return {};
  if (at->constant() && extent.constant() &&
      (*at->constant() < 0 || *at->constant() >= *extent.constant()))
    return impl->fail("select", "index " + std::to_string(*at->constant()) +
                                    " lies outside of dimension " + std::to_string(*along) +
                                    " of " + impl->typeTextOf(x));
  Value part = impl->sliced(x, *along, *at, 1, 1);
  return part ? squeeze(part, *along) : part;
}

std::vector<Value> Function::split(Value x, int dim, const std::vector<Extent> &lengths) {
  std::vector<Value> pieces(lengths.size());
  if (!impl->check("split", {x}))
    return pieces;
  std::optional<int> along = impl->dimension("split", dim, x.rank());
  std::optional<Shape> sizes = impl->fromExtents("split", lengths);
  if (!along || !sizes)
    return pieces;
  Polynomial start = 0;
  for (const Polynomial &size : *sizes)
    start = start + size;
  if (!impl->unify(start, impl->extentOf(x, *along))) {
    impl->fail("split", "the lengths must add up to dimension " + std::to_string(*along) +
                            " of " + impl->typeTextOf(x) + ", found " + impl->describe(*sizes));
    return pieces;
  }
  start = 0;
  for (size_t piece = 0; piece < pieces.size(); ++piece) {
    pieces[piece] = impl->sliced(x, *along, start, (*sizes)[piece], 1);
    start = start + (*sizes)[piece];
  }
  return pieces;
}

//===----------------------------------------------------------------------===//
// Joining and growing
//===----------------------------------------------------------------------===//

Value Function::concat(const std::vector<Value> &values, int dim) {
  if (values.empty())
    return impl->fail("concat", "expected one value or more, found none");
  if (!impl->check("concat", values))
    return {};
  std::optional<int> along = impl->dimension("concat", dim, values[0].rank());
  if (!along)
    return {};
  Shape shape = impl->shapeOf(values[0]);
  shape[*along] = 0;
  for (Value value : values) {
    if (!impl->checkSameType("concat", values[0], value, "the values"))
      return {};
    Shape other = impl->shapeOf(value);
    bool fits = other.size() == shape.size();
    for (size_t d = 0; fits && d < shape.size(); ++d)
      if (static_cast<int>(d) != *along)
        fits = impl->unify(shape[d], other[d]);
    if (!fits)
      return impl->fail("concat", "the values must have equal extents beside dimension " +
                                      std::to_string(*along) + ", found " +
                                      impl->typeTextOf(values[0]) + " and " +
                                      impl->typeTextOf(value));
    shape[*along] = shape[*along] + other[*along];
  }
  std::vector<Value> parts;
  for (Value value : values)
    if (value.dim(*along) != 0)
      parts.push_back(value);
  if (parts.size() < 2)
    return parts.empty() ? values[0] : parts[0];
  Strings names, types;
  for (Value value : parts) {
    Value known = impl->refined(value);
    names.push_back(impl->nameOf(known));
    types.push_back(impl->typeTextOf(known));
  }
  DType dtype = values[0].dtype();
  return impl->define("tensor.concat dim(" + std::to_string(*along) + ") " + joined(names) +
                          " : (" + joined(types) + ") -> " +
                          typeText(impl->typeOf(dtype, shape)),
                      dtype, shape);
}

Value Function::stack(const std::vector<Value> &values, int dim) {
  if (!impl->check("stack", values))
    return {};
  std::vector<Value> parts;
  for (Value value : values)
    parts.push_back(unsqueeze(value, dim));
  if (!values.empty() && dim < 0)
    dim += values[0].rank() + 1;
  return concat(parts, dim);
}

Value Impl::broadcastTo(Value x, const Shape &shape) {
  Shape source = shapeOf(x);
  std::vector<bool> drop(source.size());
  std::vector<int> loops;
  bool repeats = source.size() != shape.size();
  for (size_t dim = 0; dim < source.size(); ++dim) {
    size_t loop = shape.size() - source.size() + dim;
    drop[dim] = source[dim].is(1) && !canonical(shape[loop]).is(1);
    repeats |= drop[dim];
    if (!drop[dim])
      loops.push_back(static_cast<int>(loop));
  }
  if (!repeats)
    return x;
  return generic({{dropUnits(x, drop), loops}}, node(x).type.dtype, shape,
                 [](Body &, const Strings &args) { return args[0]; });
}

Value Function::expand(Value x, const std::vector<Extent> &shape) {
  if (!impl->check("expand", {x}))
    return {};
  Shape source = impl->shapeOf(x), target;
  size_t missing = shape.size() - source.size();
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    bool keep = shape[dim].isConstant() && shape[dim].constant() == -1;
    bool has = shape.size() >= source.size() && dim >= missing;
    std::optional<Polynomial> extent =
        keep && has ? source[dim - missing] : impl->fromExtent("expand", shape[dim]);
    if (!extent)
      return {};
    target.push_back(*extent);
  }
  bool fits = shape.size() >= source.size();
  for (size_t dim = 0; fits && dim < source.size(); ++dim)
    fits = source[dim].is(1) || impl->unify(source[dim], target[missing + dim]);
  for (const Polynomial &extent : target)
    fits &= extent.constant().value_or(0) >= 0;
  if (!fits)
    return impl->fail("expand", impl->typeTextOf(x) + " cannot be repeated to shape " +
                                    impl->describe(target));
  return impl->broadcastTo(x, target);
}

Value Function::pad(Value x, const std::vector<Extent> &low, const std::vector<Extent> &high,
                    double value) {
  if (!impl->check("pad", {x}) || !impl->checkNumber("pad", value, x.dtype()))
    return {};
  if (static_cast<int>(low.size()) != x.rank() || low.size() != high.size())
    return impl->fail("pad", "expected a pair of lengths for each dimension of " +
                                 impl->typeTextOf(x) + ", found " + std::to_string(low.size()) +
                                 " and " + std::to_string(high.size()));
  std::optional<Shape> before = impl->fromExtents("pad", low);
  std::optional<Shape> after = impl->fromExtents("pad", high);
  if (!before || !after)
    return {};
  Value source = impl->refined(x);
  Shape shape = impl->shapeOf(source);
  Strings lows, highs, indices;
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    shape[dim] = shape[dim] + (*before)[dim] + (*after)[dim];
    lows.push_back(impl->sizeText((*before)[dim]));
    highs.push_back(impl->sizeText((*after)[dim]));
    indices.push_back("%i" + std::to_string(dim) + ": index");
  }
  DType dtype = x.dtype();
  std::string number = impl->fresh();
  impl->line(number + " = arith.constant " + numberText(value, dtype));
  return impl->define("tensor.pad " + impl->nameOf(source) + " low[" + joined(lows) + "] high[" +
                          joined(highs) + "] {\n    ^bb0(" + joined(indices) +
                          "):\n      tensor.yield " + number + " : " + nameOf(dtype) +
                          "\n    } : " + impl->typeTextOf(source) + " to " +
                          typeText(impl->typeOf(dtype, shape)),
                      dtype, shape);
}

//===----------------------------------------------------------------------===//
// By index
//===----------------------------------------------------------------------===//

Value Function::index(Value x, Value ids) {
  if (!impl->check("index", {x, ids}))
    return {};
  if (ids.dtype() != DType::i32 && ids.dtype() != DType::i64)
    return impl->fail("index", "the indices must have element type i32 or i64, found " +
                                   impl->typeTextOf(ids));
  if (x.rank() == 0)
    return impl->fail("index", "expected a tensor of rank 1 or more, found " +
                                   impl->typeTextOf(x));
  Shape rows = impl->shapeOf(x), result = impl->shapeOf(ids);
  int leading = ids.rank();
  result.insert(result.end(), rows.begin() + 1, rows.end());
  if (isFloat(x.dtype())) {
    Value table = x.rank() > 1 ? flatten(x, 1) : unsqueeze(x, 1);
    Value found = embedding(ids, table);
    return found ? impl->viewAs(found, result) : found;
  }
  Value source = impl->refined(x);
  std::string count = impl->materialise(rows[0]), first = impl->constantIndex(0);
  return impl->generic(
      {{ids, identity(leading)}}, x.dtype(), result, [&](Body &body, const Strings &args) {
        std::string id =
            body.assign("arith.index_cast " + args[0] + " : " + nameOf(ids.dtype()) + " to index");
        // As an embedding: an id outside reads the first row, and gives none of its numbers.
        std::string valid = body.compareIndex("ult", id, count);
        Strings place = {
            body.assign("arith.select " + valid + ", " + id + ", " + first + " : index")};
        for (int dim = 1; dim < x.rank(); ++dim)
          place.push_back(body.index(leading + dim - 1));
        std::string found = body.assign("tensor.extract " + impl->nameOf(source) + "[" +
                                        joined(place) + "] : " + impl->typeTextOf(source));
        return body.select(valid, found, body.number(0, x.dtype()), x.dtype());
      });
}

/// x where column - row lies on the wanted side of the diagonal, else 0.
static Value triangle(Impl &impl, const char *operation, Value x, int64_t diagonal,
                      const char *predicate) {
  if (!impl.check(operation, {x}))
    return {};
  if (x.rank() < 2)
    return impl.fail(operation, "expected rank 2 or more, found " + impl.typeTextOf(x));
  DType dtype = x.dtype();
  return impl.generic({{x, identity(x.rank())}}, dtype, impl.shapeOf(x),
                      [&](Body &body, const Strings &args) {
                        std::string row = body.addIndex(body.index(x.rank() - 2), diagonal);
                        std::string kept =
                            body.compareIndex(predicate, body.index(x.rank() - 1), row);
                        return body.select(kept, args[0], body.number(0, dtype), dtype);
                      });
}

Value Function::tril(Value x, int64_t diagonal) {
  return triangle(*impl, "tril", x, diagonal, "sle");
}
Value Function::triu(Value x, int64_t diagonal) {
  return triangle(*impl, "triu", x, diagonal, "sge");
}

Value Function::causalMask(Extent rows, Extent columns) {
  std::optional<Shape> shape = impl->fromExtents("causalMask", {rows, columns});
  if (!shape)
    return {};
  Polynomial offset = (*shape)[1] - (*shape)[0];
  return impl->generic({}, DType::i1, *shape, [&](Body &body, const Strings &) {
    std::string row = body.index(0), column = body.index(1);
    if (!offset.is(0))
      row = body.assign("arith.addi " + row + ", " + impl->materialise(offset) + " : index");
    return body.compareIndex("sle", column, row);
  });
}

Value Function::oneHot(Value ids, int64_t classes, DType dtype) {
  if (!impl->check("oneHot", {ids}) || !impl->checkElementType("oneHot", dtype))
    return {};
  if (ids.dtype() != DType::i32 && ids.dtype() != DType::i64)
    return impl->fail("oneHot", "the indices must have element type i32 or i64, found " +
                                    impl->typeTextOf(ids));
  if (classes < 0)
    return impl->fail("oneHot", "the number of classes must not be negative, found " +
                                    std::to_string(classes));
  Shape shape = impl->shapeOf(ids);
  shape.push_back(classes);
  return impl->generic({{ids, identity(ids.rank())}}, dtype, shape,
                       [&](Body &body, const Strings &args) {
                         std::string own = body.fromIndex(body.index(ids.rank()), ids.dtype());
                         std::string hit = body.compare(Compare::eq, args[0], own, ids.dtype());
                         return body.select(hit, body.number(1, dtype), body.number(0, dtype),
                                            dtype);
                       });
}
