//===- Canonicalize.cpp - MLIR's canonicalizer without a wrong pattern ----===//

#include "compiler/Canonicalize.h"

#include "mlir/Pass/Pass.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/Passes.h"

std::unique_ptr<mlir::Pass> aft::createCanonicalize() {
  std::string wrong = "(anonymous namespace)::FoldDimOfExpandShape";
  return mlir::createCanonicalizerPass(mlir::GreedyRewriteConfig(), wrong);
}
