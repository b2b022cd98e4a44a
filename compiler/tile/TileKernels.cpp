//===- TileKernels.cpp - Splits kernels into a grid of tiles --------------===//

#include "compiler/kernels/Interface.h"
#include "compiler/tile/Passes.h"
#include "compiler/tile/TileSizes.h"
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

static TileProblem describe(func::FuncOp kernel, linalg::LinalgOp root) {
  TileProblem problem;
  for (int64_t extent : root.getStaticLoopRanges())
    problem.extents.push_back(ShapedType::isDynamic(extent) ? -1 : extent);
  for (utils::IteratorType type : root.getIteratorTypesArray())
    problem.parallel.push_back(type == utils::IteratorType::parallel);
  problem.rowLoops = root.getNumLoops();
  bool rows = false, matmul = isMatrixProduct(root);
  kernel.walk([&](linalg::LinalgOp op) {
    matmul |= isMatrixProduct(op);
    if (op == root || op.getNumReductionLoops() == 0)
      return;
    rows = true;
    problem.rowLoops = std::min(problem.rowLoops, freeRows(root, op));
  });
  if (matmul)
    problem.kind = TileProblem::Kind::Matmul;
  else if (rows)
    problem.kind = TileProblem::Kind::Rows;
  else if (root.getNumReductionLoops() > 0)
    problem.kind = TileProblem::Kind::Reduction;
  return problem;
}

/// Tiles `root` and computes its producers in the same tile.
static LogicalResult tileRoot(linalg::LinalgOp root, ArrayRef<int64_t> sizes) {
  IRRewriter rewriter(root.getContext());
  rewriter.setInsertionPoint(root);
  scf::SCFTileAndFuseOptions options;
  scf::SCFTilingOptions tiling;
  tiling.setTileSizes(getAsIndexOpFoldResult(root.getContext(), sizes));
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
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(kernelAttrName) || kernel.isExternal())
      return;
    linalg::LinalgOp root = rootOf(kernel);
    // MLIR's tiling divides by the extents of the loops.
    if (!root || llvm::is_contained(root.getStaticLoopRanges(), 0))
      return;
    SmallVector<int64_t> sizes = chooseTileSizes(describe(kernel, root));
    if (llvm::any_of(sizes, [](int64_t size) { return size != 0; }) &&
        failed(tileRoot(root, sizes)))
      return signalPassFailure();
    shrinkTemporaries(kernel);
  }
};
} // namespace
