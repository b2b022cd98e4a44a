//===- MatmulEmission.h - Packed, register-blocked matrix products --------===//

#ifndef AFT_COMPILER_VECTOR_MATMULEMISSION_H
#define AFT_COMPILER_VECTOR_MATMULEMISSION_H

#include "compiler/binary/Target.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace aft {

/// Whether emitMatmul knows this operation: a (batch) matrix product of f32,
/// f64 or bf16 that accumulates in f32 or f64.
bool isMatmul(mlir::linalg::LinalgOp op);

/// The fill with zeros right before a product that the product adds to; null where it
/// adds to something else.
mlir::linalg::FillOp zerosBefore(mlir::linalg::LinalgOp product);

/// Emits C += A * B in front of the operation, C = A * B where `overwrites`. Blocks of A
/// and B are packed, tiles of C stay in registers over a block of K; few rows (as in
/// decoding) are multiplied unpacked.
void emitMatmul(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder, unsigned vectorBits,
                bool overwrites, PairDots pairDots);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_MATMULEMISSION_H
