//===- aft-opt.cpp - Runs passes on MLIR text -----------------------------===//

#include "compiler/Register.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::DialectRegistry registry;
  aft::registerDialects(registry);
  aft::registerPasses();
  return mlir::failed(mlir::MlirOptMain(argc, argv, "AFT optimizer driver\n", registry));
}
