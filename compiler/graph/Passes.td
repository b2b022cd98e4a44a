//===- Passes.td - Passes of the graph phase --------------------------------===//

#ifndef AFT_COMPILER_GRAPH_PASSES_TD
#define AFT_COMPILER_GRAPH_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // AFT_COMPILER_GRAPH_PASSES_TD
