//===- FoldTransposes.cpp - Matrix products of transposed operands --------===//
// A product with x^T becomes the product that reads x in the other order: nobody
// copies the transposed matrix, forward or in the derivative.

#include "compiler/graph/Passes.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace aft {
#define GEN_PASS_DEF_FOLDTRANSPOSES
#include "compiler/graph/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// What `value` is a copy of with the last two dimensions swapped; null if it
/// is none.
static Value untransposed(Value value) {
  auto generic = value.getDefiningOp<linalg::GenericOp>();
  if (!generic || generic.getNumDpsInputs() != 1 || generic.getNumDpsInits() != 1 ||
      generic.getNumParallelLoops() != generic.getNumLoops() || generic.getNumLoops() < 2)
    return {};
  Block *body = generic.getBody();
  Value source = generic.getDpsInputs()[0];
  if (body->getOperations().size() != 1 ||
      body->getTerminator()->getOperand(0) != body->getArgument(0) ||
      getElementTypeOrSelf(source) != getElementTypeOrSelf(value))
    return {};
  unsigned loops = generic.getNumLoops();
  SmallVector<unsigned> order = llvm::to_vector(llvm::seq<unsigned>(0, loops));
  std::swap(order[loops - 1], order[loops - 2]);
  AffineMap swapped = AffineMap::getPermutationMap(order, generic.getContext());
  SmallVector<AffineMap> maps = generic.getIndexingMapsArray();
  // One of the two is the identity; swapping is its own inverse.
  bool swaps =
      (maps[0] == swapped && maps[1].isIdentity()) || (maps[0].isIdentity() && maps[1] == swapped);
  return swaps ? source : Value();
}

/// The same through a collapse_shape that leaves the last two dimensions alone.
static Value untransposedView(OpBuilder &builder, Value value) {
  if (Value source = untransposed(value))
    return source;
  auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>();
  if (!collapse || collapse.getResultType().getRank() != 3)
    return {};
  SmallVector<ReassociationIndices> groups = collapse.getReassociationIndices();
  if (groups[1].size() != 1 || groups[2].size() != 1)
    return {};
  Value source = untransposed(collapse.getSrc());
  if (!source)
    return {};
  return builder.create<tensor::CollapseShapeOp>(collapse.getLoc(), source, groups);
}

namespace {

template <typename Plain, typename TransposedA, typename TransposedB>
struct FoldTranspose : OpRewritePattern<Plain> {
  using OpRewritePattern<Plain>::OpRewritePattern;

  LogicalResult matchAndRewrite(Plain op, PatternRewriter &rewriter) const override {
    Value a = op.getInputs()[0], b = op.getInputs()[1];
    if (Value source = untransposedView(rewriter, b)) {
      rewriter.replaceOpWithNewOp<TransposedB>(op, op->getResultTypes(), ValueRange{a, source},
                                               op.getOutputs());
      return success();
    }
    if (Value source = untransposedView(rewriter, a)) {
      rewriter.replaceOpWithNewOp<TransposedA>(op, op->getResultTypes(), ValueRange{source, b},
                                               op.getOutputs());
      return success();
    }
    return rewriter.notifyMatchFailure(op, "no operand is a transposed copy");
  }
};

struct FoldTransposes : aft::impl::FoldTransposesBase<FoldTransposes> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<
        FoldTranspose<linalg::MatmulOp, linalg::MatmulTransposeAOp, linalg::MatmulTransposeBOp>,
        FoldTranspose<linalg::BatchMatmulOp, linalg::BatchMatmulTransposeAOp,
                      linalg::BatchMatmulTransposeBOp>>(&getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
