//===- Shapes.cpp - Rules of operators that move or view elements ---------===//

#include "frontends/torch/capture/Rules.h"

#include <algorithm>
#include <limits>

using namespace aft;
using namespace aft::capture;

static constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

static int dimOf(Operation &op, const char *name, int64_t missing = 0) {
  return static_cast<int>(op.integer(name, missing));
}

/// A dimension counted from the front.
static int fromFront(int dim, int rank) { return dim < 0 ? dim + rank : dim; }

//===----------------------------------------------------------------------===//
// Views and repetition: the result's shape says it all
//===----------------------------------------------------------------------===//

static Results reshape(Operation &op) { return op.f.reshape(op.as("self"), op.shape()); }
static Results expand(Operation &op) { return op.f.expand(op.as("self"), op.shape()); }

/// Each dimension repeated as a whole: [2, n] seen as [r0, 2, r1, n].
static Results repeat(Operation &op) {
  Value x = op.value("self");
  std::vector<Extent> times = op.extents(op.has("repeats") ? "repeats" : "dims");
  std::vector<Extent> shape = op.f.shape(x);
  while (shape.size() < times.size())
    shape.insert(shape.begin(), 1);
  while (times.size() < shape.size()) // tile
    times.insert(times.begin(), 1);
  std::vector<Extent> apart, wide;
  for (size_t dim = 0; dim < shape.size(); ++dim) {
    apart.insert(apart.end(), {Extent(1), shape[dim]});
    wide.insert(wide.end(), {times[dim], shape[dim]});
  }
  return op.f.reshape(op.f.expand(op.f.reshape(x, apart), wide), op.shape());
}

/// Each element repeated along one dimension.
static Results repeatInterleave(Operation &op) {
  Value x = op.value("self");
  if (!op.has("repeats"))
    op.fail("only a number of repeats is supported");
  Extent times = op.extent("repeats");
  if (!op.has("dim"))
    x = op.f.flatten(x);
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  std::vector<Extent> wide = op.f.shape(x);
  wide.insert(wide.begin() + dim + 1, times);
  return op.f.reshape(op.f.expand(op.f.unsqueeze(x, dim + 1), wide), op.shape());
}

//===----------------------------------------------------------------------===//
// Order of dimensions
//===----------------------------------------------------------------------===//

static Rule transposed(const char *first, const char *second) {
  return [first, second](Operation &op) -> Results {
    return op.f.transpose(op.value("self"), dimOf(op, first), dimOf(op, second));
  };
}

static Results matrixTranspose(Operation &op) {
  Value x = op.value("self");
  return x.rank() < 2 ? x : op.f.transpose(x, -1, -2);
}

static Results permute(Operation &op) { return op.f.permute(op.value("self"), op.dims("dims")); }

static Results movedim(Operation &op) {
  Value x = op.value("self");
  int rank = x.rank();
  std::vector<int> from = op.dims("source"), to = op.dims("destination"), order(rank, -1), rest;
  for (size_t i = 0; i < from.size(); ++i)
    order[fromFront(to[i], rank)] = from[i] = fromFront(from[i], rank);
  for (int dim = 0; dim < rank; ++dim)
    if (!std::count(from.begin(), from.end(), dim))
      rest.push_back(dim);
  auto next = rest.begin();
  for (int &dim : order)
    if (dim < 0)
      dim = *next++;
  return op.f.permute(x, order);
}

//===----------------------------------------------------------------------===//
// Parts
//===----------------------------------------------------------------------===//

static Results slice(Operation &op) {
  return op.f.slice(op.value("self"), dimOf(op, "dim"), op.extent("start", 0),
                    op.extent("end", kEnd), op.integer("step", 1));
}

static Results narrow(Operation &op) {
  Extent start = op.extent("start");
  return op.f.slice(op.value("self"), dimOf(op, "dim"), start, start + op.extent("length"));
}

static Results selectIndex(Operation &op) {
  return op.f.select(op.value("self"), dimOf(op, "dim"), op.extent("index"));
}

/// split, chunk and tensor_split: the pieces are as long as they were.
static Results pieces(Operation &op) {
  Value x = op.value("self");
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  std::vector<Extent> lengths;
  for (size_t piece = 0; piece < op.resultCount(); ++piece)
    lengths.push_back(op.shape(piece)[dim]);
  return op.f.split(x, dim, lengths);
}

static Results unbind(Operation &op) {
  Value x = op.value("self");
  std::vector<Value> parts;
  for (size_t i = 0; i < op.resultCount(); ++i)
    parts.push_back(op.f.select(x, dimOf(op, "dim"), static_cast<int64_t>(i)));
  return parts;
}

/// Windows of `size` elements every `step`, in a new last dimension.
static Results unfold(Operation &op) {
  Value x = op.value("self");
  int dim = fromFront(dimOf(op, "dimension"), x.rank());
  int64_t size = op.integer("size"), step = op.integer("step", 1);
  Extent span = (op.shape()[dim] - 1) * step + 1;
  std::vector<Value> taps;
  for (int64_t tap = 0; tap < size; ++tap)
    taps.push_back(op.f.slice(x, dim, tap, span + tap, step));
  return op.f.stack(taps, -1);
}

static Value reversed(Operation &op, Value x, int dim) {
  Extent length = op.f.extent(x, dim);
  Value last = op.f.sub(op.extentValue(length, DType::i64), 1);
  Value ids = op.f.sub(last, op.f.arange(length, DType::i64));
  Value rows = op.f.index(op.f.transpose(x, 0, dim), ids);
  return op.f.transpose(rows, 0, dim);
}

static Results flip(Operation &op) {
  Value x = op.value("self");
  for (int dim : op.dims("dims"))
    x = reversed(op, x, fromFront(dim, x.rank()));
  return x;
}

static Results roll(Operation &op) {
  Value x = op.value("self");
  std::vector<int> dims = op.dims("dims");
  std::vector<int64_t> shifts = op.integers("shifts");
  if (dims.size() != shifts.size())
    op.fail("only the form with dimensions is supported");
  for (size_t i = 0; i < dims.size(); ++i) {
    Extent length = op.f.extent(x, dims[i]);
    if (shifts[i] < 0 && length.isConstant())
      shifts[i] += length.constant();
    // Elements move to higher places; what falls off the end comes first.
    Extent cut = shifts[i] < 0 ? Extent(-shifts[i]) : length - shifts[i];
    x = op.f.concat({op.f.slice(x, dims[i], cut), op.f.slice(x, dims[i], 0, cut)}, dims[i]);
  }
  return x;
}

//===----------------------------------------------------------------------===//
// Joining and growing
//===----------------------------------------------------------------------===//

/// The members of a list in the result's element type. LibTorch skips legacy
/// empty tensors.
static std::vector<Value> members(Operation &op) {
  std::vector<Value> all;
  for (Value value : op.values("tensors")) {
    if (!value)
      op.fail("a member of 'tensors' is a result of an operator that is not supported");
    if (value.rank() == 1 && value.dim(0) == 0 && op.shape().size() > 1)
      continue;
    all.push_back(op.f.cast(value, op.dtype()));
  }
  return all;
}

static Results concat(Operation &op) { return op.f.concat(members(op), dimOf(op, "dim")); }
static Results stack(Operation &op) { return op.f.stack(members(op), dimOf(op, "dim")); }

/// `pad` holds pairs from the last dimension on; negative numbers cut.
static Results pad(Operation &op) {
  if (op.text("mode", "constant") != "constant")
    op.fail("padding mode '" + op.text("mode") + "' is not supported, expected constant");
  Value x = op.value("self");
  std::vector<Extent> lengths = op.extents("pad"), low(x.rank(), 0), high(x.rank(), 0);
  for (size_t pair = 0; 2 * pair + 1 < lengths.size(); ++pair) {
    int dim = x.rank() - 1 - static_cast<int>(pair);
    auto cut = [](Extent length) { return length.isConstant() && length.constant() < 0; };
    Extent before = lengths[2 * pair], after = lengths[2 * pair + 1];
    if (cut(before))
      x = op.f.slice(x, dim, -before.constant());
    else
      low[dim] = before;
    if (cut(after))
      x = op.f.slice(x, dim, 0, after);
    else
      high[dim] = after;
  }
  return op.f.pad(x, low, high, op.number("value", 0));
}

/// x with `part` in the place of what select, slice or narrow showed.
static Results writeBack(Operation &op) {
  Function &f = op.f;
  Value x = op.value("self"), part = op.source();
  if (op.view() != "aten::select" && op.view() != "aten::slice" && op.view() != "aten::narrow")
    return f.reshape(part, op.shape());
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  bool selects = op.view() == "aten::select";
  if (op.integer("step", 1) != 1)
    op.fail("a change in place through a slice with a step is not supported");
  Extent start = op.extent(selects ? "index" : "start", 0);
  if (start.isConstant() && start.constant() < 0)
    start = f.extent(x, dim) + start;
  Extent length = selects ? Extent(1) : op.sourceExtent(dim);
  if (selects)
    part = f.unsqueeze(part, dim);
  Value before = f.slice(x, dim, 0, start), after = f.slice(x, dim, start + length);
  return f.concat({before, part, after}, dim);
}

//===----------------------------------------------------------------------===//
// By index
//===----------------------------------------------------------------------===//

static Value alongFirst(Operation &op, Value x, int dim, Value ids) {
  dim = fromFront(dim, x.rank());
  if (dim == 0)
    return op.f.index(x, ids);
  std::vector<int> front = {dim}, back;
  for (int other = 0; other < x.rank(); ++other)
    if (other != dim)
      front.push_back(other);
  Value found = op.f.index(op.f.permute(x, front), ids);
  // The dimensions of ids go where the indexed one was.
  for (int other = 0; other < dim; ++other)
    back.push_back(ids.rank() + other);
  for (int own = 0; own < ids.rank(); ++own)
    back.push_back(own);
  for (int other = ids.rank() + dim; other < found.rank(); ++other)
    back.push_back(other);
  return op.f.permute(found, back);
}

static Results indexSelect(Operation &op) {
  Value ids = op.value("index");
  return alongFirst(op, op.value("self"), dimOf(op, "dim"),
                    ids.rank() == 0 ? op.f.unsqueeze(ids, 0) : ids);
}

static Results indexByTensor(Operation &op) {
  std::vector<Value> indices = op.values("indices");
  int place = -1;
  for (size_t dim = 0; dim < indices.size(); ++dim) {
    if (!indices[dim])
      continue;
    if (place >= 0)
      op.fail("indexing by more than one tensor is not supported");
    place = static_cast<int>(dim);
  }
  if (place < 0)
    return op.value("self");
  if (indices[place].dtype() == DType::i1)
    op.fail("the shape of a result may not depend on a mask; use where or masked_fill");
  return alongFirst(op, op.value("self"), place, indices[place]);
}

static Results gather(Operation &op) {
  Value x = op.value("self"), ids = op.value("index");
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  Extent count = op.f.extent(x, dim);
  if (!count.isConstant())
    op.fail("gather needs the gathered dimension to be fixed");
  // One element of a row at a time: the row against a one-hot vector.
  for (int other = 0; other < x.rank(); ++other)
    if (other != dim && ids.dim(other) != x.dim(other))
      op.fail("gather needs 'index' to have the extents of 'self' beside the gathered dimension");
  Value rows = op.f.unsqueeze(op.f.transpose(x, dim, -1), -2);
  Value hot = op.f.oneHot(op.f.transpose(ids, dim, -1), count.constant(), op.dtype());
  return op.f.transpose(op.f.sum(op.f.mul(rows, hot), {-1}), dim, -1);
}

static Results oneHot(Operation &op) {
  int64_t classes = op.integer("num_classes", -1);
  if (classes < 0)
    op.fail("needs the number of classes");
  return op.f.oneHot(op.value("self"), classes, op.dtype());
}

void aft::capture::addShapeRules(Rules &rules) {
  for (const char *name : {"view", "reshape", "view_as", "reshape_as", "flatten", "unflatten",
                           "unsqueeze", "squeeze", "_unsafe_view", "ravel"})
    rules[std::string("aten::") + name] = reshape;
  for (const char *name : {"expand", "expand_as", "broadcast_to"})
    rules[std::string("aten::") + name] = expand;
  rules["aten::repeat"] = rules["aten::tile"] = repeat;
  rules["aten::repeat_interleave"] = repeatInterleave;
  rules["aten::transpose"] = transposed("dim0", "dim1");
  rules["aten::swapaxes"] = transposed("axis0", "axis1");
  rules["aten::swapdims"] = transposed("dim0", "dim1");
  rules["aten::t"] = rules["aten::mT"] = rules["aten::numpy_T"] = matrixTranspose;
  rules["aten::permute"] = permute;
  rules["aten::movedim"] = rules["aten::moveaxis"] = movedim;
  rules["aten::slice"] = slice;
  rules["aten::narrow"] = narrow;
  rules["aten::select"] = selectIndex;
  rules["aten::split"] = rules["aten::split_with_sizes"] = pieces;
  rules["aten::chunk"] = rules["aten::tensor_split"] = pieces;
  rules["aten::unbind"] = unbind;
  rules["aten::unfold"] = unfold;
  rules["aten::flip"] = flip;
  rules["aten::roll"] = roll;
  rules["aten::cat"] = rules["aten::concat"] = rules["aten::concatenate"] = concat;
  rules["aten::stack"] = stack;
  rules["aten::pad"] = rules["aten::constant_pad_nd"] = pad;
  rules["aten::index_select"] = indexSelect;
  rules["aten::index"] = indexByTensor;
  rules[kWriteBack] = writeBack;
  rules["aten::gather"] = gather;
  rules["aten::one_hot"] = oneHot;
  rules["aten::tril"] = [](Operation &op) -> Results {
    return op.f.tril(op.value("self"), op.integer("diagonal"));
  };
  rules["aten::triu"] = [](Operation &op) -> Results {
    return op.f.triu(op.value("self"), op.integer("diagonal"));
  };
}
