//===- Epilogue.cpp - What is done with a product as soon as a tile is ready =//
// An elementwise operation after a product runs on each tile that leaves the
// registers, while that is in the L1 cache. What it reads and writes besides, such as the
// moments of AdamW, comes from memory: it is asked for before the tile is multiplied,
// which takes longer than memory does.

#include "compiler/vector/product/Epilogue.h"

#include "compiler/vector/GenericEmission.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

using namespace mlir;
using namespace aft;

static constexpr int64_t kLineBits = 64 * 8;

/// The memory behind views.
static Value viewedMemory(Value value) {
  while (auto view = value.getDefiningOp<ViewLikeOpInterface>())
    value = view.getViewSource();
  return value;
}

/// The next operation on memory; views and extents in between do nothing.
static linalg::GenericOp nextGeneric(linalg::LinalgOp product) {
  for (Operation *op = product->getNextNode(); op; op = op->getNextNode()) {
    if (auto generic = dyn_cast<linalg::GenericOp>(op))
      return generic;
    if (!isMemoryEffectFree(op))
      return nullptr;
  }
  return nullptr;
}

linalg::GenericOp aft::epilogueOf(linalg::LinalgOp product) {
  Value c = product.getDpsInits()[0];
  linalg::GenericOp generic = nextGeneric(product);
  if (!generic || !generic.hasPureBufferSemantics() || generic.hasIndexSemantics() ||
      generic.getNumParallelLoops() != 2 || generic.getNumLoops() != 2)
    return nullptr;
  // A body that reads memory itself does not say where.
  for (Operation &op : generic.getBody()->without_terminator())
    if (!isMemoryEffectFree(&op))
      return nullptr;
  bool readsProduct = false;
  for (OpOperand &operand : generic->getOpOperands()) {
    AffineMap map = generic.getMatchingIndexingMap(&operand);
    if (!map.isProjectedPermutation())
      return nullptr;
    bool isProduct = operand.get() == c;
    if (isProduct && (generic.isDpsInit(&operand) || !map.isIdentity()))
      return nullptr;
    readsProduct |= isProduct;
    // The rest of the product still reads its factors when the first tile is written.
    if (generic.isDpsInit(&operand))
      for (Value read : {product->getOperand(0), product->getOperand(1), c})
        if (!map.isIdentity() || viewedMemory(operand.get()) == viewedMemory(read))
          return nullptr;
  }
  return readsProduct ? generic : nullptr;
}

/// Whether all that use this memory or views of it are `known`, or ask for extents.
static bool isUsedByAlone(Value memory, ArrayRef<Operation *> known) {
  return llvm::all_of(memory.getUsers(), [&](Operation *user) {
    if (isa<ViewLikeOpInterface>(user))
      return isUsedByAlone(user->getResult(0), known);
    return isa<memref::DimOp>(user) || llvm::is_contained(known, user);
  });
}

bool aft::isSeenByEpilogueAlone(linalg::LinalgOp product, linalg::GenericOp epilogue) {
  Value memory = viewedMemory(product.getDpsInits()[0]);
  return memory.getDefiningOp<memref::AllocaOp>() && isUsedByAlone(memory, {product, epilogue});
}

/// The part of an operand that a tile reads or writes.
static Value partOf(Emitter &e, Value memref, AffineMap map, const TileBounds &tile) {
  if (map.getNumResults() == 0)
    return memref;
  SmallVector<OpFoldResult> offsets, sizes;
  for (unsigned result = 0; result < map.getNumResults(); ++result) {
    bool isRow = map.getDimPosition(result) == 0;
    offsets.push_back(isRow ? tile.row : tile.column);
    sizes.push_back(getAsOpFoldResult(isRow ? tile.rows : tile.columns));
  }
  SmallVector<OpFoldResult> strides(offsets.size(), e.builder.getIndexAttr(1));
  return e.builder.create<memref::SubViewOp>(e.loc, memref, offsets, sizes, strides);
}

LogicalResult aft::emitEpilogue(Emitter &e, linalg::GenericOp epilogue, const TileBounds &tile,
                                unsigned vectorBits, const TileCopy &from) {
  IRMapping parts;
  for (OpOperand &operand : epilogue->getOpOperands())
    if (from.result && operand.get() == from.result)
      parts.map(operand.get(), from.copy);
    else if (isa<MemRefType>(operand.get().getType()))
      parts.map(operand.get(),
                partOf(e, operand.get(), epilogue.getMatchingIndexingMap(&operand), tile));
  auto part = cast<linalg::GenericOp>(e.builder.clone(*epilogue, parts));
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPoint(part);
  LogicalResult emitted = emitGeneric(part, e.builder, vectorBits);
  part->erase();
  return emitted;
}

void aft::prefetchEpilogue(Emitter &e, linalg::GenericOp epilogue, Value c, Value row, Value column,
                           int64_t rows, int64_t columns) {
  for (OpOperand &operand : epilogue->getOpOperands()) {
    auto type = dyn_cast<MemRefType>(operand.get().getType());
    if (!type || operand.get() == c || !epilogue.getMatchingIndexingMap(&operand).isIdentity())
      continue;
    int64_t line = kLineBits / type.getElementTypeBitWidth();
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; j += line)
        e.builder.create<memref::PrefetchOp>(
            e.loc, operand.get(), ValueRange{e.add(row, i), e.add(column, j)},
            /*isWrite=*/epilogue.isDpsInit(&operand), /*localityHint=*/3, /*isDataCache=*/true);
  }
}
