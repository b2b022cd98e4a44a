//===- Canonicalize.cpp - MLIR's canonicalizer without its wrong patterns -===//

#include "compiler/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

namespace aft {
#define GEN_PASS_DEF_CANONICALIZE
#include "compiler/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

using Groups = SmallVector<ReassociationIndices>;

/// For each group of `coarse` the numbers of the groups of `fine` that make it
/// up; nothing where a fine group reaches over the end of a coarse one.
static std::optional<Groups> composed(ArrayRef<ReassociationIndices> coarse,
                                      ArrayRef<ReassociationIndices> fine) {
  Groups result;
  int64_t next = 0, count = fine.size();
  for (const ReassociationIndices &group : coarse) {
    result.emplace_back();
    while (next < count && fine[next].back() <= group.back())
      result.back().push_back(next++);
    if (result.back().empty() || fine[next - 1].back() != group.back())
      return std::nullopt;
  }
  return next == count ? std::optional(result) : std::nullopt;
}

static OpFoldResult product(PatternRewriter &rewriter, Location loc,
                            ArrayRef<OpFoldResult> factors) {
  int64_t constant = 1;
  Value total;
  for (OpFoldResult factor : factors) {
    if (std::optional<int64_t> known = getConstantIntValue(factor)) {
      constant *= *known;
      continue;
    }
    Value value = getValueOrCreateConstantIndexOp(rewriter, loc, factor);
    total = total ? rewriter.create<arith::MulIOp>(loc, total, value).getResult() : value;
  }
  if (!total || constant == 0)
    return rewriter.getIndexAttr(constant);
  if (constant == 1)
    return total;
  Value scale = rewriter.create<arith::ConstantIndexOp>(loc, constant);
  return rewriter.create<arith::MulIOp>(loc, total, scale).getResult();
}

namespace {

/// collapse_shape of expand_shape as one of the two. Unlike MLIR's pattern it
/// keeps the extents where two of one group are dynamic.
struct CollapseOfExpand : OpRewritePattern<tensor::CollapseShapeOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(tensor::CollapseShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto expand = op.getSrc().getDefiningOp<tensor::ExpandShapeOp>();
    if (!expand || expand.getSrcType() == op.getResultType())
      return rewriter.notifyMatchFailure(op, "not of another expand_shape");
    Groups outer = op.getReassociationIndices(), inner = expand.getReassociationIndices();
    if (outer.size() < inner.size()) {
      std::optional<Groups> groups = composed(outer, inner);
      if (!groups)
        return rewriter.notifyMatchFailure(op, "the groups overlap");
      rewriter.replaceOpWithNewOp<tensor::CollapseShapeOp>(op, op.getResultType(),
                                                           expand.getSrc(), *groups);
      return success();
    }
    std::optional<Groups> groups = composed(inner, outer);
    if (!groups || outer.size() == inner.size())
      return rewriter.notifyMatchFailure(op, "the groups overlap");
    SmallVector<OpFoldResult> wide =
        getMixedValues(expand.getStaticOutputShape(), expand.getOutputShape(), rewriter);
    SmallVector<OpFoldResult> sizes;
    for (const ReassociationIndices &group : outer)
      sizes.push_back(product(rewriter, op.getLoc(),
                              ArrayRef(wide).slice(group.front(), group.size())));
    rewriter.replaceOpWithNewOp<tensor::ExpandShapeOp>(op, op.getResultType(), expand.getSrc(),
                                                       *groups, sizes);
    return success();
  }
};

/// A number that is widened and then has its old type again is itself.
struct NarrowedAgain : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    auto wide = op.getIn().getDefiningOp<arith::ExtFOp>();
    if (!wide || wide.getIn().getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "not of a number of this type");
    rewriter.replaceOp(op, wide.getIn());
    return success();
  }
};

/// A loop of no turns leaves its destinations as they are.
struct LoopOfNoTurns : OpInterfaceRewritePattern<linalg::LinalgOp> {
  using OpInterfaceRewritePattern::OpInterfaceRewritePattern;

  LogicalResult matchAndRewrite(linalg::LinalgOp op, PatternRewriter &rewriter) const override {
    if (!op.hasPureTensorSemantics() || !llvm::is_contained(op.getStaticLoopRanges(), 0))
      return rewriter.notifyMatchFailure(op, "it may have a turn");
    rewriter.replaceOp(op, op.getDpsInits());
    return success();
  }
};

struct Canonicalize : aft::impl::CanonicalizeBase<Canonicalize> {
  using CanonicalizeBase::CanonicalizeBase;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet owned(context);
    for (Dialect *dialect : context->getLoadedDialects())
      dialect->getCanonicalizationPatterns(owned);
    for (RegisteredOperationName op : context->getRegisteredOperations())
      op.getCanonicalizationPatterns(owned, context);
    owned.add<CollapseOfExpand, LoopOfNoTurns, NarrowedAgain>(context);
    SmallVector<std::string> disabled = {
        // Divides by the marker for "dynamic" where two extents are.
        "(anonymous namespace)::FoldDimOfExpandShape",
        // Makes an expand_shape without extents where two are dynamic.
        "mlir::ComposeCollapseOfExpandOp<mlir::tensor::CollapseShapeOp, "
        "mlir::tensor::ExpandShapeOp, mlir::tensor::CastOp, mlir::tensor::DimOp, "
        "mlir::RankedTensorType>"};
    if (keepCopies)
      disabled.push_back(
          "(anonymous namespace)::EraseIdentityLinalgOp<mlir::linalg::GenericOp>");
    patterns = FrozenRewritePatternSet(std::move(owned), disabled);
    return success();
  }

  void runOnOperation() override {
    // There are no blocks to merge in structured code, only many to look at.
    GreedyRewriteConfig config;
    config.useTopDownTraversal = true;
    config.enableRegionSimplification = GreedySimplifyRegionLevel::Disabled;
    // As upstream: what did not converge is not wrong.
    (void)applyPatternsAndFoldGreedily(getOperation(), patterns, config);
  }

  FrozenRewritePatternSet patterns;
};

} // namespace

std::unique_ptr<Pass> aft::createInliner() {
  return createInlinerPass({}, [](OpPassManager &passes) {
    passes.addPass(createCanonicalize());
  });
}
