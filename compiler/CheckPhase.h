//===- CheckPhase.h - Whether a module has the form a phase promises ------===//

#ifndef AFT_COMPILER_CHECKPHASE_H
#define AFT_COMPILER_CHECKPHASE_H

#include "compiler/Pipeline.h"

namespace aft {

/// The check itself; errors say what the phase left over.
/// `threadBlocks`: kernels are made for a GPU (or its emulation).
mlir::LogicalResult checkPhase(mlir::ModuleOp module, Phase phase, bool threadBlocks = false);

} // namespace aft

#endif // AFT_COMPILER_CHECKPHASE_H
