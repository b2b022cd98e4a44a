//===- Register.cpp - All dialects, passes and pipelines of the project ---===//

#include "compiler/Register.h"

#include "dialect/ir/AFT.h"
#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"

void aft::registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<AFTDialect>();
}

void aft::registerPasses() { mlir::registerAllPasses(); }
