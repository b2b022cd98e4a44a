//===- Pipeline.cpp - The kernels phase -----------------------------------===//

#include "compiler/kernels/Pipeline.h"

#include "compiler/Passes.h"
#include "compiler/kernels/Passes.h"
#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

void aft::buildKernelsPipeline(OpPassManager &passes, bool lowMemory, bool libraryProducts,
                               bool tf32, CompileReport *report) {
  auto clean = [&](bool keepCopies = false) {
    passes.addNestedPass<func::FuncOp>(createCanonicalize({keepCopies}));
    passes.addNestedPass<func::FuncOp>(createCSEPass());
  };
  passes.addPass(createInliner());
  passes.addPass(createSymbolDCEPass());
  passes.addNestedPass<func::FuncOp>(createLowerAffinePass());
  // Before operations lose their names, for the sake of the shape checks.
  passes.addNestedPass<func::FuncOp>(createResolveShapes());
  clean();
  passes.addNestedPass<func::FuncOp>(createDecompose());
  clean();
  passes.addNestedPass<func::FuncOp>(createCollapseLoops());
  passes.addNestedPass<func::FuncOp>(createLowerAffinePass());
  clean();
  passes.addNestedPass<func::FuncOp>(createResolveShapes());
  clean();
  // GPUs sum bands by themselves.
  if (!libraryProducts) {
    passes.addNestedPass<func::FuncOp>(createSplitBands());
    passes.addNestedPass<func::FuncOp>(createLowerAffinePass());
  }
  passes.addNestedPass<func::FuncOp>(createFuseElementwise(report));
  passes.addNestedPass<func::FuncOp>(createLowerAffinePass());
  clean();
  // No CSE of tensors after these: it would undo them.
  if (lowMemory)
    passes.addNestedPass<func::FuncOp>(createRecomputeBlocks());
  passes.addNestedPass<func::FuncOp>(createRecomputeValues());
  if (libraryProducts) {
    passes.addNestedPass<func::FuncOp>(createNarrowResults());
    passes.addNestedPass<func::FuncOp>(createRoundProducts());
  }
  passes.addPass(createFormKernels(libraryProducts, report));
  passes.addNestedPass<func::FuncOp>(createCleanFunctions({/*kernels=*/false}));
  passes.addPass(createDedupKernels());
  passes.addNestedPass<func::FuncOp>(createCleanFunctions({/*kernels=*/true}));
  passes.addPass(createDedupKernels());
  if (libraryProducts)
    passes.addPass(createMarkProducts({tf32}));
  passes.addNestedPass<func::FuncOp>(createOrderLaunches());
  passes.addPass(createPlanMemory(report));
  passes.addNestedPass<func::FuncOp>(createLowerAffinePass());
  clean(/*keepCopies=*/true);
  passes.addPass(createVerifyKernels());
}
