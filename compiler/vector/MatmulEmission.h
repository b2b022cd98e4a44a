//===- MatmulEmission.h - Packed, register-blocked matrix products --------===//

#ifndef AFT_COMPILER_VECTOR_MATMULEMISSION_H
#define AFT_COMPILER_VECTOR_MATMULEMISSION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace aft {

/// Whether emitMatmul knows this operation: a (batch) matrix product of f32,
/// f64 or bf16 that accumulates in f32 or f64.
bool isMatmul(mlir::linalg::LinalgOp op);

/// Emits C += A * B in front of the operation: panels of B are packed, tiles of
/// C stay in registers over a block of K. Few rows (as in decoding) take the
/// unpacked path of emitGeneric.
mlir::LogicalResult emitMatmul(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder,
                               unsigned vectorBits);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_MATMULEMISSION_H
