//===- aft-opt.cpp - Runs passes on MLIR text -----------------------------===//

#include "compiler/Register.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "llvm/Support/CrashRecoveryContext.h"
#include "llvm/Support/InitLLVM.h"

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  mlir::DialectRegistry registry;
  aft::registerDialects(registry);
  aft::registerPasses();
  // Some of MLIR 19's parsers crash after they reported an error, and all nest in
  // the native stack.
  constexpr unsigned kStackBytes = 512 << 20;
  llvm::CrashRecoveryContext::Enable();
  llvm::CrashRecoveryContext recovery;
  bool good = false;
  auto run = [&] {
    good = mlir::succeeded(mlir::MlirOptMain(argc, argv, "AFT optimizer driver\n", registry));
  };
  if (!recovery.RunSafelyOnThread(run, kStackBytes))
    llvm::errs() << argv[0] << ": error: stopped by a crash\n";
  return good ? 0 : 1;
}
