//===- TileKernels.cpp - Splits kernels into a grid of tiles --------------===//

#include "compiler/kernels/Interface.h"
#include "compiler/kernels/ScanForm.h"
#include "compiler/tile/Passes.h"
#include "compiler/tile/ProductBlocks.h"
#include "compiler/tile/TileScale.h"
#include "compiler/tile/TileSizes.h"
#include "compiler/tile/WarpTile.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/Transforms/TileUsingInterface.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Tensor/Transforms/Transforms.h"
#include "mlir/Interfaces/TilingInterface.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace aft {
#define GEN_PASS_DEF_TILEKERNELS
#include "compiler/tile/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// The operation all results come from; null when there are several or it is
/// no linalg operation.
static linalg::LinalgOp rootOf(func::FuncOp kernel) {
  Operation *root = nullptr;
  for (Value value : kernel.front().getTerminator()->getOperands()) {
    Operation *def = value.getDefiningOp();
    if (!def || (root && def != root))
      return nullptr;
    root = def;
  }
  return dyn_cast_or_null<linalg::LinalgOp>(root);
}

static bool isMatrixProduct(linalg::LinalgOp op) {
  return linalg::isaContractionOpInterface(op) && op.getNumReductionLoops() == 1 &&
         op.getNumParallelLoops() >= 2;
}

/// How many leading loops of `root` are free of the reductions of `producer`:
/// its result must be indexed by them in order.
static int64_t freeRows(linalg::LinalgOp root, linalg::LinalgOp producer) {
  int64_t rows = root.getNumLoops();
  for (OpOperand &operand : root->getOpOperands())
    if (operand.get().getDefiningOp() == producer.getOperation()) {
      // The result's own dimensions are never reduced; those it lacks are.
      AffineMap map = root.getMatchingIndexingMap(&operand);
      int64_t leading = 0;
      while (leading < rows && map.isFunctionOfDim(leading))
        ++leading;
      rows = std::min(rows, leading);
    }
  return rows;
}

static TileProblem describe(func::FuncOp kernel, linalg::LinalgOp root, bool threadBlocks) {
  TileProblem problem;
  problem.threadBlocks = threadBlocks;
  for (int64_t extent : root.getStaticLoopRanges())
    problem.extents.push_back(ShapedType::isDynamic(extent) ? -1 : extent);
  for (utils::IteratorType type : root.getIteratorTypesArray())
    problem.parallel.push_back(type == utils::IteratorType::parallel);
  // A running sum is walked in one tile.
  if (std::optional<ScanForm> scan = scanFormOf(root); scan && !threadBlocks)
    problem.parallel[scan->place] = false;
  problem.rowLoops = root.getNumLoops();
  bool rows = false;
  kernel.walk([&](linalg::LinalgOp op) {
    if (op == root || op.getNumReductionLoops() == 0)
      return;
    rows = true;
    problem.rowLoops = std::min(problem.rowLoops, freeRows(root, op));
  });
  if (rows)
    problem.kind = TileProblem::Kind::Rows;
  else if (root.getNumReductionLoops() > 0)
    problem.kind = TileProblem::Kind::Reduction;
  return problem;
}

/// The matrix product of a kernel, null when it has none.
static linalg::LinalgOp productOf(func::FuncOp kernel) {
  linalg::LinalgOp product;
  kernel.walk([&](linalg::LinalgOp op) {
    if (!product && isMatrixProduct(op))
      product = op;
  });
  return product;
}

/// cut(extent), as an affine.min of an affine.max where the extent is dynamic: so
/// the size has a static bound.
static OpFoldResult emitCut(OpBuilder &builder, Location loc, const ProductTiles::Cut &cut,
                            OpFoldResult extent) {
  if (std::optional<int64_t> known = getConstantIntValue(extent))
    return builder.getIndexAttr(cut(*known));
  AffineExpr rows = builder.getAffineSymbolExpr(0), size = builder.getAffineDimExpr(0);
  AffineExpr share = rows.ceilDiv(cut.parts).ceilDiv(cut.multiple) * cut.multiple;
  auto constant = [&](int64_t value) { return builder.getAffineConstantExpr(value); };
  OpFoldResult raised = affine::makeComposedFoldedAffineMax(
      builder, loc, AffineMap::get(0, 1, {share, constant(cut.least)}, builder.getContext()),
      extent);
  return affine::makeComposedFoldedAffineMin(
      builder, loc, AffineMap::get(1, 0, {size, constant(cut.most)}, builder.getContext()), raised);
}

/// The two innermost parallel loops are the rows and columns, those around them
/// products of their own.
static SmallVector<OpFoldResult> productSizes(linalg::LinalgOp root, linalg::LinalgOp product,
                                              unsigned vectorBits, bool tiles, int64_t threads,
                                              const TileScale &scale) {
  OpBuilder builder(root);
  Type element = getElementTypeOrSelf(product->getResult(0).getType());
  int64_t bytes = std::max<int64_t>(4, element.getIntOrFloatBitWidth() / 8);
  SmallVector<int64_t> extents = root.getStaticLoopRanges(), parallel;
  for (auto [loop, type] : llvm::enumerate(root.getIteratorTypesArray()))
    if (type == utils::IteratorType::parallel)
      parallel.push_back(static_cast<int64_t>(loop));
  int64_t count = parallel.size(), row = parallel[count - 2], column = parallel[count - 1];
  int64_t batch = 1;
  SmallVector<OpFoldResult> sizes(extents.size(), builder.getIndexAttr(0));
  for (int64_t loop : ArrayRef<int64_t>(parallel).drop_back(2)) {
    sizes[loop] = builder.getIndexAttr(1);
    batch *= ShapedType::isDynamic(extents[loop]) ? 1 : extents[loop];
  }
  tiles &= llvm::all_of(product->getOperands().take_front(2),
                        [](Value factor) { return getElementTypeOrSelf(factor).isBF16(); });
  // Whether bf16 is multiplied in pairs is not known yet: groups are whole strips of both.
  ProductUnit unit = tiles ? ProductUnit::Tile : ProductUnit::Number;
  ProductBlocks blocks = scaled(productBlocks(bytes, vectorBits, unit), scale);
  ProductTiles cuts =
      scaled(productTiles(blocks, ShapedType::isDynamic(extents[column]) ? -1 : extents[column],
                          batch, threads, /*alone=*/root == product),
             blocks, scale);
  OpFoldResult rows = builder.getIndexAttr(extents[row]);
  if (ShapedType::isDynamic(extents[row])) {
    // Of the destination: it stays an argument of the kernel.
    AffineMap map = root.getIndexingMapsArray().back();
    unsigned dim = *map.getResultPosition(builder.getAffineDimExpr(row));
    rows = tensor::getMixedSize(builder, root.getLoc(), root->getOperands().back(), dim);
  }
  sizes[row] = emitCut(builder, root.getLoc(), cuts.rows, rows);
  sizes[column] = emitCut(builder, root.getLoc(), cuts.columns, rows);
  return sizes;
}

/// Rows and columns of a block's tile, for tensor cores where they multiply such numbers.
static BlockTile blockTileOf(linalg::LinalgOp product, int64_t rows, int64_t columns, bool alone,
                             bool tf32) {
  if (std::optional<int64_t> bits = tensorCoreBits(product, tf32)) {
    WarpProblem problem{rows, columns, *bits, kSharedBytes, /*sharesC=*/!alone};
    if (std::optional<WarpTile> tile = chooseWarpTile(problem))
      return {tile->rows, tile->columns};
  }
  return chooseBlockTile(rows, columns, alone);
}

/// The same for blocks of threads on a GPU.
static SmallVector<int64_t> blockProductSizes(linalg::LinalgOp root, linalg::LinalgOp product,
                                              bool tf32) {
  SmallVector<int64_t> sizes(root.getNumLoops(), 0), loops;
  for (auto [loop, type] : llvm::enumerate(root.getIteratorTypesArray()))
    if (type == utils::IteratorType::parallel)
      loops.push_back(loop);
  for (int64_t loop : ArrayRef<int64_t>(loops).drop_back(2))
    sizes[loop] = 1;
  SmallVector<int64_t> extents = root.getStaticLoopRanges();
  auto extent = [&](int64_t loop) {
    return ShapedType::isDynamic(extents[loop]) ? -1 : extents[loop];
  };
  int64_t row = loops.end()[-2], column = loops.end()[-1];
  BlockTile tile =
      blockTileOf(product, extent(row), extent(column), /*alone=*/root == product, tf32);
  sizes[row] = tile.rows;
  sizes[column] = tile.columns;
  return sizes;
}

/// What is tiled in a kernel; null: nothing.
static linalg::LinalgOp tiledOf(func::FuncOp kernel) {
  if (!kernel->hasAttr(kernelAttrName) || kernel.isExternal())
    return nullptr;
  // The upstream driver crashes on loops of extent 0, of the root or of what is fused into
  // it; they do nothing anyway.
  WalkResult empty = kernel->walk([](linalg::LinalgOp op) {
    return llvm::is_contained(op.getStaticLoopRanges(), 0) ? WalkResult::interrupt()
                                                           : WalkResult::advance();
  });
  return empty.wasInterrupted() ? nullptr : rootOf(kernel);
}

/// Whether the tiles of `root` are those of the kernel's product.
static bool tiledAsProduct(linalg::LinalgOp root, linalg::LinalgOp product) {
  return product && root.getNumParallelLoops() >= 2;
}

std::optional<TileKind> aft::tileKindOf(func::FuncOp kernel) {
  linalg::LinalgOp root = tiledOf(kernel);
  if (!root)
    return std::nullopt;
  return tiledAsProduct(root, productOf(kernel)) ? TileKind::Product : TileKind::Other;
}

/// Tiles `root` and computes its producers in the same tile.
static LogicalResult tileRoot(linalg::LinalgOp root, ArrayRef<OpFoldResult> sizes) {
  IRRewriter rewriter(root.getContext());
  rewriter.setInsertionPoint(root);
  scf::SCFTileAndFuseOptions options;
  scf::SCFTilingOptions tiling;
  tiling.setTileSizes(sizes);
  tiling.setLoopType(scf::SCFTilingOptions::LoopType::ForallOp);
  options.setTilingOptions(tiling);
  FailureOr<scf::SCFTileAndFuseResult> tiled = scf::tileConsumerAndFuseProducersUsingSCF(
      rewriter, cast<TilingInterface>(root.getOperation()), options);
  if (failed(tiled))
    return root->emitOpError() << "could not be tiled";
  for (OpResult result : root->getResults())
    if (Value replacement = tiled->replacements.lookup(result))
      rewriter.replaceAllUsesWith(result, replacement);
  return success();
}

/// A slice of an empty tensor is an empty tensor of the slice's size: so a
/// temporary is as large as a tile, not as the whole problem.
static void shrinkTemporaries(func::FuncOp kernel) {
  RewritePatternSet patterns(kernel.getContext());
  tensor::populateFoldTensorEmptyPatterns(patterns);
  (void)applyPatternsAndFoldGreedily(kernel, std::move(patterns));
}

namespace {
struct TileKernels : aft::impl::TileKernelsBase<TileKernels> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    linalg::LinalgOp root = tiledOf(kernel);
    if (!root)
      return;
    TileScale scale = tileScaleOf(kernel);
    SmallVector<OpFoldResult> sizes;
    linalg::LinalgOp product = productOf(kernel);
    TileProblem problem = describe(kernel, root, threadBlocks);
    if (!tiledAsProduct(root, product))
      sizes = getAsIndexOpFoldResult(&getContext(), chooseTileSizes(problem, scale.tile));
    else if (threadBlocks)
      sizes = getAsIndexOpFoldResult(&getContext(), blockProductSizes(root, product, tf32));
    else
      sizes = productSizes(root, product, vectorBits, bf16Tiles, threads, scale);
    if (!llvm::all_of(sizes, isZeroIndex) && failed(tileRoot(root, sizes)))
      return signalPassFailure();
    shrinkTemporaries(kernel);
  }
};
} // namespace
