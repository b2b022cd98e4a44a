//===- MixerThreads.h - Mixers by blocks of threads -----------------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_MIXERTHREADS_H
#define AFT_COMPILER_VECTOR_GPU_MIXERTHREADS_H

#include "dialect/ir/AFT.h"
#include "mlir/IR/Builders.h"

namespace aft {

/// Emits a mixer on memrefs, or the derivative of one, in front of it. False for
/// operations that have no code for blocks of threads. `tf32`: sums of aft.full and
/// of its derivative may be products of f32 by tensor cores, which round.
bool emitMixerThreads(mlir::Operation *op, mlir::OpBuilder &builder, bool tf32);

// What it calls.
void emitWindowThreads(mlir::Operation *op, mlir::OpBuilder &builder);
void emitWindowGradThreads(mlir::Operation *op, mlir::OpBuilder &builder);
void emitFullThreads(FullOp op, mlir::OpBuilder &builder, bool tf32);
void emitFullGradThreads(FullGradOp op, mlir::OpBuilder &builder, bool tf32);
void emitBandThreads(BandOp op, mlir::OpBuilder &builder);
void emitBandGradThreads(BandGradOp op, mlir::OpBuilder &builder);
bool emitEmbeddingGradThreads(EmbeddingGradOp op, mlir::OpBuilder &builder);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_MIXERTHREADS_H
