//===- SplitBands.cpp - Gradients of bands as sums of parts ---------------===//
// dband sums over batch and channels, which different threads go through. With a part for
// each of them it is computed from what the gradients of the keys have at hand.

#include "compiler/kernels/Passes.h"
#include "compiler/vector/window/CausalWindows.h"
#include "dialect/ir/AFT.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_SPLITBANDS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

/// Of a single batch entry there are others than of each of several.
static OpFoldResult partsOf(OpBuilder &builder, Location loc, Value q, const BandParts &parts) {
  MLIRContext *context = builder.getContext();
  AffineExpr first = builder.getAffineDimExpr(0), second = builder.getAffineDimExpr(1);
  OpFoldResult batch = tensor::getMixedSize(builder, loc, q, 0);
  if (std::optional<int64_t> known = getConstantIntValue(batch))
    return builder.getIndexAttr(*known < 2 ? *known * parts.ofOne : *known * parts.perEntry);
  auto ofOne = AffineMap::get(
      1, 0, {first * parts.ofOne, builder.getAffineConstantExpr(parts.ofOne)}, context);
  auto larger = AffineMap::get(2, 0, {first, second * parts.perEntry}, context);
  OpFoldResult one = affine::makeComposedFoldedAffineMin(builder, loc, ofOne, batch);
  return affine::makeComposedFoldedAffineMax(builder, loc, larger, {one, batch});
}

/// The sum over the first dimension, rounded to the element type of `init`.
static Value sumParts(OpBuilder &builder, Location loc, Value parts, Value init) {
  MLIRContext *context = builder.getContext();
  AffineExpr d0, d1, d2;
  bindDims(context, d0, d1, d2);
  auto row = AffineMap::get(3, 0, {d0, d1}, context);
  Type element = cast<ShapedType>(parts.getType()).getElementType();
  auto type = cast<RankedTensorType>(init.getType());
  Value zero = builder.create<arith::ConstantOp>(loc, builder.getZeroAttr(element));
  Value sums =
      builder.create<tensor::EmptyOp>(loc, tensor::getMixedSizes(builder, loc, init), element);
  sums = builder.create<linalg::FillOp>(loc, zero, sums).getResult(0);
  SmallVector<AffineMap> maps = {AffineMap::get(3, 0, {d2, d0, d1}, context), row};
  auto parallel = utils::IteratorType::parallel;
  Value sum =
      builder
          .create<linalg::GenericOp>(loc, sums.getType(), parts, sums, maps,
                                     ArrayRef{parallel, parallel, utils::IteratorType::reduction},
                                     [](OpBuilder &inner, Location loc, ValueRange args) {
                                       Value sum =
                                           inner.create<arith::AddFOp>(loc, args[1], args[0]);
                                       inner.create<linalg::YieldOp>(loc, sum);
                                     })
          .getResult(0);
  if (type.getElementType() == element)
    return sum;
  AffineMap same = builder.getMultiDimIdentityMap(2);
  return builder
      .create<linalg::GenericOp>(
          loc, type, sum, init, ArrayRef{same, same}, ArrayRef{parallel, parallel},
          [&](OpBuilder &inner, Location loc, ValueRange args) {
            Value rounded = inner.create<arith::TruncFOp>(loc, type.getElementType(), args[0]);
            inner.create<linalg::YieldOp>(loc, rounded);
          })
      .getResult(0);
}

static LogicalResult split(LocalGradOp op) {
  std::optional<BandParts> parts = bandPartsFor(op);
  auto type = dyn_cast<RankedTensorType>(op->getResult(3).getType());
  if (op.hasBandInParts())
    return op.emitOpError() << "gives 'dband' in parts, which the compiler alone may ask for";
  if (!parts || !type || op.getInits().empty())
    return success();
  OpBuilder builder(op);
  Location loc = op.getLoc();
  Value dband = op.getInits()[3];
  SmallVector<OpFoldResult> shape = tensor::getMixedSizes(builder, loc, dband);
  shape.insert(shape.begin(), partsOf(builder, loc, op.getQ(), *parts));
  Type element = cast<ShapedType>(op.getLogz().getType()).getElementType();
  Value room = builder.create<tensor::EmptyOp>(loc, shape, element);
  op.getInitsMutable()[3].set(room);
  Value result = op->getResult(3);
  SmallVector<OpOperand *> uses =
      llvm::map_to_vector(result.getUses(), [](OpOperand &use) { return &use; });
  result.setType(cast<RankedTensorType>(room.getType()));
  builder.setInsertionPointAfter(op);
  Value sum = sumParts(builder, loc, result, dband);
  for (OpOperand *use : uses)
    use->set(sum);
  return success();
}

namespace {
struct SplitBands : aft::impl::SplitBandsBase<SplitBands> {
  void runOnOperation() override {
    WalkResult result = getOperation().walk([](LocalGradOp op) {
      return failed(split(op)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
