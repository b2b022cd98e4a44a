//===- Reduce.cpp - Reductions, softmax and running sums -------------------===//

#include "frontends/builder/FunctionImpl.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace aft;
using Impl = Function::Impl;

/// The dimensions to reduce, in order; all if none are given.
static std::optional<std::vector<int>> reduced(Impl &impl, const char *operation, Value x,
                                               const std::vector<int> &dims) {
  std::vector<int> all(x.rank());
  std::iota(all.begin(), all.end(), 0);
  std::optional<std::vector<int>> result =
      impl.dimensions(operation, dims.empty() ? all : dims, x.rank());
  if (result)
    std::sort(result->begin(), result->end());
  return result;
}

Value Impl::reduce(const char *operation, Value x, const std::vector<int> &dims, bool keepDims,
                   const char *floatName, const char *intName,
                   const std::function<std::string(DType)> &start) {
  if (!check(operation, {x}))
    return {};
  DType dtype = node(x).type.dtype, wide = accumulationOf(dtype);
  if (!isFloat(dtype) && !isInteger(dtype))
    return fail(operation, "expected numbers, found " + typeTextOf(x));
  std::optional<std::vector<int>> over = reduced(*this, operation, x, dims);
  if (!over)
    return {};
  if (over->empty())
    return x;
  Shape shape = shapeOf(x), kept, result;
  std::vector<int> loops(shape.size()), keptLoops;
  std::iota(loops.begin(), loops.end(), 0);
  for (int dim : loops) {
    bool gone = std::count(over->begin(), over->end(), dim);
    if (!gone) {
      kept.push_back(shape[dim]);
      keptLoops.push_back(dim);
    }
    if (!gone || keepDims)
      result.push_back(gone ? Polynomial(1) : shape[dim]);
  }
  Value init = filled(start(wide), wide, kept);
  if (!init)
    return {};
  Value y = generic({{x, loops}}, static_cast<int>(loops.size()), wide, kept, keptLoops, init,
                    [&](Body &body, const Strings &args) {
                      std::string term = body.convert(args[0], dtype, wide);
                      return body.op(isFloat(wide) ? floatName : intName, {args[1], term}, wide);
                    });
  y = self->cast(y, dtype);
  return y ? viewAs(y, result) : y;
}

/// The smallest (largest) number of a type, which the maximum (minimum) of
/// nothing is.
static std::string extreme(DType dtype, bool smallest) {
  if (isFloat(dtype))
    return numberText(smallest ? -INFINITY : INFINITY, dtype);
  int64_t bits = sizeOf(dtype) * 8;
  int64_t largest = static_cast<int64_t>(~uint64_t(0) >> (65 - bits));
  return std::to_string(smallest ? -largest - 1 : largest) + " : " + nameOf(dtype);
}

Value Function::sum(Value x, const std::vector<int> &dims, bool keepDims) {
  return impl->reduce("sum", x, dims, keepDims, "arith.addf", "arith.addi",
                      [](DType dtype) { return numberText(0, dtype); });
}

Value Function::prod(Value x, const std::vector<int> &dims, bool keepDims) {
  return impl->reduce("prod", x, dims, keepDims, "arith.mulf", "arith.muli",
                      [](DType dtype) { return numberText(1, dtype); });
}

Value Function::max(Value x, const std::vector<int> &dims, bool keepDims) {
  return impl->reduce("max", x, dims, keepDims, "arith.maximumf", "arith.maxsi",
                      [](DType dtype) { return extreme(dtype, true); });
}

Value Function::min(Value x, const std::vector<int> &dims, bool keepDims) {
  return impl->reduce("min", x, dims, keepDims, "arith.minimumf", "arith.minsi",
                      [](DType dtype) { return extreme(dtype, false); });
}

Value Function::mean(Value x, const std::vector<int> &dims, bool keepDims) {
  if (!impl->check("mean", {x}) || !impl->checkFloat("mean", x, "the operand"))
    return {};
  std::optional<std::vector<int>> over = reduced(*impl, "mean", x, dims);
  if (!over)
    return {};
  Polynomial count = 1;
  for (int dim : *over)
    count = count * impl->extentOf(x, dim);
  DType dtype = x.dtype(), wide = accumulationOf(dtype);
  Value total = sum(cast(x, wide), dims, keepDims);
  Value y = impl->unary("mean", total, [&](Body &body, const Strings &args) {
    std::optional<int64_t> constant = count.constant();
    if (constant)
      return body.op("arith.mulf", {args[0], body.number(1.0 / *constant, wide)}, wide);
    std::string number = body.fromIndex(impl->materialise(count), wide);
    return body.op("arith.divf", {args[0], number}, wide);
  });
  return y ? cast(y, dtype) : y;
}

Value Function::variance(Value x, const std::vector<int> &dims, bool keepDims) {
  if (!impl->check("variance", {x}) || !impl->checkFloat("variance", x, "the operand"))
    return {};
  Value wide = cast(x, accumulationOf(x.dtype()));
  Value centred = sub(wide, mean(wide, dims, true));
  Value y = mean(mul(centred, centred), dims, keepDims);
  return y ? cast(y, x.dtype()) : y;
}

Value Function::softmax(Value x, int dim) {
  if (!impl->check("softmax", {x}) || !impl->checkFloat("softmax", x, "the operand"))
    return {};
  Value wide = cast(x, accumulationOf(x.dtype()));
  Value power = exp(sub(wide, max(wide, {dim}, true)));
  Value y = div(power, sum(power, {dim}, true));
  return y ? cast(y, x.dtype()) : y;
}

Value Function::logSoftmax(Value x, int dim) {
  if (!impl->check("logSoftmax", {x}) || !impl->checkFloat("logSoftmax", x, "the operand"))
    return {};
  Value wide = cast(x, accumulationOf(x.dtype()));
  Value centred = sub(wide, max(wide, {dim}, true));
  Value y = sub(centred, log(sum(exp(centred), {dim}, true)));
  return y ? cast(y, x.dtype()) : y;
}

Value Function::cumsum(Value x, int dim) {
  if (!impl->check("cumsum", {x}))
    return {};
  DType dtype = x.dtype(), wide = accumulationOf(dtype);
  if (!isFloat(dtype) && !isInteger(dtype))
    return impl->fail("cumsum", "expected numbers, found " + impl->typeTextOf(x));
  std::optional<int> along = impl->dimension("cumsum", dim, x.rank());
  if (!along)
    return {};
  // Each result sums what comes before it in an extra loop.
  std::vector<int> loops(x.rank());
  std::iota(loops.begin(), loops.end(), 0);
  loops[*along] = x.rank();
  Shape shape = impl->shapeOf(x);
  Value init = impl->filled(numberText(0, wide), wide, shape);
  if (!init)
    return {};
  Value y = impl->generic(
      {{x, loops}}, wide, shape,
      [&](Body &body, const Strings &args) {
        std::string before =
            body.compareIndex("ule", body.index(x.rank()), body.index(*along));
        std::string term = body.select(before, body.convert(args[0], dtype, wide),
                                       body.number(0, wide), wide);
        return body.op(isFloat(wide) ? "arith.addf" : "arith.addi", {args[1], term}, wide);
      },
      /*reductions=*/1, init);
  return y ? cast(y, dtype) : y;
}

Value Function::flip(Value x, int dim) {
  if (!impl->check("flip", {x}) || !impl->checkFloat("flip", x, "the operand"))
    return {};
  std::optional<int> along = impl->dimension("flip", dim, x.rank());
  if (!along)
    return {};
  // The sum over all places of the one that is as far from the end: see MirrorForm.h.
  DType dtype = x.dtype(), wide = accumulationOf(dtype);
  std::vector<int> loops(x.rank());
  std::iota(loops.begin(), loops.end(), 0);
  loops[*along] = x.rank();
  Shape shape = impl->shapeOf(x);
  std::string extent = impl->materialise(shape[*along]);
  Value init = impl->filled(numberText(0, wide), wide, shape);
  Value y = impl->generic(
      {{x, loops}}, wide, shape,
      [&](Body &body, const Strings &args) {
        std::string both = body.assign("arith.addi " + body.index(x.rank()) + ", " +
                                       body.index(*along) + " : index");
        std::string here = body.compareIndex("eq", both, body.addIndex(extent, -1));
        std::string term =
            body.select(here, body.convert(args[0], dtype, wide), body.number(0, wide), wide);
        return body.op("arith.addf", {args[1], term}, wide);
      },
      /*reductions=*/1, init);
  return y ? cast(y, dtype) : y;
}
