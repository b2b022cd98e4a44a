//===- Reductions.cpp - Rules of reductions and scans ---------------------===//

#include "frontends/torch/capture/Indexing.h"
#include "frontends/torch/capture/Rules.h"

#include <limits>

using namespace aft;
using namespace aft::capture;

using Reduction = Value (Function::*)(Value, const std::vector<int> &, bool);

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// In the result's element type, over `dim` or all dimensions.
static Rule reduction(Reduction operation) {
  return [operation](Operation &op) -> Results {
    return (op.f.*operation)(op.as("self"), op.dims("dim"), op.flag("keepdim"));
  };
}

/// The first place along a dimension that holds the extremum `top`, or a NaN.
static Value placeOf(Operation &op, Value x, Value top, int dim, bool keep) {
  Function &f = op.f;
  Value hit = f.compare(Compare::eq, x, top);
  if (op.isFloat(x.dtype()))
    hit = f.logicalOr(hit, f.logicalNot(f.compare(Compare::eq, x, x)));
  std::vector<Extent> shape(x.rank(), 1);
  shape[fromFront(dim, x.rank())] = f.extent(x, dim);
  Value places = f.reshape(f.arange(f.extent(x, dim), DType::i64), shape);
  Value last = f.sub(op.extentValue(f.extent(x, dim), DType::i64), 1);
  return f.min(f.where(hit, places, last), {dim}, keep);
}

/// max and min: of two tensors, over everything, or over one dimension with the
/// indices.
static Rule extremum(Reduction over, Value (Function::*ofTwo)(Operand, Operand)) {
  return [over, ofTwo](Operation &op) -> Results {
    if (op.has("other"))
      return (op.f.*ofTwo)(op.as("self"), op.as("other"));
    Value x = op.as("self");
    std::vector<int> dims = op.dims("dim");
    Value top = (op.f.*over)(x, dims, op.flag("keepdim"));
    if (op.resultCount() < 2 || x.rank() == 0)
      return top;
    Value kept = (op.f.*over)(x, dims, true);
    return std::vector{top, placeOf(op, x, kept, dims[0], op.flag("keepdim"))};
  };
}

static Rule extremumPlace(Reduction over) {
  return [over](Operation &op) -> Results {
    Value x = op.value("self");
    int dim = dimOf(op, "dim");
    if (!op.has("dim"))
      x = op.f.flatten(x);
    return placeOf(op, x, (op.f.*over)(x, {dim}, true), dim, op.has("dim") && op.flag("keepdim"));
  };
}

/// The k largest numbers, one after the other: for small k.
static Results topK(Operation &op) {
  Function &f = op.f;
  Value x = op.as("self");
  int64_t count = op.integer("k");
  int dim = dimOf(op, "dim", -1);
  if (!op.flag("largest", true) || count > 16 || !op.isFloat(x.dtype()))
    op.fail("supported are up to 16 of the largest floats");
  std::vector<Extent> shape(x.rank(), 1);
  shape[fromFront(dim, x.rank())] = f.extent(x, dim);
  Value places = f.reshape(f.arange(f.extent(x, dim), DType::i64), shape), rest = x;
  std::vector<Value> numbers, indices;
  for (int64_t i = 0; i < count; ++i) {
    Value top = f.max(rest, {dim}, true), place = placeOf(op, rest, top, dim, true);
    numbers.push_back(top);
    indices.push_back(place);
    rest = f.where(f.compare(Compare::eq, places, place), -kInfinity, rest);
  }
  return std::vector{f.concat(numbers, dim), f.concat(indices, dim)};
}

static Results extrema(Operation &op) {
  Value x = op.as("self");
  std::vector<int> dims = op.dims("dim");
  bool keep = op.flag("keepdim");
  return std::vector{op.f.min(x, dims, keep), op.f.max(x, dims, keep)};
}

static Results countNonzero(Operation &op) {
  Value x = op.value("self");
  Value hit = x.dtype() == DType::i1 ? x : op.f.compare(Compare::ne, x, 0);
  return op.f.sum(op.f.cast(hit, DType::i64), op.dims("dim"));
}

static Results sumOfNumbers(Operation &op) {
  Value x = op.as("self");
  x = op.f.where(op.f.compare(Compare::eq, x, x), x, 0);
  return op.f.sum(x, op.dims("dim"), op.flag("keepdim"));
}

/// The number of elements under `dims` as an operand.
static Extent countOf(Operation &op, Value x, std::vector<int> dims) {
  if (dims.empty())
    for (int dim = 0; dim < x.rank(); ++dim)
      dims.push_back(dim);
  Extent count = 1;
  for (int dim : dims)
    count = count * op.f.extent(x, dim);
  return count;
}

static Value variance(Operation &op) {
  Value x = op.as("self");
  std::vector<int> dims = op.dims("dim");
  double correction = op.has("unbiased") ? op.flag("unbiased") : op.number("correction", 1);
  Value biased = op.f.variance(x, dims, op.flag("keepdim"));
  if (correction == 0)
    return biased;
  Extent count = countOf(op, x, dims);
  if (count.isConstant()) {
    double n = static_cast<double>(count.constant());
    return op.f.mul(biased, n / (n - correction));
  }
  Value n = op.extentValue(count, op.dtype());
  return op.f.mul(biased, op.f.div(n, op.f.sub(n, correction)));
}

static Results logSumExp(Operation &op) {
  Value x = op.as("self");
  std::vector<int> dims = op.dims("dim");
  Value top = op.f.max(x, dims, true);
  Value finite = op.f.where(op.f.compare(Compare::eq, op.f.abs(top), kInfinity), 0, top);
  Value sum = op.f.log(op.f.sum(op.f.exp(op.f.sub(x, finite)), dims, true));
  Value result = op.f.add(sum, finite);
  return op.flag("keepdim") ? result : op.f.reshape(result, op.shape());
}

/// log(sum of exp(x) up to each place), each with the maximum up to there.
static Results logCumSumExp(Operation &op) {
  Function &f = op.f;
  Value x = op.as("self");
  int dim = dimOf(op, "dim");
  Value last = f.transpose(x, dim, -1);
  Extent length = f.extent(last, -1);
  Value terms = f.where(f.causalMask(length, length), f.unsqueeze(last, -2), -kInfinity);
  Value top = f.max(terms, {-1}, true);
  Value finite = f.where(f.compare(Compare::eq, f.abs(top), kInfinity), 0, top);
  Value sum = f.log(f.sum(f.exp(f.sub(terms, finite)), {-1}, true));
  return f.transpose(f.squeeze(f.add(sum, finite), -1), dim, -1);
}

/// Products up to each place, by doubling what each holds.
static Value productsByDoubling(Operation &op, Value x, int dim, int64_t length) {
  Function &f = op.f;
  for (int64_t step = 1; step < length; step *= 2) {
    std::vector<Extent> low(x.rank(), 0), high(x.rank(), 0);
    low[dim] = step;
    x = f.mul(x, f.pad(f.slice(x, dim, 0, length - step), low, high, 1));
  }
  return x;
}

/// The product of a dimension, kept with extent 1, by halving what is left.
static Value productByHalving(Operation &op, Value x, int dim, int64_t length) {
  Function &f = op.f;
  std::vector<Extent> low(x.rank(), 0), high(x.rank(), 0);
  high[dim] = 1;
  if (length == 0)
    return f.pad(x, low, high, 1);
  while (length > 1) {
    x = length % 2 ? f.pad(x, low, high, 1) : x;
    int64_t half = (length + 1) / 2;
    x = f.mul(f.slice(x, dim, 0, half), f.slice(x, dim, half, 2 * half));
    length = half;
  }
  return x;
}

/// The same of any length: a sum of logarithms, precise enough in f64, with its sign. Its
/// derivative is NaN where a factor is 0.
static Value productsByLogarithms(Operation &op, Value x, int dim) {
  Function &f = op.f;
  Value wide = f.cast(x, DType::f64);
  Value size = f.exp(f.cumsum(f.log(f.abs(wide)), dim));
  Value signs = f.cumsum(f.cast(f.compare(Compare::lt, wide, 0), DType::f64), dim);
  Value half = f.mul(signs, 0.5);
  Value isOdd = f.compare(Compare::ne, f.floor(half), half);
  return f.cast(f.where(isOdd, f.neg(size), size), x.dtype());
}

static Value widened(Operation &op, Value x) {
  return x.dtype() == DType::bf16 ? op.f.cast(x, DType::f32) : x;
}

static Results cumulativeProduct(Operation &op) {
  Value x = op.as("self");
  if (x.rank() == 0)
    return x;
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  if (x.dim(dim) != kDynamic)
    return op.f.cast(productsByDoubling(op, widened(op, x), dim, x.dim(dim)), x.dtype());
  if (!op.isFloat(x.dtype()))
    op.fail("the products of integers need a dimension of fixed size");
  return productsByLogarithms(op, x, dim);
}

/// Over one dimension, or over everything: where the number of factors is known in a way
/// that has a derivative.
static Results wholeProduct(Operation &op) {
  Value x = op.as("self");
  if (x.rank() == 0)
    return x;
  bool all = !op.has("dim"), keep = !all && op.flag("keepdim");
  int dim = fromFront(dimOf(op, "dim"), x.rank());
  x = all ? op.f.flatten(x) : x;
  if (x.dim(dim) == kDynamic || !op.isFloat(x.dtype()))
    return op.f.prod(x, {dim}, keep);
  Value one = productByHalving(op, widened(op, x), dim, x.dim(dim));
  return op.f.cast(keep ? one : op.f.squeeze(one, dim), x.dtype());
}

/// The extremum up to each place, and the last place that holds it, or the last NaN.
static Rule cumulativeExtremum(Reduction over) {
  return [over](Operation &op) -> Results {
    Function &f = op.f;
    Value x = op.value("self");
    if (x.rank() == 0)
      return std::vector{x, f.splat(0, DType::i64, {})};
    int dim = dimOf(op, "dim");
    Value last = f.transpose(x.dtype() == DType::i1 ? f.cast(x, DType::i32) : x, dim, -1);
    Extent length = f.extent(last, -1);
    Value seen = f.causalMask(length, length), each = f.unsqueeze(last, -2);
    Value top = (f.*over)(f.where(seen, each, f.unsqueeze(last, -1)), {-1}, false);
    Value hit = f.compare(Compare::eq, each, f.unsqueeze(top, -1));
    if (op.isFloat(x.dtype()))
      hit = f.logicalOr(hit, f.logicalNot(f.compare(Compare::eq, each, each)));
    Value places = f.where(f.logicalAnd(seen, hit), f.arange(length, DType::i64), -1);
    Value place = f.max(places, {-1});
    return std::vector{f.cast(f.transpose(top, dim, -1), x.dtype()), f.transpose(place, dim, -1)};
  };
}

static Results norm(Operation &op) {
  Value x = op.as("self");
  double power = op.has("ord") ? op.number("ord", 2) : op.number("p", 2);
  std::vector<int> dims = op.dims("dim");
  bool keep = op.flag("keepdim");
  if (power == 2)
    return op.f.sqrt(op.f.sum(op.f.mul(x, x), dims, keep));
  if (power == 1)
    return op.f.sum(op.f.abs(x), dims, keep);
  if (power == kInfinity)
    return op.f.max(op.f.abs(x), dims, keep);
  if (power <= 0)
    op.fail("norms of positive order are supported, found " + std::to_string(power));
  Value sum = op.f.sum(op.f.pow(op.f.abs(x), power), dims, keep);
  return op.f.pow(sum, 1 / power);
}

/// Whether any (all) numbers are not 0.
template <bool any> static Results truth(Operation &op) {
  Value x = op.value("self");
  Value hit = x.dtype() == DType::i1 ? x : op.f.compare(Compare::ne, x, 0);
  Value number = op.f.cast(hit, DType::i32);
  std::vector<int> dims = op.dims("dim");
  bool keep = op.flag("keepdim");
  Value result = any ? op.f.max(number, dims, keep) : op.f.min(number, dims, keep);
  return op.f.compare(Compare::gt, result, 0);
}

void aft::capture::addReductionRules(Rules &rules) {
  rules["aten::sum"] = reduction(&Function::sum);
  rules["aten::mean"] = reduction(&Function::mean);
  rules["aten::amax"] = reduction(&Function::max);
  rules["aten::amin"] = reduction(&Function::min);
  rules["aten::max"] = extremum(&Function::max, &Function::maximum);
  rules["aten::min"] = extremum(&Function::min, &Function::minimum);
  rules["aten::var"] = [](Operation &op) -> Results { return variance(op); };
  rules["aten::std"] = [](Operation &op) -> Results { return op.f.sqrt(variance(op)); };
  rules["aten::var_mean"] = [](Operation &op) -> Results {
    return std::vector{variance(op), op.f.mean(op.as("self"), op.dims("dim"), op.flag("keepdim"))};
  };
  rules["aten::std_mean"] = [](Operation &op) -> Results {
    return std::vector{op.f.sqrt(variance(op)),
                       op.f.mean(op.as("self"), op.dims("dim"), op.flag("keepdim"))};
  };
  rules["aten::argmax"] = extremumPlace(&Function::max);
  rules["aten::argmin"] = extremumPlace(&Function::min);
  rules["aten::topk"] = topK;
  rules["aten::aminmax"] = extrema;
  rules["aten::count_nonzero"] = countNonzero;
  rules["aten::nansum"] = sumOfNumbers;
  rules["aten::logsumexp"] = logSumExp;
  rules["aten::logcumsumexp"] = logCumSumExp;
  rules["aten::norm"] = rules["aten::linalg_vector_norm"] = norm;
  rules["aten::any"] = truth<true>;
  rules["aten::all"] = truth<false>;
  rules["aten::softmax"] = rules["aten::_softmax"] = [](Operation &op) -> Results {
    return op.f.softmax(op.as("self"), dimOf(op, "dim"));
  };
  rules["aten::log_softmax"] = rules["aten::_log_softmax"] = [](Operation &op) -> Results {
    return op.f.logSoftmax(op.as("self"), dimOf(op, "dim"));
  };
  rules["aten::cumsum"] = [](Operation &op) -> Results {
    return op.f.cumsum(op.as("self"), dimOf(op, "dim"));
  };
  rules["aten::prod"] = wholeProduct;
  rules["aten::cumprod"] = cumulativeProduct;
  rules["aten::cummax"] = cumulativeExtremum(&Function::max);
  rules["aten::cummin"] = cumulativeExtremum(&Function::min);
}
