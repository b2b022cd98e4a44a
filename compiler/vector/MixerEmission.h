//===- MixerEmission.h - Vector code of each mixer ------------------------===//
// Each function emits one operation in memref form in front of it, as grids
// (scf.forall) of independent work groups.

#ifndef AFT_COMPILER_VECTOR_MIXEREMISSION_H
#define AFT_COMPILER_VECTOR_MIXEREMISSION_H

#include "compiler/binary/Target.h"
#include "dialect/ir/AFT.h"
#include "mlir/IR/Builders.h"

namespace aft {

// Mixers whose bias lives in a window of the sequence: simple, local, 1-D conv.
void emitWindowMixer(mlir::Operation *op, mlir::OpBuilder &builder, unsigned vectorBits);
void emitWindowMixerGrad(mlir::Operation *op, mlir::OpBuilder &builder, unsigned vectorBits);

// conv on a grid.
void emitGridMixer(mlir::Operation *op, mlir::OpBuilder &builder, unsigned vectorBits);
void emitGridMixerGrad(mlir::Operation *op, mlir::OpBuilder &builder, unsigned vectorBits);

// full: packed products, those of bf16 as `pairDots` says.
void emitFullMixer(FullOp op, mlir::OpBuilder &builder, unsigned vectorBits, PairDots pairDots);
void emitFullMixerGrad(FullGradOp op, mlir::OpBuilder &builder, unsigned vectorBits,
                       PairDots pairDots);
void emitFullOnline(FullOnlineOp op, mlir::OpBuilder &builder, unsigned vectorBits);

// Chunks of a sequence with a carried state.
void emitOnlineMixer(mlir::Operation *op, mlir::OpBuilder &builder, unsigned vectorBits);

void emitBand(BandOp op, mlir::OpBuilder &builder, unsigned vectorBits);
void emitBandGrad(BandGradOp op, mlir::OpBuilder &builder, unsigned vectorBits);
void emitEmbeddingGrad(EmbeddingGradOp op, mlir::OpBuilder &builder, unsigned vectorBits);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_MIXEREMISSION_H
