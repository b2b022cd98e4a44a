//===- MatmulEmission.h - Packed, register-blocked matrix products --------===//

#ifndef AFT_COMPILER_VECTOR_PRODUCT_MATMULEMISSION_H
#define AFT_COMPILER_VECTOR_PRODUCT_MATMULEMISSION_H

#include "compiler/binary/Target.h"
#include "compiler/vector/product/ProductPacking.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace aft {

/// Whether emitMatmul knows this operation: a (batch) matrix product of f32,
/// f64 or bf16 that accumulates in f32 or f64.
bool isMatmul(mlir::linalg::LinalgOp op);

/// The matrices of a product, those of the first of its batch.
struct Factors {
  Matrix a, b, c;
};
Factors factorsOf(mlir::linalg::LinalgOp product);

/// The fill with zeros right before a product that the product adds to; null where it
/// adds to something else.
mlir::linalg::FillOp zerosBefore(mlir::linalg::LinalgOp product);

/// Removes the zeros that matrix products of `ops` are added to, from there too, and
/// gives these products: they store their sums instead.
mlir::DenseSet<mlir::Operation *> dropZeros(llvm::SmallVector<mlir::linalg::LinalgOp> &ops);

struct MatmulOptions {
  unsigned vectorBits;
  bool overwrites; ///< C = A * B instead of C += A * B
  bool manyRows;   ///< no code for few rows where their number is unknown
  PairDots pairDots;
  /// What is emitted with the product, tile by tile where tiles are; or null.
  mlir::linalg::GenericOp epilogue;
  bool dropsC = false; ///< nothing but the epilogue ever sees C
};

/// Emits C += A * B where the builder stands. Blocks of A and B are packed, tiles of C
/// stay in registers over a block of K; few rows (as in decoding) are multiplied with B
/// where it is. An error where the epilogue cannot be emitted.
mlir::LogicalResult emitMatmul(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder,
                               const MatmulOptions &options);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PRODUCT_MATMULEMISSION_H
