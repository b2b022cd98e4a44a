//===- Passes.td - Passes of the tile phase --------------------------------===//

#ifndef AFT_COMPILER_TILE_PASSES_TD
#define AFT_COMPILER_TILE_PASSES_TD

include "mlir/Pass/PassBase.td"

#endif // AFT_COMPILER_TILE_PASSES_TD
