//===- Register.cpp - All dialects, passes and pipelines of the project ---===//

#include "compiler/Register.h"

#include "compiler/graph/Passes.h"
#include "compiler/kernels/Passes.h"
#include "compiler/llvm/Passes.h"
#include "compiler/tile/Passes.h"
#include "compiler/vector/Passes.h"
#include "dialect/ir/AFT.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

void aft::registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<AFTDialect>();
}

void aft::registerPasses() {
  mlir::registerAllPasses();
  registerGraphPasses();
  registerKernelsPasses();
  registerTilePasses();
  registerVectorPasses();
  registerLLVMPasses();
}
