//===- Passes.h - Passes of the llvm phase ---------------------------------===//

#ifndef AFT_COMPILER_LLVM_PASSES_H
#define AFT_COMPILER_LLVM_PASSES_H

#include "mlir/Pass/Pass.h"

namespace aft {

#define GEN_PASS_DECL
#include "compiler/llvm/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/llvm/Passes.h.inc"

} // namespace aft

#endif // AFT_COMPILER_LLVM_PASSES_H
