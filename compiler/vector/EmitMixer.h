//===- EmitMixer.h - Code for a thread of a CPU, of any mixer -------------===//

#ifndef AFT_COMPILER_VECTOR_EMITMIXER_H
#define AFT_COMPILER_VECTOR_EMITMIXER_H

#include "compiler/binary/Target.h"
#include "mlir/IR/Builders.h"

namespace aft {

/// Emits an aft operation on memrefs in front of it, as grids of work groups; an error
/// for those that should have been decomposed. `pairDots`: how products of bf16 are computed.
mlir::LogicalResult emitMixer(mlir::Operation *op, mlir::OpBuilder &builder, unsigned vectorBits,
                              PairDots pairDots = PairDots::None);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_EMITMIXER_H
