//===- WarpOps.h - What warps do together, by other operations -----------===//

#ifndef AFT_COMPILER_NVVM_WARPOPS_H
#define AFT_COMPILER_NVVM_WARPOPS_H

#include "compiler/vector/gpu/GpuOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir {
class LLVMTypeConverter;
class RewritePatternSet;
} // namespace mlir

namespace aft {

/// Copies a chunk by a load and a store.
void copyAtOnce(CopyChunkOp copy);

/// Operations of aft_gpu as loads, stores and loops of a thread: each computes its own
/// numbers of a product.
void emulateWarps(mlir::func::FuncOp kernel);

/// Where threads combine numbers of each other, makes of the forall around it several: threads
/// that run one after the other do so after all of them have made theirs. What a thread needs
/// later it keeps in memory of its own.
mlir::LogicalResult emulateWarpReduction(WarpReduceOp op);

/// Makes shuffles of warp_reduce.
void populateWarpReduceLowering(const mlir::LLVMTypeConverter &converter,
                                mlir::RewritePatternSet &patterns);

} // namespace aft

#endif // AFT_COMPILER_NVVM_WARPOPS_H
