//===- TileMatmul.h - Matrix products in tile registers -------------------===//

#ifndef AFT_COMPILER_VECTOR_PRODUCT_TILEMATMUL_H
#define AFT_COMPILER_VECTOR_PRODUCT_TILEMATMUL_H

#include "compiler/vector/product/ProductPacking.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace aft {

struct TileMatmulOptions {
  mlir::Value rows, columns; ///< of C, which may have room for more
  unsigned vectorBits;
  bool overwrites; ///< C = A * B instead of C += A * B
  bool readsOnce;  ///< there are so few columns that rows of A are read where they are
  /// What is done with each tile when it is ready; or null.
  mlir::linalg::GenericOp epilogue;
  bool dropsC; ///< nothing but the epilogue ever sees C
};

/// Emits C += A * B of bf16 by the tile registers of AMX, in the blocks of `form`. An error
/// where the epilogue cannot be emitted.
mlir::LogicalResult emitTileMatmul(Emitter &e, const PackedForm &form, const Matrix &a,
                                   const Matrix &b, const Matrix &c,
                                   const TileMatmulOptions &options);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PRODUCT_TILEMATMUL_H
