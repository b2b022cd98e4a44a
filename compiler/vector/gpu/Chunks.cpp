//===- Chunks.cpp - What can be copied 16 bytes at a time -----------------===//

#include "compiler/vector/gpu/Chunks.h"

#include "compiler/tile/WarpTile.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace aft;

static bool isMultiple(OpFoldResult index, int64_t count) {
  if (std::optional<int64_t> known = getConstantIntValue(index))
    return *known % count == 0;
  auto value = dyn_cast<Value>(index);
  return value && isMultipleOf(value, count);
}

/// A loop that begins at such an index and takes such steps.
static bool isMultiple(BlockArgument argument, int64_t count) {
  auto loop = dyn_cast<LoopLikeOpInterface>(argument.getOwner()->getParentOp());
  if (!loop)
    return false;
  std::optional<SmallVector<Value>> variables = loop.getLoopInductionVars();
  std::optional<SmallVector<OpFoldResult>> lower = loop.getLoopLowerBounds(),
                                           steps = loop.getLoopSteps();
  if (!variables || !lower || !steps)
    return false;
  for (auto [variable, first, step] : llvm::zip_equal(*variables, *lower, *steps))
    if (variable == argument)
      return isMultiple(first, count) && isMultiple(step, count);
  return false;
}

/// All results of a map whose operands may be such indices.
static bool isMultiple(AffineMap map, ValueRange operands, int64_t count) {
  MLIRContext *context = map.getContext();
  SmallVector<AffineExpr> dims, symbols;
  for (auto [i, operand] : llvm::enumerate(operands)) {
    bool isDim = i < map.getNumDims();
    AffineExpr expr =
        isDim ? getAffineDimExpr(i, context) : getAffineSymbolExpr(i - map.getNumDims(), context);
    (isDim ? dims : symbols).push_back(isMultipleOf(operand, count) ? expr * count : expr);
  }
  map = map.replaceDimsAndSymbols(dims, symbols, dims.size(), symbols.size());
  return llvm::all_of(map.getResults(), [&](AffineExpr expr) { return expr.isMultipleOf(count); });
}

bool aft::isMultipleOf(Value index, int64_t count) {
  if (std::optional<int64_t> known = getConstantIntValue(index))
    return *known % count == 0;
  if (auto argument = dyn_cast<BlockArgument>(index))
    return isMultiple(argument, count);
  Operation *op = index.getDefiningOp();
  if (auto apply = dyn_cast<affine::AffineApplyOp>(op))
    return isMultiple(apply.getAffineMap(), apply.getMapOperands(), count);
  if (auto min = dyn_cast<affine::AffineMinOp>(op))
    return isMultiple(min.getAffineMap(), min.getMapOperands(), count);
  if (isa<arith::AddIOp, arith::SubIOp, arith::MinSIOp>(op))
    return isMultipleOf(op->getOperand(0), count) && isMultipleOf(op->getOperand(1), count);
  if (isa<arith::MulIOp>(op))
    return isMultipleOf(op->getOperand(0), count) || isMultipleOf(op->getOperand(1), count);
  if (auto dim = dyn_cast<memref::DimOp>(op)) {
    auto subview = dim.getSource().getDefiningOp<memref::SubViewOp>();
    std::optional<int64_t> number = dim.getConstantIndex();
    return subview && number && subview.getDroppedDims().none() &&
           isMultiple(subview.getMixedSizes()[*number], count);
  }
  return false;
}

int64_t aft::chunkOf(Value memref) {
  return warpTileChunk(getElementTypeOrSelf(memref).getIntOrFloatBitWidth());
}

static bool hasEvenStrides(MemRefType type, int64_t count) {
  // All extents but the first are multiplied with that of the last dimension.
  if (type.getLayout().isIdentity() && type.getRank() > 0)
    return type.getShape().back() > 0 && type.getShape().back() % count == 0;
  auto [strides, offset] = getStridesAndOffset(type);
  return !strides.empty() && strides.back() == 1 &&
         llvm::all_of(ArrayRef<int64_t>(strides).drop_back(), [&](int64_t stride) {
           return !ShapedType::isDynamic(stride) && stride % count == 0;
         });
}

bool aft::consistsOfChunks(Value memref, int64_t count) {
  auto type = cast<MemRefType>(memref.getType());
  if (!hasEvenStrides(type, count))
    return false;
  if (auto argument = dyn_cast<BlockArgument>(memref))
    return isa<func::FuncOp>(argument.getOwner()->getParentOp()) && type.getShape().back() > 0 &&
           type.getShape().back() % count == 0;
  auto subview = memref.getDefiningOp<memref::SubViewOp>();
  return subview && subview.getDroppedDims().none() &&
         llvm::all_of(subview.getMixedStrides(),
                      [](OpFoldResult stride) { return isConstantIntValue(stride, 1); }) &&
         isMultiple(subview.getMixedOffsets().back(), count) &&
         isMultiple(subview.getMixedSizes().back(), count) &&
         consistsOfChunks(subview.getSource(), count);
}
