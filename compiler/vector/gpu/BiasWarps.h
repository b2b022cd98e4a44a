//===- BiasWarps.h - Gradient of the bias of aft.full by tensor cores -----===//

#ifndef AFT_COMPILER_VECTOR_GPU_BIASWARPS_H
#define AFT_COMPILER_VECTOR_GPU_BIASWARPS_H

#include "compiler/vector/full/FullMixer.h"

namespace aft {

/// dw, for all batch entries together, or each on its own; factors are rounded to bf16 or, of f32,
/// to TF32.
void emitBiasesByWarps(const FullMixer &mixer, mlir::Type factor);

/// What every `lanes`-th channel from `lane` on of batch entries [first, last) adds to dw of a
/// pair.
mlir::Value sumOfPair(const FullMixer &mixer, mlir::Value first, mlir::Value last, mlir::Value t,
                      mlir::Value key, mlir::Value lane, int64_t lanes);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_BIASWARPS_H
