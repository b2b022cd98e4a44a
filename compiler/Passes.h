//===- Passes.h - Passes that belong to no phase --------------------------===//

#ifndef AFT_COMPILER_PASSES_H
#define AFT_COMPILER_PASSES_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace aft {

#define GEN_PASS_DECL
#include "compiler/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/Passes.h.inc"

/// MLIR's inliner, which simplifies what it inlines into by aft-canonicalize.
std::unique_ptr<mlir::Pass> createInliner();

} // namespace aft

#endif // AFT_COMPILER_PASSES_H
