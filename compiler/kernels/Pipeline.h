//===- Pipeline.h - The kernels phase -------------------------------------===//

#ifndef AFT_COMPILER_KERNELS_PIPELINE_H
#define AFT_COMPILER_KERNELS_PIPELINE_H

namespace mlir {
class OpPassManager;
} // namespace mlir

namespace aft {

struct CompileReport;

/// From functions on tensors to entries on memrefs, kernels and plans.
/// `lowMemory`: blocks are computed again instead of kept for the reverse pass.
/// `libraryProducts`: matrix products are formed such that cuBLASLt can compute them; `tf32`:
/// it may round factors of f32.
/// Where there is a report, it learns what was fused and why not, and where in
/// the arena everything lies.
void buildKernelsPipeline(mlir::OpPassManager &passes, bool lowMemory, bool libraryProducts,
                          bool tf32, CompileReport *report = nullptr);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_PIPELINE_H
