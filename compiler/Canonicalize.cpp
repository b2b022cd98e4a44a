//===- Canonicalize.cpp - MLIR's canonicalizer without a wrong pattern ----===//

#include "compiler/Canonicalize.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

std::unique_ptr<mlir::Pass> aft::createCanonicalize(bool keepCopies) {
  llvm::SmallVector<std::string> disabled = {"(anonymous namespace)::FoldDimOfExpandShape"};
  if (keepCopies)
    disabled.push_back(
        "(anonymous namespace)::EraseIdentityLinalgOp<mlir::linalg::GenericOp>");
  return mlir::createCanonicalizerPass(mlir::GreedyRewriteConfig(), disabled);
}
