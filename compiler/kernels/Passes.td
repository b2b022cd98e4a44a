//===- Passes.td - Passes of the kernels phase --------------------------------===//

#ifndef AFT_COMPILER_KERNELS_PASSES_TD
#define AFT_COMPILER_KERNELS_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // AFT_COMPILER_KERNELS_PASSES_TD
