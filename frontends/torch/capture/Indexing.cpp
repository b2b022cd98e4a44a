//===- Indexing.cpp - Rules of operators that take places by number -------===//

#include "frontends/torch/capture/Indexing.h"

#include "frontends/torch/capture/Rules.h"

using namespace aft;
using namespace aft::capture;

//===----------------------------------------------------------------------===//
// Along a dimension
//===----------------------------------------------------------------------===//

/// Rows of x. Where training would need the derivative of a table that has no
/// fixed size, as a product with one-hot rows.
static Value rowsAt(Operation &op, Value x, Value ids) {
  Function &f = op.f;
  bool isFixed = true;
  for (const Extent &extent : f.shape(x))
    isFixed &= extent.isConstant();
  ids = f.where(f.compare(Compare::lt, ids, 0),
                f.add(ids, op.extentValue(f.extent(x, 0), ids.dtype())), ids);
  if (isFixed || !op.isTraining() || !op.isFloat(x.dtype()))
    return f.index(x, ids);
  Value places = f.arange(f.extent(x, 0), ids.dtype());
  Value hot = f.compare(Compare::eq, f.unsqueeze(f.flatten(ids), 1), places);
  Value rows = f.matmul(f.cast(hot, x.dtype()), x.rank() == 1 ? f.unsqueeze(x, 1) : f.flatten(x, 1));
  std::vector<Extent> shape = f.shape(ids), row = f.shape(x);
  shape.insert(shape.end(), row.begin() + 1, row.end());
  return f.reshape(rows, shape);
}

Value capture::takeAlong(Operation &op, Value x, int dim, Value ids) {
  dim = fromFront(dim, x.rank());
  if (dim == 0)
    return rowsAt(op, x, ids);
  std::vector<int> front = {dim}, back;
  for (int other = 0; other < x.rank(); ++other)
    if (other != dim)
      front.push_back(other);
  Value found = rowsAt(op, op.f.permute(x, front), ids);
  // The dimensions of ids go where the indexed one was.
  for (int other = 0; other < dim; ++other)
    back.push_back(ids.rank() + other);
  for (int own = 0; own < ids.rank(); ++own)
    back.push_back(own);
  for (int other = ids.rank() + dim; other < found.rank(); ++other)
    back.push_back(other);
  return op.f.permute(found, back);
}

static Results flip(Operation &op) {
  Value x = op.value("self");
  for (int dim : op.dims("dims")) {
    if (op.isFloat(x.dtype())) {
      x = op.f.flip(x, dim);
      continue;
    }
    Extent length = op.f.extent(x, dim);
    Value last = op.f.sub(op.extentValue(length, DType::i64), 1);
    x = takeAlong(op, x, dim, op.f.sub(last, op.f.arange(length, DType::i64)));
  }
  return x;
}

Value aft::capture::padFromInside(Operation &op, const char *name, Beyond beyond) {
  Function &f = op.f;
  Value x = op.value("self");
  std::vector<int64_t> lengths = op.integers(name);
  for (size_t pair = 0; 2 * pair + 1 < lengths.size(); ++pair) {
    int dim = x.rank() - 1 - static_cast<int>(pair);
    Extent length = f.extent(x, dim);
    Value count = op.extentValue(length, DType::i64), last = f.sub(count, 1);
    Value place = f.arange(length + lengths[2 * pair] + lengths[2 * pair + 1], DType::i64,
                           static_cast<double>(-lengths[2 * pair]));
    if (beyond == Beyond::mirrored)
      place = f.sub(last, f.abs(f.sub(last, f.abs(place))));
    else if (beyond == Beyond::repeated)
      place = f.minimum(f.maximum(place, 0), last);
    else
      place = f.where(f.compare(Compare::lt, place, 0), f.add(place, count),
                      f.where(f.compare(Compare::gt, place, last), f.sub(place, count), place));
    x = takeAlong(op, x, dim, place);
  }
  return x;
}

//===----------------------------------------------------------------------===//
// By tensors of indices
//===----------------------------------------------------------------------===//

static Results indexSelect(Operation &op) {
  Value ids = op.value("index");
  return takeAlong(op, op.value("self"), dimOf(op, "dim"),
                    ids.rank() == 0 ? op.f.unsqueeze(ids, 0) : ids);
}

template <Beyond beyond> static Results padInside(Operation &op) {
  return padFromInside(op, "padding", beyond);
}

/// Neighbouring dimensions of x, from `first` on, as one, and their indices as
/// indices into that one.
static Results byNeighbours(Operation &op, Value x, int first, const std::vector<Value> &ids) {
  Function &f = op.f;
  std::vector<Extent> shape = f.shape(x), joint(shape.begin(), shape.begin() + first);
  Extent count = 1;
  Value place;
  for (size_t i = 0; i < ids.size(); ++i) {
    Extent own = shape[first + i];
    count = count * own;
    Value length = op.extentValue(own, DType::i64), id = f.cast(ids[i], DType::i64);
    id = f.where(f.compare(Compare::lt, id, 0), f.add(id, length), id);
    place = place ? f.add(f.mul(place, length), id) : id;
  }
  joint.push_back(count);
  joint.insert(joint.end(), shape.begin() + first + static_cast<long>(ids.size()), shape.end());
  return takeAlong(op, f.reshape(x, joint), first, place);
}

static Results indexByTensor(Operation &op) {
  std::vector<Value> indices = op.values("indices"), ids;
  int place = -1;
  for (size_t dim = 0; dim < indices.size(); ++dim) {
    if (!indices[dim])
      continue;
    if (place >= 0 && place + ids.size() != dim)
      op.fail("indexing by several tensors is supported in neighbouring dimensions only");
    if (indices[dim].dtype() == DType::i1)
      op.fail("the shape of a result may not depend on a mask; use where or masked_fill");
    place = place < 0 ? static_cast<int>(dim) : place;
    ids.push_back(indices[dim]);
  }
  if (place < 0)
    return op.value("self");
  return ids.size() == 1 ? Results(takeAlong(op, op.value("self"), place, ids[0]))
                         : byNeighbours(op, op.value("self"), place, ids);
}

/// Only what `where` can do: one mask that covers the leading dimensions.
static Results indexPut(Operation &op) {
  Function &f = op.f;
  Value x = op.value("self"), values = op.as("values");
  std::vector<Value> indices = op.values("indices");
  if (indices.size() != 1 || !indices[0] || indices[0].dtype() != DType::i1 ||
      values.rank() != 0 || op.flag("accumulate"))
    op.fail("supported are slices, and a mask with one number; use where or scatter");
  Value mask = indices[0];
  while (mask.rank() < x.rank())
    mask = f.unsqueeze(mask, -1);
  return f.where(mask, values, x);
}

/// Where the last dimension of `ids` [..., m] names a place: [..., m, count].
static Value hits(Operation &op, Value ids, Extent count) {
  Value places = op.f.arange(count, ids.dtype());
  return op.f.compare(Compare::eq, op.f.unsqueeze(ids, -1), places);
}

/// x cut to the extents of `like` but for one dimension.
static Value cutTo(Operation &op, Value x, Value like, int kept) {
  for (int dim = 0; dim < x.rank(); ++dim)
    if (dim != kept && (like.dim(dim) == kDynamic || like.dim(dim) != x.dim(dim)))
      x = op.f.slice(x, dim, 0, op.f.extent(like, dim));
  return x;
}

/// Each index against all places of its row.
static Results gather(Operation &op) {
  Function &f = op.f;
  Value ids = op.value("index"), x = op.value("self");
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  x = cutTo(op, x, ids, dim);
  Value rows = f.unsqueeze(f.transpose(x, dim, -1), -2);
  ids = f.transpose(ids, dim, -1);
  Value last = op.extentValue(f.extent(x, dim), ids.dtype());
  Value found = f.sum(f.where(hits(op, ids, f.extent(x, dim)), rows, 0), {-1});
  // As rows by index: none of the numbers outside.
  if (op.isFloat(x.dtype())) {
    Value inside = f.logicalAnd(f.compare(Compare::ge, ids, 0), f.compare(Compare::lt, ids, last));
    found = f.where(inside, found, std::numeric_limits<double>::quiet_NaN());
  }
  return f.transpose(found, dim, -1);
}

/// scatter and scatter_add into all of self's rows.
template <bool adds> static Results scatter(Operation &op) {
  Function &f = op.f;
  Value x = op.value("self"), ids = op.value("index");
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  if (op.has("reduce"))
    op.fail("the form with 'reduce' is not supported");
  for (int other = 0; other < x.rank(); ++other) {
    if (other == dim)
      continue;
    if (ids.dim(other) != x.dim(other))
      op.fail("'index' must have the extents of 'self' beside the scattered dimension");
    f.assumeEqual(f.extent(ids, other), f.extent(x, other));
  }
  Value hit = hits(op, f.transpose(ids, dim, -1), f.extent(x, dim)), rows = f.transpose(x, dim, -1);
  Value any = f.compare(Compare::gt, f.max(f.cast(hit, DType::i32), {-2}), 0), found;
  if (op.has("src")) {
    Value source = f.transpose(cutTo(op, op.as("src"), ids, -1), dim, -1);
    found = f.sum(f.where(hit, f.unsqueeze(source, -1), 0), {-2});
  } else {
    found = f.where(any, op.operand("value", op.dtype()), rows);
  }
  return f.transpose(adds ? f.add(rows, found) : f.where(any, found, rows), dim, -1);
}

static Results oneHot(Operation &op) {
  int64_t classes = op.integer("num_classes", -1);
  if (classes < 0)
    op.fail("needs the number of classes");
  return op.f.oneHot(op.value("self"), classes, op.dtype());
}

void aft::capture::addIndexingRules(Rules &rules) {
  rules["aten::flip"] = flip;
  for (const char *rank : {"1d", "2d"}) {
    rules[std::string("aten::reflection_pad") + rank] = padInside<Beyond::mirrored>;
    rules[std::string("aten::replication_pad") + rank] = padInside<Beyond::repeated>;
  }
  rules["aten::index_select"] = indexSelect;
  rules["aten::index"] = indexByTensor;
  rules["aten::index_put"] = indexPut;
  rules["aten::gather"] = gather;
  rules["aten::scatter"] = scatter<false>;
  rules["aten::scatter_add"] = scatter<true>;
  rules["aten::one_hot"] = oneHot;
}
