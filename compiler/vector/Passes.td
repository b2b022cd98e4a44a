//===- Passes.td - Passes of the vector phase --------------------------------===//

#ifndef AFT_COMPILER_VECTOR_PASSES_TD
#define AFT_COMPILER_VECTOR_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // AFT_COMPILER_VECTOR_PASSES_TD
