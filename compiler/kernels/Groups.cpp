//===- Groups.cpp - Which operations share a kernel -----------------------===//

#include "compiler/kernels/Groups.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace aft;

/// A fill that only initialises destinations is part of their kernels.
static bool onlyInitialises(linalg::FillOp fill) {
  return llvm::all_of(fill->getUses(), [](OpOperand &use) {
    auto user = dyn_cast<DestinationStyleOpInterface>(use.getOwner());
    return user && user.isDpsInit(&use) && !isa<linalg::FillOp>(user);
  });
}

bool aft::isComputeOp(Operation *op) {
  if (auto fill = dyn_cast<linalg::FillOp>(op))
    return !onlyInitialises(fill);
  return isa<linalg::LinalgOp>(op) || isKernelOp(op);
}

Value aft::viewedTensor(Value value) {
  while (Operation *def = value.getDefiningOp()) {
    if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp,
             tensor::ExtractSliceOp>(def))
      return value;
    value = def->getOperand(0);
  }
  return value;
}

/// Whether the elements of a slice lie one after the other in memory.
static bool isContiguous(tensor::ExtractSliceOp slice, ShapeAnalysis &shapes) {
  SmallVector<OpFoldResult> offsets = slice.getMixedOffsets(),
                            sizes = slice.getMixedSizes(),
                            strides = slice.getMixedStrides();
  Extents source = shapes.shape(slice.getSource());
  // From the innermost dimension outwards: whole dimensions, then one that is
  // cut, then single elements.
  bool whole = true;
  for (int64_t dim = source.size() - 1; dim >= 0; --dim) {
    if (!isConstantIntValue(strides[dim], 1) ||
        !getConstantIntValue(offsets[dim]))
      return false;
    OpFoldResult size = shapes.representative(sizes[dim]);
    if (whole) {
      whole = size == source[dim] && isConstantIntValue(offsets[dim], 0);
      continue;
    }
    if (!isConstantIntValue(size, 1))
      return false;
  }
  return true;
}

bool aft::isHostView(tensor::ExtractSliceOp slice, ShapeAnalysis &shapes) {
  if (!isContiguous(slice, shapes))
    return false;
  bool atStart = llvm::all_of(slice.getMixedOffsets(), [](OpFoldResult o) {
    return isConstantIntValue(o, 0);
  });
  Operation *source = viewedTensor(slice).getDefiningOp();
  return atStart || (source && (isa<LaunchOp>(source) || isComputeOp(source)));
}
