//===- Shapes.cpp - Rules of operators that move or view elements ---------===//

#include "frontends/torch/capture/Indexing.h"
#include "frontends/torch/capture/Rules.h"

#include <algorithm>
#include <limits>

using namespace aft;
using namespace aft::capture;

static constexpr int64_t kEnd = std::numeric_limits<int64_t>::max();

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
static Value elementsRepeated(Operation &op, Value x, int dim, Extent times) {
  std::vector<Extent> wide = op.f.shape(x);
  wide.insert(wide.begin() + dim + 1, times);
  return op.f.flatten(op.f.expand(op.f.unsqueeze(x, dim + 1), wide), dim, dim + 1);
}

static Results repeatInterleave(Operation &op) {
  Value x = op.value("self");
  if (!op.has("repeats"))
    op.fail("only a number of repeats is supported");
  if (!op.has("dim"))
    x = op.f.flatten(x);
  return elementsRepeated(op, x, fromFront(dimOf(op, "dim"), x.rank()), op.extent("repeats"));
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

/// What lies at `offset` + sum of place * stride of a row-major tensor (the recorder refuses
/// others), as slices of it where the sizes are fixed.
struct Strided {
  Operation &op;
  struct Dim {
    int64_t size, stride;
    int place; ///< in the result
  };

  /// Of `flat` [..., n] the dimensions `dims`, which are sorted by falling strides, behind the
  /// leading ones, which `order` names.
  Value view(Value flat, int64_t offset, std::vector<Dim> dims, std::vector<int> order) const;
  Value cut(Value flat, int64_t offset, int64_t length) const;
};

/// Of the last dimension `length` numbers from `offset` on; those beyond its end are never read.
Value Strided::cut(Value flat, int64_t offset, int64_t length) const {
  int last = flat.rank() - 1;
  int64_t beyond = std::max<int64_t>(0, offset + length - flat.dim(last));
  flat = op.f.slice(flat, last, offset, offset + length - beyond);
  if (beyond == 0)
    return flat;
  std::vector<Extent> low(flat.rank(), 0), high(flat.rank(), 0);
  high[last] = beyond;
  return op.f.pad(flat, low, high, 0);
}

Value Strided::view(Value flat, int64_t offset, std::vector<Dim> dims,
                    std::vector<int> order) const {
  Function &f = op.f;
  int last = flat.rank() - 1;
  if (dims.empty()) {
    std::vector<int> back(order.size());
    for (size_t i = 0; i < order.size(); ++i)
      back[order[i]] = static_cast<int>(i);
    return f.permute(f.select(flat, last, offset), back);
  }
  Dim outer = dims.front();
  int64_t reach = 1;
  for (size_t i = 1; i < dims.size(); ++i)
    reach += (dims[i].size - 1) * dims[i].stride;
  if (outer.stride >= reach) { // rows beside each other
    flat = cut(flat, offset, outer.size * outer.stride);
    std::vector<Extent> shape = f.shape(flat);
    shape.back() = outer.size;
    shape.push_back(outer.stride);
    dims.erase(dims.begin());
    order.push_back(outer.place);
    return view(f.reshape(flat, shape), 0, dims, order);
  }
  // Rows that overlap: one of the dimensions tap by tap, the one of fewest taps.
  auto least = std::min_element(dims.begin(), dims.end(),
                                [](const Dim &a, const Dim &b) { return a.size < b.size; });
  Dim taps = *least;
  if (taps.size > 256)
    op.fail("views whose rows overlap are supported where one of the dimensions that overlap has "
            "at most 256 places");
  dims.erase(least);
  std::vector<Value> parts;
  for (int64_t tap = 0; tap < taps.size; ++tap) {
    int64_t length = 1;
    for (const Dim &dim : dims)
      length += (dim.size - 1) * dim.stride;
    parts.push_back(
        f.slice(flat, last, offset + tap * taps.stride, offset + tap * taps.stride + length));
  }
  order.push_back(taps.place);
  return view(f.stack(parts, last), 0, dims, order);
}

/// Where sizes are not fixed: each number by its place.
static Value stridedByPlace(Operation &op, Value flat, const std::vector<Extent> &sizes,
                            const std::vector<Extent> &strides) {
  Function &f = op.f;
  if (op.isTraining() && op.isFloat(flat.dtype()))
    op.fail("in training the sizes and strides must be the same at all sizes of the module's "
            "inputs; use slice, unfold or reshape");
  Value place = op.extentValue(op.extent("storage_offset", 0), DType::i64);
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    std::vector<Extent> shape(sizes.size(), 1);
    shape[dim] = sizes[dim];
    Value step = f.mul(f.arange(sizes[dim], DType::i64), op.extentValue(strides[dim], DType::i64));
    place = f.add(place, f.reshape(step, shape));
  }
  return takeAlong(op, flat, 0, place);
}

static Results asStrided(Operation &op) {
  Function &f = op.f;
  Value flat = op.value("self");
  flat = flat.rank() == 0 ? f.unsqueeze(flat, 0) : f.flatten(flat);
  std::vector<Extent> sizes = op.extents("size"), strides = op.extents("stride");
  Extent offset = op.extent("storage_offset", 0);
  bool isFixed = flat.dim(0) != kDynamic && offset.isConstant();
  std::vector<Strided::Dim> dims;
  std::vector<int> order;
  bool isEmpty = false;
  for (size_t dim = 0; dim < sizes.size(); ++dim) {
    isFixed &= sizes[dim].isConstant() && strides[dim].isConstant();
    isEmpty |= sizes[dim].constant() == 0;
    dims.push_back({sizes[dim].constant(), strides[dim].constant(), static_cast<int>(dim)});
  }
  if (!isFixed)
    return stridedByPlace(op, flat, sizes, strides);
  if (isEmpty)
    return f.splat(0, op.dtype(), sizes);
  // Dimensions of one place, and those that stay at one, are added behind.
  std::vector<Extent> narrow = sizes;
  auto stays = [&](const Strided::Dim &dim) { return dim.size == 1 || dim.stride == 0; };
  for (const Strided::Dim &dim : dims)
    if (stays(dim))
      narrow[dim.place] = 1;
  dims.erase(std::remove_if(dims.begin(), dims.end(), stays), dims.end());
  for (size_t dim = 0; dim < dims.size(); ++dim)
    dims[dim].place = static_cast<int>(dim);
  std::stable_sort(dims.begin(), dims.end(), [](const Strided::Dim &a, const Strided::Dim &b) {
    return a.stride > b.stride;
  });
  Value found = Strided{op}.view(flat, offset.constant(), dims, {});
  return f.expand(f.reshape(found, narrow), sizes);
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
  std::string mode = op.text("mode", "constant");
  if (mode == "reflect")
    return padFromInside(op, "pad", Beyond::mirrored);
  if (mode == "replicate")
    return padFromInside(op, "pad", Beyond::repeated);
  if (mode == "circular")
    return padFromInside(op, "pad", Beyond::circular);
  if (mode != "constant")
    op.fail("padding mode '" + mode +
            "' is not supported, expected constant, reflect, replicate or circular");
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

/// What is resized: it has two names.
static const char *imageOf(Operation &op) { return op.has("self") ? "self" : "input"; }

/// The factor of a dimension, where the call names one. Exported programs have the forms that
/// take a list of them.
static std::optional<double> scaleOf(Operation &op, int dim, int rank) {
  if (op.has("scale_factors"))
    return op.numbers("scale_factors")[dim - 2];
  const char *name = rank == 3 ? "scales" : dim == 2 ? "scales_h" : "scales_w";
  return op.has(name) ? std::optional(op.number(name)) : std::nullopt;
}

/// LibTorch's own resizing of one dimension to the nearest place.
using Nearest = at::Tensor (*)(const at::Tensor &row, at::IntArrayRef size,
                               std::optional<double> scale);

/// Each place takes the number of one other, which is how the places' own numbers are resized.
static Rule upsampleNearest(Nearest resize) {
  return [=](Operation &op) -> Results {
    Function &f = op.f;
    Value x = op.as(imageOf(op));
    for (int dim = 2; dim < x.rank(); ++dim) {
      Extent in = f.extent(x, dim), out = op.shape()[dim];
      if (!in.isConstant() || !out.isConstant())
        op.fail("expected fixed sizes");
      int64_t from = in.constant(), to = out.constant();
      at::Tensor places = at::arange(from, x.dtype() == DType::f64 ? at::kDouble : at::kFloat);
      places = resize(places.view({1, 1, from}), {to}, scaleOf(op, dim, x.rank()));
      places = places.to(at::kLong).view({to}).contiguous();
      int64_t times = to / from;
      if (to % from == 0 && places.equal(at::arange(to, at::kLong).floor_divide(times)))
        x = elementsRepeated(op, x, dim, times);
      else
        x = takeAlong(op, x, dim, f.constant({DType::i64, {to}}, places.const_data_ptr()));
    }
    return x;
  };
}

/// LibTorch's own resizing of two dimensions.
using Resize = at::Tensor (*)(const at::Tensor &image, at::IntArrayRef sizes, bool alignCorners,
                              std::optional<double> rows, std::optional<double> columns);

/// [out, in]: what each place takes from each, which is how unit vectors are resized.
static Value weightsOf(Operation &op, Resize resize, DType type, int64_t in, int64_t out,
                       std::optional<double> scale) {
  at::Tensor units = at::eye(in, at::kDouble).view({1, 1, in, in});
  at::Tensor weights = resize(units, {out, in}, op.flag("align_corners"), scale, std::nullopt);
  weights = weights.to(type == DType::f64 ? at::kDouble : at::kFloat).contiguous();
  return op.f.constant({type, {out, in}}, weights.const_data_ptr());
}

/// Each place is a weighted sum along each dimension.
static Rule upsample(Resize resize) {
  return [=](Operation &op) -> Results {
    Function &f = op.f;
    DType wide = op.dtype() == DType::f64 ? DType::f64 : DType::f32;
    Value x = op.as(imageOf(op), wide);
    for (int dim = 2; dim < x.rank(); ++dim) {
      Extent in = f.extent(x, dim), out = op.shape()[dim];
      if (!in.isConstant() || !out.isConstant())
        op.fail("expected fixed sizes");
      Value weights =
          weightsOf(op, resize, wide, in.constant(), out.constant(), scaleOf(op, dim, x.rank()));
      x = f.transpose(f.matmul(f.transpose(x, dim, -1), weights, false, true), dim, -1);
    }
    return f.cast(x, op.dtype());
  };
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
  rules["aten::as_strided"] = asStrided;
  rules["aten::roll"] = roll;
  rules["aten::cat"] = rules["aten::concat"] = rules["aten::concatenate"] = concat;
  rules["aten::stack"] = stack;
  rules["aten::pad"] = rules["aten::constant_pad_nd"] = pad;
  rules["aten::pixel_shuffle"] = pixelShuffle;
  rules["aten::pixel_unshuffle"] = pixelUnshuffle;
  Nearest lower = at::upsample_nearest1d, exact = at::_upsample_nearest_exact1d;
  for (const char *rank : {"1d", "2d"}) {
    rules[std::string("aten::upsample_nearest") + rank] = upsampleNearest(lower);
    rules[std::string("aten::_upsample_nearest_exact") + rank] = upsampleNearest(exact);
  }
  Resize linear = at::upsample_bilinear2d, cubic = at::upsample_bicubic2d;
  rules["aten::upsample_linear1d"] = rules["aten::upsample_bilinear2d"] = upsample(linear);
  rules["aten::upsample_bicubic2d"] = upsample(cubic);
  rules["aten::_upsample_bilinear2d_aa"] = upsample(at::_upsample_bilinear2d_aa);
  rules["aten::_upsample_bicubic2d_aa"] = upsample(at::_upsample_bicubic2d_aa);
  rules["aten::tril"] = [](Operation &op) -> Results {
    return op.f.tril(op.value("self"), op.integer("diagonal"));
  };
  rules["aten::triu"] = [](Operation &op) -> Results {
    return op.f.triu(op.value("self"), op.integer("diagonal"));
  };
  // The forms of exported programs, whose results share no memory.
  for (const char *name :
       {"view", "expand", "permute", "transpose", "t", "slice", "select", "squeeze", "unsqueeze",
        "split", "split_with_sizes", "unbind", "as_strided"})
    rules[std::string("aten::") + name + "_copy"] = rules[std::string("aten::") + name];
}
