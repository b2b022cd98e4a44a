//===- Passes.h - Passes of the graph phase ---------------------------------===//

#ifndef AFT_COMPILER_GRAPH_PASSES_H
#define AFT_COMPILER_GRAPH_PASSES_H

#include "mlir/Pass/Pass.h"

namespace aft {

#define GEN_PASS_DECL
#include "compiler/graph/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/graph/Passes.h.inc"

} // namespace aft

#endif // AFT_COMPILER_GRAPH_PASSES_H
