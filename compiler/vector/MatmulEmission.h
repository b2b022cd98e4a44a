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

struct MatmulOptions {
  unsigned vectorBits;
  bool overwrites; ///< C = A * B instead of C += A * B
  bool manyRows;   ///< no code for few rows where their number is unknown
  PairDots pairDots;
};

/// Emits C += A * B in front of the operation. Blocks of A and B are packed, tiles of C
/// stay in registers over a block of K; few rows (as in decoding) are multiplied with B
/// where it is.
void emitMatmul(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder, const MatmulOptions &options);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_MATMULEMISSION_H
