//===- Passes.h - Passes of the graph phase -------------------------------===//

#ifndef AFT_COMPILER_GRAPH_PASSES_H
#define AFT_COMPILER_GRAPH_PASSES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Pass/Pass.h"

namespace aft {

/// What aft-differentiate does, for other passes: adds `@NAME_grad`. A failure
/// has been reported.
mlir::FailureOr<mlir::func::FuncOp> differentiate(mlir::func::FuncOp function);

/// The arguments with the attribute aft.param.
llvm::SmallVector<unsigned> parametersOf(mlir::func::FuncOp function);

/// The argument's aft.name, or "argN".
std::string argumentName(mlir::func::FuncOp function, unsigned argument);

#define GEN_PASS_DECL
#include "compiler/graph/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/graph/Passes.h.inc"

} // namespace aft

#endif // AFT_COMPILER_GRAPH_PASSES_H
