//===- Codegen.h - LLVM's passes and code generator on one module ---------===//

#ifndef AFT_COMPILER_BINARY_CODEGEN_H
#define AFT_COMPILER_BINARY_CODEGEN_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"
#include "llvm/Support/CodeGen.h"
#include "llvm/Support/Error.h"

#include <string>

namespace llvm {
class Module;
class TargetMachine;
} // namespace llvm

namespace aft {

/// Runs passes on `module`, which are named as for LLVM's `opt`.
llvm::Error runPasses(llvm::Module &module, llvm::TargetMachine &machine, llvm::StringRef pipeline);

/// Object code or assembly; failure where the target has no such form.
mlir::LogicalResult emitCode(llvm::Module &module, llvm::TargetMachine &machine,
                             llvm::CodeGenFileType type, std::string &result);

/// Writes a file of the dump folder; where it cannot be written, `module` gets a warning.
void writeDumpFile(mlir::ModuleOp module, const std::string &folder, llvm::StringRef file,
                   llvm::StringRef text);

} // namespace aft

#endif // AFT_COMPILER_BINARY_CODEGEN_H
