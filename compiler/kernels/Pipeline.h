//===- Pipeline.h - The kernels phase -------------------------------------===//

#ifndef AFT_COMPILER_KERNELS_PIPELINE_H
#define AFT_COMPILER_KERNELS_PIPELINE_H

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace aft {

/// From functions on tensors to entries on memrefs, kernels and plans.
/// `lowMemory`: blocks are computed again instead of kept for the reverse pass.
void buildKernelsPipeline(mlir::OpPassManager &passes, bool lowMemory);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_PIPELINE_H
