//===- Decompose.cpp - Model operations and named operations to generics --===//
// Afterwards a program consists of linalg.generic, linalg.fill, the named
// matmuls, the aft operations that the tile phase knows (mixers, their
// derivatives and online forms, band, embedding_grad) and views of tensors.

#include "compiler/kernels/decompose/Decompose.h"
#include "compiler/kernels/Passes.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_DECOMPOSE
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

namespace {

struct Decompose : aft::impl::DecomposeBase<Decompose> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isExternal())
      return;
    if (failed(decomposeDropouts(function)))
      return signalPassFailure();
    decomposeAdamWs(function);
    RewritePatternSet patterns(&getContext());
    populateDecomposeNormPatterns(patterns);
    populateDecomposeLossPatterns(patterns);
    populateDecomposeModelPatterns(patterns);
    populateDecomposeEmptyPatterns(patterns);
    populateDecomposeTensorPatterns(patterns);
    populateDecomposeMirrorPatterns(patterns);
    populateDecomposeNamedPatterns(patterns);
    linalg::populateElementwiseToLinalgConversionPatterns(patterns);
    GreedyRewriteConfig config;
    config.useTopDownTraversal = true;
    config.enableRegionSimplification = GreedySimplifyRegionLevel::Disabled;
    if (failed(applyPatternsAndFoldGreedily(function, std::move(patterns), config))) {
      function.emitOpError("decomposition did not converge");
      return signalPassFailure();
    }
    if (failed(checkLeftovers(function)))
      signalPassFailure();
  }

  /// Model operations that no pattern could take.
  static LogicalResult checkLeftovers(func::FuncOp function) {
    WalkResult result = function.walk([](Operation *op) {
      if (isa<LayerNormOp, LayerNormGradOp>(op)) {
        op->emitOpError("not supported yet: a last dimension that is dynamic");
        return WalkResult::interrupt();
      }
      if (isa<CrossEntropyOp, CrossEntropyGradOp, EmbeddingOp, FinishOp, AdamWOp, DropoutOp>(op)) {
        op->emitOpError("not supported yet: destinations (outs) before the "
                        "tile phase");
        return WalkResult::interrupt();
      }
      return WalkResult::advance();
    });
    return failure(result.wasInterrupted());
  }
};

} // namespace
