//===- CleanFunctions.cpp - Cleans kernels, or what launches them ---------===//

#include "compiler/Passes.h"
#include "compiler/kernels/Interface.h"
#include "compiler/kernels/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_CLEANFUNCTIONS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

namespace {

struct CleanFunctions : aft::impl::CleanFunctionsBase<CleanFunctions> {
  using CleanFunctionsBase::CleanFunctionsBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    makePasses().getDependentDialects(registry);
  }

  LogicalResult initialize(MLIRContext *) override {
    passes = makePasses();
    return success();
  }

  void runOnOperation() override {
    bool isKernel = getOperation()->hasAttr(kernelAttrName);
    if (isKernel == kernels && failed(runPipeline(passes, getOperation())))
      signalPassFailure();
  }

private:
  static OpPassManager makePasses() {
    OpPassManager passes(func::FuncOp::getOperationName());
    passes.addPass(createCanonicalize({/*keepCopies=*/true}));
    passes.addPass(createCSEPass());
    return passes;
  }

  OpPassManager passes;
};

} // namespace
