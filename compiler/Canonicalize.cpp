//===- Canonicalize.cpp - MLIR's canonicalizer without a wrong pattern ----===//

#include "compiler/Passes.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace aft {
#define GEN_PASS_DEF_CANONICALIZE
#include "compiler/Passes.h.inc"
} // namespace aft

using namespace mlir;

namespace {
struct Canonicalize : aft::impl::CanonicalizeBase<Canonicalize> {
  using CanonicalizeBase::CanonicalizeBase;

  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet all(context);
    for (Dialect *dialect : context->getLoadedDialects())
      dialect->getCanonicalizationPatterns(all);
    for (RegisteredOperationName op : context->getRegisteredOperations())
      op.getCanonicalizationPatterns(all, context);
    SmallVector<std::string> disabled = {"(anonymous namespace)::FoldDimOfExpandShape"};
    if (keepCopies)
      disabled.push_back(
          "(anonymous namespace)::EraseIdentityLinalgOp<mlir::linalg::GenericOp>");
    patterns = FrozenRewritePatternSet(std::move(all), disabled);
    return success();
  }

  /// As MLIR's own: not to converge is no failure.
  void runOnOperation() override { (void)applyPatternsAndFoldGreedily(getOperation(), patterns); }

  FrozenRewritePatternSet patterns;
};
} // namespace
