//===- Parts.h - A program as modules that are compiled on their own ------===//

#ifndef AFT_COMPILER_BINARY_PARTS_H
#define AFT_COMPILER_BINARY_PARTS_H

#include "compiler/binary/Target.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"

#include <string>
#include <vector>

namespace aft {

/// One kernel, or the host's functions, with everything that they need.
struct Part {
  std::string name;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  /// Of a kernel whose object code depends on nothing but its module: a hash of it and of the
  /// target. Its symbols are named by the hash, so that the code is the same wherever in a
  /// program the kernel is. Else empty.
  std::string key;
};

/// Splits a module after the llvm phase: a part per kernel, then that of the host. Kernels
/// that became equal are one.
std::vector<Part> splitParts(mlir::ModuleOp module, const Target &target);

} // namespace aft

#endif // AFT_COMPILER_BINARY_PARTS_H
