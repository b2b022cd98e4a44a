//===- GenericThreads.cpp - linalg operations by the threads of a block ---===//

#include "compiler/vector/gpu/GenericThreads.h"

#include "compiler/vector/GenericEmission.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "llvm/ADT/bit.h"

using namespace mlir;
using namespace aft;

/// Elements that a thread loads and stores at once; of 16 bits, twice as many.
static constexpr int64_t kVector = 4;
/// Partial results up to which one thread combines them.
static constexpr int64_t kFewPartials = 16, kCombined = 8;
/// Threads of the only block of a kernel that reduces everything.
static constexpr int64_t kLoneBlockThreads = 1024;

namespace {

class ThreadedGeneric : public GenericEmitter {
public:
  ThreadedGeneric(linalg::LinalgOp op, OpBuilder &builder)
      : GenericEmitter(op, builder, /*vectorBits=*/32 * kVector) {}
  LogicalResult run();

private:
  void orderPoints();
  int64_t vectorWidth(int64_t dim);
  void emitVectors();
  void emitPoints();
  int64_t mostPoints();
  int64_t threadsPerPoint();
  void chooseSharedDim();
  int64_t sharedVectorWidth();
  SmallVector<Value> partialsOf(Value point, Value lane, int64_t lanes);
  void emitPartials(int64_t points, int64_t lanes, bool together);
  void combinePartials(int64_t points, int64_t lanes);
  void finishPartials(int64_t points, int64_t lanes);
  int64_t warpLanes(int64_t points, int64_t lanes, bool together);
  void combineInWarps(int64_t points, int64_t lanes, bool together,
                      llvm::function_ref<SmallVector<Value>(Value point, Value lane)> valuesOf);
  void finishPoint(Value point, llvm::function_ref<Value(size_t output, int64_t number)> partial,
                   int64_t numbers);
  void setPoint(Value number);
  bool isAlongMemory();
  SmallVector<Value> neutralElements();

  SmallVector<int64_t> parallel; ///< the one that runs fastest is the last
  SmallVector<Value> pointExtents, partials;
  int64_t width = 1; ///< elements of a vector
};

} // namespace

LogicalResult ThreadedGeneric::run() {
  if (failed(prepare()))
    return failure();
  orderPoints();
  for (int64_t dim = 0; dim < static_cast<int64_t>(iterators.size()); ++dim)
    if (!isParallel(dim))
      reductions.push_back(dim);
  int64_t lanes = threadsPerPoint();
  if (lanes == 1) {
    sharedDim = -1;
    emitPoints();
    return success();
  }
  // As threadsPerPoint has it, so many points still have these threads each.
  int64_t points = llvm::bit_ceil<uint64_t>(mostPoints());
  bool together = isAlongMemory();
  if (warpLanes(points, lanes, together) > 1) {
    combineInWarps(points, lanes, together,
                   [&](Value point, Value lane) { return partialsOf(point, lane, lanes); });
    return success();
  }
  emitPartials(points, lanes, together);
  combinePartials(points, lanes);
  return success();
}

/// The loop along which memory is contiguous comes last.
void ThreadedGeneric::orderPoints() {
  chooseVectorDim();
  int64_t fastest = vectorDim >= 0 && isParallel(vectorDim) ? vectorDim : -1;
  for (int64_t dim = 0; dim < static_cast<int64_t>(iterators.size()); ++dim)
    if (isParallel(dim) && dim != fastest)
      parallel.push_back(dim);
  if (fastest >= 0)
    parallel.push_back(fastest);
  width = fastest >= 0 && op.getNumReductionLoops() == 0 ? vectorWidth(fastest) : 1;
  vectorDim = width > 1 ? fastest : -1;
  for (int64_t dim : parallel)
    pointExtents.push_back(dim == vectorDim ? e.ceilDiv(extents[dim], width) : extents[dim]);
}

/// As many elements as fill 16 bytes of the narrowest operand. Rows of a known number of
/// elements consist of such vectors; others may end in some elements one by one, but begin
/// at a multiple of them.
int64_t ThreadedGeneric::vectorWidth(int64_t dim) {
  std::optional<int64_t> extent = getConstantIntValue(extents[dim]);
  int64_t elements = extent.value_or(0), result = kVector;
  for (OpOperand &operand : op->getOpOperands()) {
    if (accessOf(operand, dim) != Access::Contiguous)
      continue;
    auto type = cast<MemRefType>(operand.get().getType());
    if (type.getElementTypeBitWidth() == 16)
      result = 2 * kVector;
    auto [strides, offset] = getStridesAndOffset(type);
    if (extent)
      continue;
    for (int64_t stride : ArrayRef<int64_t>(strides).drop_back())
      elements |= ShapedType::isDynamic(stride) ? 1 : stride;
  }
  if (elements % result != 0)
    result = kVector;
  return elements % result == 0 ? result : 1;
}

void ThreadedGeneric::setPoint(Value number) {
  SmallVector<Value> point = delinearize(e, number, pointExtents);
  for (auto [dim, index] : llvm::zip_equal(parallel, point))
    indices[dim] = dim == vectorDim ? e.mul(index, width) : index;
}

/// A vector, or what is left of one at the end of a row.
void ThreadedGeneric::emitVectors() {
  Value first = indices[vectorDim], extent = extents[vectorDim];
  if (getConstantIntValue(extent))
    return emitPoint(width);
  e.branch(
      e.less(extent, e.add(first, width)), {},
      [&] {
        e.loop(first, extent, e.index(1), [&](Value index) {
          indices[vectorDim] = index;
          emitPoint(0);
        });
        return Emitter::Values{};
      },
      [&] {
        indices[vectorDim] = first;
        emitPoint(width);
        return Emitter::Values{};
      });
}

void ThreadedGeneric::emitPoints() {
  Value count = productOf(e, pointExtents);
  forEachThread(e, kBlockThreads, [&](Value thread) {
    shareOut(e, thread, kBlockThreads, count, [&](Value number) {
      setPoint(number);
      vectorDim >= 0 ? emitVectors() : emitPoint(0);
    });
  });
}

//===----------------------------------------------------------------------===//
// Several threads per point
//===----------------------------------------------------------------------===//

/// A static bound of the number of points; very many where there is none.
int64_t ThreadedGeneric::mostPoints() {
  int64_t points = 1;
  for (int64_t dim : parallel) {
    std::optional<int64_t> bound = mostOf(extents[dim]);
    if (!bound || *bound > kLoneBlockThreads)
      return kLoneBlockThreads;
    points = std::min(points * std::max<int64_t>(*bound, 1), kLoneBlockThreads);
  }
  return points;
}

int64_t ThreadedGeneric::threadsPerPoint() {
  if (reductions.empty() || llvm::any_of(combiners, [](Operation *combiner) {
        return !combiner || !arith::getNeutralElement(combiner);
      }))
    return 1;
  chooseSharedDim();
  int64_t threads = parallel.empty() ? kLoneBlockThreads : kBlockThreads;
  int64_t lanes = llvm::bit_floor<uint64_t>(threads / std::min(mostPoints(), threads));
  // No more than there are terms, and some for each.
  if (std::optional<int64_t> extent = getConstantIntValue(extents[sharedDim]))
    lanes = std::min<int64_t>(lanes, llvm::bit_floor<uint64_t>(std::max<int64_t>(*extent, 1)));
  if (lanes < kCombined)
    return 1;
  width = sharedVectorWidth();
  if (width == 1)
    return lanes;
  vectorDim = sharedDim;
  vectorIsShared = true;
  return std::min<int64_t>(
      lanes, llvm::bit_floor<uint64_t>(*getConstantIntValue(extents[sharedDim]) / width));
}

/// Vectors along the shared loop, if enough threads have one.
int64_t ThreadedGeneric::sharedVectorWidth() {
  std::optional<int64_t> extent = getConstantIntValue(extents[sharedDim]);
  if (!extent || !canVectorize(sharedDim))
    return 1;
  int64_t width = vectorWidth(sharedDim);
  return *extent / width < kCombined ? 1 : width;
}

/// The longest loop, as far as that is known; then the one along memory.
void ThreadedGeneric::chooseSharedDim() {
  auto rank = [&](int64_t dim) {
    std::optional<int64_t> extent = getConstantIntValue(extents[dim]);
    bool contiguous = llvm::any_of(op->getOpOperands(), [&](OpOperand &operand) {
      return accessOf(operand, dim) == Access::Contiguous;
    });
    return std::pair(extent.value_or(INT64_MAX), contiguous);
  };
  sharedDim = *std::max_element(reductions.begin(), reductions.end(),
                                [&](int64_t a, int64_t b) { return rank(a) < rank(b); });
}

SmallVector<Value> ThreadedGeneric::neutralElements() {
  SmallVector<Value> values;
  for (Operation *combiner : combiners)
    values.push_back(
        e.builder.create<arith::ConstantOp>(e.loc, *arith::getNeutralElement(combiner)));
  return values;
}

bool ThreadedGeneric::isAlongMemory() {
  return llvm::any_of(op->getOpOperands(), [&](OpOperand &operand) {
    return accessOf(operand, sharedDim) == Access::Contiguous;
  });
}

/// Of each output, what a thread makes of its part of the shared loop.
SmallVector<Value> ThreadedGeneric::partialsOf(Value point, Value lane, int64_t lanes) {
  setPoint(point);
  sharedStart = e.mul(lane, width);
  sharedStep = lanes * width;
  SmallVector<Value> start = neutralElements();
  for (Value &value : start)
    value = widened(value, vectorIsShared ? width : 0);
  SmallVector<Value> values = reduceOver(reductions, start, vectorIsShared ? width : 0);
  for (auto [value, combiner] : llvm::zip_equal(values, combiners))
    value = e.reduce(
        value, [&, combiner = combiner](Value a, Value b) { return combine(combiner, a, b); });
  return values;
}

/// How many threads of a warp have parts of a point. `together`: they follow each other, else
/// threads of all points do.
int64_t ThreadedGeneric::warpLanes(int64_t points, int64_t lanes, bool together) {
  bool known = llvm::all_of(combiners, [](Operation *combiner) {
    return linalg::getCombinerOpKind(combiner).has_value();
  });
  return known ? std::min(lanes, std::max<int64_t>(kWarpThreads / (together ? 1 : points), 1)) : 1;
}

/// Threads of a warp combine what they have of a point by shuffles; what warps have, of which
/// there are few or as many as a warp has threads, is combined in shared memory or once more.
void ThreadedGeneric::combineInWarps(
    int64_t points, int64_t lanes, bool together,
    llvm::function_ref<SmallVector<Value>(Value, Value)> valuesOf) {
  int64_t group = warpLanes(points, lanes, together), left = lanes / group;
  Value count = productOf(e, pointExtents);
  SmallVector<Type> types;
  SmallVector<Value> ofWarps;
  for (Value element : neutralElements()) {
    types.push_back(element.getType());
    if (left > 1)
      ofWarps.push_back(sharedMemory(e, {points, left}, element.getType()));
  }
  forEachThread(e, std::max(points * lanes, kWarpThreads), [&](Value thread) {
    Value sizes[] = {e.index(together ? points : lanes), e.index(together ? lanes : points)};
    SmallVector<Value> at = delinearize(e, thread, sizes);
    Value point = at[together ? 0 : 1], lane = at[together ? 1 : 0], exists = e.less(point, count);
    if (points * lanes < kWarpThreads)
      exists = e.both(exists, e.less(thread, e.index(points * lanes)));
    SmallVector<Value> values = e.branch(
        exists, types, [&] { return valuesOf(point, lane); }, [&] { return neutralElements(); });
    for (auto [value, combiner] : llvm::zip_equal(values, combiners))
      value = reduceInWarp(e, *linalg::getCombinerOpKind(combiner), value, group,
                           together ? 1 : points);
    SmallVector<Value> place = delinearize(e, lane, {e.index(left), e.index(group)});
    Value isFirst = e.same(place[1], e.index(0));
    e.when(e.both(exists, isFirst), [&] {
      if (left == 1)
        return finishPoint(point, [&](size_t i, int64_t) { return values[i]; }, 1);
      for (auto [memory, value] : llvm::zip_equal(ofWarps, values))
        e.builder.create<memref::StoreOp>(e.loc, value, memory, ValueRange{point, place[0]});
    });
  });
  partials = ofWarps;
  if (left > kFewPartials)
    return combineInWarps(points, left, /*together=*/true, [&](Value point, Value lane) {
      SmallVector<Value> values;
      for (Value memory : ofWarps)
        values.push_back(e.builder.create<memref::LoadOp>(e.loc, memory, ValueRange{point, lane}));
      return values;
    });
  if (left > 1)
    finishPartials(points, left);
}

void ThreadedGeneric::emitPartials(int64_t points, int64_t lanes, bool together) {
  Value count = productOf(e, pointExtents);
  for (Value element : neutralElements())
    partials.push_back(sharedMemory(e, {points, lanes}, element.getType()));
  forEachThread(e, points * lanes, [&](Value thread) {
    Value sizes[] = {e.index(together ? points : lanes), e.index(together ? lanes : points)};
    SmallVector<Value> at = delinearize(e, thread, sizes);
    Value point = at[together ? 0 : 1], lane = at[together ? 1 : 0];
    e.when(e.less(point, count), [&] {
      for (auto [memory, value] : llvm::zip_equal(partials, partialsOf(point, lane, lanes)))
        e.builder.create<memref::StoreOp>(e.loc, value, memory, ValueRange{point, lane});
    });
  });
}

/// Makes fewer of many partial results until they are few, then the results.
void ThreadedGeneric::combinePartials(int64_t points, int64_t lanes) {
  for (; lanes > kFewPartials; lanes /= kCombined) {
    int64_t left = lanes / kCombined;
    SmallVector<Value> combined;
    for (Value memory : partials)
      combined.push_back(
          sharedMemory(e, {points, left}, cast<MemRefType>(memory.getType()).getElementType()));
    forEachThread(e, points * left, [&](Value thread) {
      SmallVector<Value> at = delinearize(e, thread, {e.index(points), e.index(left)});
      for (auto [from, to, combiner] : llvm::zip_equal(partials, combined, combiners)) {
        Value sum = e.builder.create<memref::LoadOp>(e.loc, from, at);
        for (int64_t i = 1; i < kCombined; ++i)
          sum = combine(combiner, sum,
                        e.builder.create<memref::LoadOp>(
                            e.loc, from, ValueRange{at[0], e.add(at[1], i * left)}));
        e.builder.create<memref::StoreOp>(e.loc, sum, to, at);
      }
    });
    partials = combined;
  }
  finishPartials(points, lanes);
}

/// Adds partial results of a point, which `partial` gives by output and number, to its outputs.
void ThreadedGeneric::finishPoint(Value point,
                                  llvm::function_ref<Value(size_t output, int64_t number)> partial,
                                  int64_t numbers) {
  setPoint(point);
  for (auto [i, combiner] : llvm::enumerate(combiners)) {
    OpOperand &operand = *op.getDpsInitOperand(i);
    Value sum = load(operand, /*lanes=*/0);
    for (int64_t number = 0; number < numbers; ++number)
      sum = combine(combiner, sum, partial(i, number));
    store(operand, sum, /*lanes=*/0);
  }
}

void ThreadedGeneric::finishPartials(int64_t points, int64_t lanes) {
  Value count = productOf(e, pointExtents);
  forEachThread(e, points, [&](Value thread) {
    e.when(e.less(thread, count), [&] {
      auto partial = [&](size_t output, int64_t lane) -> Value {
        return e.builder.create<memref::LoadOp>(e.loc, partials[output],
                                                ValueRange{thread, e.index(lane)});
      };
      finishPoint(thread, partial, lanes);
    });
  });
}

LogicalResult aft::emitGenericThreads(linalg::LinalgOp op, OpBuilder &builder) {
  return ThreadedGeneric(op, builder).run();
}
