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
  bool all = dims.empty();
  if (all) {
    x = op.f.flatten(x);
    dims = {0};
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    Extent length = op.f.extent(x, dims[i]);
    if (shifts[i] < 0 && length.isConstant())
      shifts[i] += length.constant();
    // Elements move to higher places; what falls off the end comes first.
    Extent cut = shifts[i] < 0 ? Extent(-shifts[i]) : length - shifts[i];
    x = op.f.concat({op.f.slice(x, dims[i], cut), op.f.slice(x, dims[i], 0, cut)}, dims[i]);
  }
  return all ? op.f.reshape(x, op.shape()) : x;
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

/// What was viewed with its dimensions in another order, in the order it had.
static Value orderedBack(Operation &op, Value part) {
  auto dim = [&](const char *name) {
    return op.has(name) ? fromFront(dimOf(op, name), part.rank()) : -1;
  };
  if (op.view() == "aten::permute") {
    std::vector<int> dims = op.dims("dims"), back(dims.size());
    for (size_t i = 0; i < dims.size(); ++i)
      back[fromFront(dims[i], part.rank())] = static_cast<int>(i);
    return op.f.permute(part, back);
  }
  if (op.view() == "aten::t")
    return part.rank() < 2 ? part : op.f.transpose(part, 0, 1);
  return op.view() == "aten::swapaxes" ? op.f.transpose(part, dim("axis0"), dim("axis1"))
                                       : op.f.transpose(part, dim("dim0"), dim("dim1"));
}

/// x with every step-th element from `start` on replaced by those of `part`.
static Value everyStep(Operation &op, Value x, Value part, int dim, int64_t start, int64_t step) {
  Function &f = op.f;
  Value place = f.sub(f.arange(f.extent(x, dim), DType::i64), start);
  Value turn = f.div(place, step), rest = f.sub(place, f.mul(turn, step));
  Value hit = f.logicalAnd(f.compare(Compare::eq, rest, 0), f.compare(Compare::ge, place, 0));
  Value found = f.index(f.transpose(part, 0, dim), f.where(hit, turn, 0));
  std::vector<Extent> column(x.rank(), 1);
  column[dim] = f.extent(x, dim);
  return f.where(f.reshape(hit, column), f.transpose(found, 0, dim), x);
}

/// Padding with the numbers of x itself: mirrored at its ends, or those of its
/// ends.
template <bool mirrored> static Results padFromInside(Operation &op) {
  Function &f = op.f;
  Value x = op.value("self");
  std::vector<int64_t> lengths = op.integers("padding");
  for (size_t pair = 0; 2 * pair + 1 < lengths.size(); ++pair) {
    int dim = x.rank() - 1 - static_cast<int>(pair);
    Extent length = f.extent(x, dim);
    Value last = f.sub(op.extentValue(length, DType::i64), 1);
    Value place = f.arange(length + lengths[2 * pair] + lengths[2 * pair + 1], DType::i64,
                           static_cast<double>(-lengths[2 * pair]));
    place = mirrored ? f.sub(last, f.abs(f.sub(last, f.abs(place))))
                     : f.minimum(f.maximum(place, 0), last);
    x = f.transpose(f.index(f.transpose(x, 0, dim), place), 0, dim);
  }
  return x;
}

/// [B, c * r * r, h, w] and [B, c, h * r, w * r]
static Results pixelShuffle(Operation &op) {
  Function &f = op.f;
  Value x = op.value("self");
  int64_t r = op.integer("upscale_factor");
  std::vector<Extent> s = op.shape();
  if (x.rank() != 4)
    op.fail("expected an input of rank 4");
  Value parts = f.reshape(x, {s[0], s[1], r, r, f.extent(x, 2), f.extent(x, 3)});
  return f.reshape(f.permute(parts, {0, 1, 4, 2, 5, 3}), s);
}

static Results pixelUnshuffle(Operation &op) {
  Function &f = op.f;
  Value x = op.value("self");
  int64_t r = op.integer("downscale_factor");
  std::vector<Extent> s = op.shape();
  if (x.rank() != 4)
    op.fail("expected an input of rank 4");
  Value parts = f.reshape(x, {s[0], f.extent(x, 1), s[2], r, s[3], r});
  return f.reshape(f.permute(parts, {0, 1, 3, 5, 2, 4}), s);
}

/// By a whole factor.
static Results upsampleNearest(Operation &op) {
  Function &f = op.f;
  Value x = op.as("self");
  for (int dim = 2; dim < x.rank(); ++dim) {
    Extent in = f.extent(x, dim), out = op.shape()[dim];
    if (!in.isConstant() || !out.isConstant() || out.constant() % in.constant() != 0)
      op.fail("expected fixed sizes and a whole factor");
    std::vector<Extent> wide = f.shape(x);
    wide.insert(wide.begin() + dim + 1, out.constant() / in.constant());
    x = f.flatten(f.expand(f.unsqueeze(x, dim + 1), wide), dim, dim + 1);
  }
  return x;
}

/// x with `part` in the place of what a view showed.
static Results writeBack(Operation &op) {
  Function &f = op.f;
  Value x = op.value("self"), part = op.source();
  for (const char *name : {"permute", "t", "transpose", "swapaxes", "swapdims"})
    if (op.view() == std::string("aten::") + name)
      return orderedBack(op, part);
  if (op.view() != "aten::select" && op.view() != "aten::slice" && op.view() != "aten::narrow")
    return f.reshape(part, op.shape());
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  bool selects = op.view() == "aten::select";
  Extent start = op.extent(selects ? "index" : "start", 0);
  if (int64_t step = op.integer("step", 1); step != 1) {
    if (!start.isConstant() || start.constant() < 0)
      op.fail("a change in place through a slice with a step needs a fixed start");
    return everyStep(op, x, part, dim, start.constant(), step);
  }
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

static Value alongFirst(Operation &op, Value x, int dim, Value ids) {
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

static Results indexSelect(Operation &op) {
  Value ids = op.value("index");
  return alongFirst(op, op.value("self"), dimOf(op, "dim"),
                    ids.rank() == 0 ? op.f.unsqueeze(ids, 0) : ids);
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
  return alongFirst(op, f.reshape(x, joint), first, place);
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
  return ids.size() == 1 ? Results(alongFirst(op, op.value("self"), place, ids[0]))
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
  Value hit = hits(op, f.transpose(ids, dim, -1), f.extent(x, dim));
  return f.transpose(f.sum(f.where(hit, rows, 0), {-1}), dim, -1);
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
  rules["aten::unsafe_split"] = rules["aten::unsafe_chunk"] = pieces;
  rules["aten::unbind"] = unbind;
  rules["aten::unfold"] = unfold;
  rules["aten::flip"] = flip;
  rules["aten::roll"] = roll;
  rules["aten::cat"] = rules["aten::concat"] = rules["aten::concatenate"] = concat;
  rules["aten::stack"] = stack;
  rules["aten::pad"] = rules["aten::constant_pad_nd"] = pad;
  for (const char *rank : {"1d", "2d"}) {
    rules[std::string("aten::reflection_pad") + rank] = padFromInside<true>;
    rules[std::string("aten::replication_pad") + rank] = padFromInside<false>;
  }
  rules["aten::pixel_shuffle"] = pixelShuffle;
  rules["aten::pixel_unshuffle"] = pixelUnshuffle;
  rules["aten::upsample_nearest1d"] = rules["aten::upsample_nearest2d"] = upsampleNearest;
  rules["aten::index_select"] = indexSelect;
  rules["aten::index"] = indexByTensor;
  rules[kWriteBack] = writeBack;
  rules["aten::index_put"] = indexPut;
  rules["aten::gather"] = gather;
  rules["aten::scatter"] = scatter<false>;
  rules["aten::scatter_add"] = scatter<true>;
  rules["aten::one_hot"] = oneHot;
  rules["aten::tril"] = [](Operation &op) -> Results {
    return op.f.tril(op.value("self"), op.integer("diagonal"));
  };
  rules["aten::triu"] = [](Operation &op) -> Results {
    return op.f.triu(op.value("self"), op.integer("diagonal"));
  };
}
