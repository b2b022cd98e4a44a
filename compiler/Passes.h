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

} // namespace aft

#endif // AFT_COMPILER_PASSES_H
