//===- GpuOps.cpp - What blocks of threads do together --------------------===//

#include "compiler/vector/gpu/GpuOps.h"

#include "compiler/vector/gpu/Fragment.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Builders.h"
#include "llvm/Support/MathExtras.h"

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

/// Whether numbers of a type can be combined so.
static bool canCombine(vector::CombiningKind kind, Type type) {
  using Kind = vector::CombiningKind;
  switch (kind) {
  case Kind::ADD:
  case Kind::MUL:
    return true;
  case Kind::MINNUMF:
  case Kind::MAXNUMF:
  case Kind::MINIMUMF:
  case Kind::MAXIMUMF:
    return isa<FloatType>(type);
  default:
    return type.isIntOrIndex();
  }
}

LogicalResult WarpReduceOp::verify() {
  // Negative numbers are large ones here.
  uint64_t lanes = getLanes(), stride = getStride();
  for (auto [name, count, least] : {std::tuple("lanes", lanes, 2), std::tuple("stride", stride, 1)})
    if (!llvm::isPowerOf2_64(count) || count < static_cast<uint64_t>(least) || count > kWarpThreads)
      return emitOpError() << "expected " << name << " to be a power of two from " << least
                           << " to " << kWarpThreads << ", found " << static_cast<int64_t>(count);
  if (lanes * stride > kWarpThreads)
    return emitOpError() << "expected lanes times stride to be at most " << kWarpThreads
                         << ", found " << lanes << " times " << stride;
  Type type = getValue().getType();
  if (!type.isIndex() && type.getIntOrFloatBitWidth() > 64)
    return emitOpError() << "expected a number of at most 64 bits, found " << type;
  if (!canCombine(getKind(), type))
    return emitOpError() << "expected a combining function of " << type << ", found '"
                         << vector::stringifyCombiningKind(getKind()) << "'";
  return success();
}

SmallVector<int64_t> WarpReduceOp::distances() {
  SmallVector<int64_t> result;
  for (int64_t lanes = getLanes() / 2; lanes > 0; lanes /= 2)
    result.push_back(lanes * getStride());
  return result;
}

bool WarpReduceOp::isReachedByWarps() {
  auto forall = dyn_cast<scf::ForallOp>((*this)->getParentOp());
  if (!forall || !isThreadForall(forall))
    return false;
  std::optional<int64_t> threads = getConstantIntValue(forall.getMixedUpperBound()[0]);
  return threads && *threads % kWarpThreads == 0;
}
