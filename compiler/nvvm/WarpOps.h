//===- WarpOps.h - What warps do together, by other operations -----------===//

#ifndef AFT_COMPILER_NVVM_WARPOPS_H
#define AFT_COMPILER_NVVM_WARPOPS_H

#include "compiler/vector/gpu/GpuOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace aft {

/// Copies a chunk by a load and a store.
void copyAtOnce(CopyChunkOp copy);

/// Operations of aft_gpu as loads, stores and loops of a thread: each computes its own
/// numbers of a product.
void emulateWarps(mlir::func::FuncOp kernel);

} // namespace aft

#endif // AFT_COMPILER_NVVM_WARPOPS_H
