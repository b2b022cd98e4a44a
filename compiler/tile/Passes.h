//===- Passes.h - Passes of the tile phase ---------------------------------===//

#ifndef AFT_COMPILER_TILE_PASSES_H
#define AFT_COMPILER_TILE_PASSES_H

#include "mlir/Pass/Pass.h"

namespace aft {

#define GEN_PASS_DECL
#include "compiler/tile/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/tile/Passes.h.inc"

} // namespace aft

#endif // AFT_COMPILER_TILE_PASSES_H
