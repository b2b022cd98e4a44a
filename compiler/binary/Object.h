//===- Object.h - From modules in the LLVM dialect to object code ---------===//

#ifndef AFT_COMPILER_BINARY_OBJECT_H
#define AFT_COMPILER_BINARY_OBJECT_H

#include "compiler/binary/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

#include <string>

namespace llvm {
class Module;
} // namespace llvm

namespace aft {

/// What becomes of one module.
struct ObjectCode {
  std::string object;           ///< an ELF relocatable file
  std::string llvmIR, assembly; ///< only when asked for
};

/// Translates a module in the LLVM dialect to LLVM IR, optimises and compiles
/// it. Errors go to the module's diagnostics. Safe to call from several threads
/// on different modules.
mlir::FailureOr<ObjectCode> compileObject(mlir::ModuleOp module, const Target &target,
                                          bool keepText);

/// Compiles LLVM IR that needs no optimising. Empty `error`: success.
std::string emitObject(llvm::Module &module, const Target &target, std::string &error);

} // namespace aft

#endif // AFT_COMPILER_BINARY_OBJECT_H
