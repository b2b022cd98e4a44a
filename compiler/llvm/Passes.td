//===- Passes.td - Passes of the llvm phase --------------------------------===//

#ifndef AFT_COMPILER_LLVM_PASSES_TD
#define AFT_COMPILER_LLVM_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // AFT_COMPILER_LLVM_PASSES_TD
