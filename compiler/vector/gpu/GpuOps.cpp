//===- GpuOps.cpp - What blocks of threads do together --------------------===//

#include "compiler/vector/gpu/GpuOps.h"

#include "compiler/vector/gpu/Fragment.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace aft;

#include "compiler/vector/gpu/GpuDialect.cpp.inc"

#define GET_OP_CLASSES
#include "compiler/vector/gpu/GpuOps.cpp.inc"

void AFTGPUDialect::initialize() {
  addOperations<
#define GET_OP_LIST
#include "compiler/vector/gpu/GpuOps.cpp.inc"
      >();
}

/// An index for each dimension, and neighbours in memory along the last one.
static LogicalResult verifyPlace(Operation *op, StringRef name, MemRefType type, size_t indices,
                                 int64_t least) {
  auto [strides, offset] = getStridesAndOffset(type);
  if (type.getRank() < least || type.getRank() != static_cast<int64_t>(indices))
    return op->emitOpError() << "expected " << name << " to have an index for each of at least "
                             << least << " dimensions, found " << indices << " for " << type;
  if (strides.back() != 1)
    return op->emitOpError() << "expected elements of " << name
                             << " to follow each other along the last dimension, found " << type;
  return success();
}

LogicalResult CopyChunkOp::verify() {
  if (getFrom().getType().getElementType() != getTo().getType().getElementType())
    return emitOpError() << "expected the same type of elements, found " << getFrom().getType()
                         << " and " << getTo().getType();
  if (failed(verifyPlace(*this, "'from'", getFrom().getType(), getFromIndices().size(), 1)))
    return failure();
  return verifyPlace(*this, "'to'", getTo().getType(), getToIndices().size(), 1);
}

LogicalResult WarpProductOp::inferReturnTypes(MLIRContext *, std::optional<Location>,
                                              ValueRange operands, DictionaryAttr attributes,
                                              OpaqueProperties properties, RegionRange regions,
                                              SmallVectorImpl<Type> &types) {
  Adaptor adaptor(operands, attributes, properties, regions);
  llvm::append_range(types, adaptor.getSums().getTypes());
  return success();
}

LogicalResult WarpProductOp::verify() {
  for (auto [name, extent] : {std::pair("rows", getRows()), std::pair("columns", getColumns()),
                              std::pair("depth", getDepth())})
    if (extent <= 0 || extent % kFragmentDepth != 0)
      return emitOpError() << "expected " << name << " to be a multiple of " << kFragmentDepth
                           << ", found " << extent;
  uint64_t count = getRows() / kFragmentRows * (getColumns() / kFragmentColumns);
  if (getSums().size() != count)
    return emitOpError() << "expected sums for " << count << " fragments, found "
                         << getSums().size();
  if (getA().getType().getElementType() != getB().getType().getElementType())
    return emitOpError() << "expected the same type of elements in 'a' and 'b', found "
                         << getA().getType() << " and " << getB().getType();
  if (failed(verifyPlace(*this, "'a'", getA().getType(), getAIndices().size(), 2)))
    return failure();
  return verifyPlace(*this, "'b'", getB().getType(), getBIndices().size(), 2);
}
