//===- Pipeline.h - The kernels phase -------------------------------------===//

#ifndef AFT_COMPILER_KERNELS_PIPELINE_H
#define AFT_COMPILER_KERNELS_PIPELINE_H

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace aft {

/// From functions on tensors to entries on memrefs, kernels and plans.
void buildKernelsPipeline(mlir::OpPassManager &passes);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_PIPELINE_H
