//===- Epilogue.h - What is done with a product as soon as a tile is ready ===//

#ifndef AFT_COMPILER_VECTOR_PRODUCT_EPILOGUE_H
#define AFT_COMPILER_VECTOR_PRODUCT_EPILOGUE_H

#include "compiler/vector/Emitter.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace aft {

/// A part of the rows and columns of a product.
struct TileBounds {
  mlir::Value row, column, rows, columns;
};

/// The elementwise operation that follows a product on memrefs and can be computed tile by
/// tile while other tiles of the product are not ready; null where there is none.
mlir::linalg::GenericOp epilogueOf(mlir::linalg::LinalgOp product);

/// Whether nothing but the epilogue ever sees the product's result.
bool isSeenByEpilogueAlone(mlir::linalg::LinalgOp product, mlir::linalg::GenericOp epilogue);

/// Where a tile of a product is instead of in the result.
struct TileCopy {
  mlir::Value result, copy;
};

/// Emits the epilogue of one tile of the product's result.
mlir::LogicalResult emitEpilogue(Emitter &e, mlir::linalg::GenericOp epilogue,
                                 const TileBounds &tile, unsigned vectorBits,
                                 const TileCopy &from = {});

/// Asks for what the epilogue of a tile of `rows` x `columns` will read besides the product
/// `c`, and for what it will write.
void prefetchEpilogue(Emitter &e, mlir::linalg::GenericOp epilogue, mlir::Value c, mlir::Value row,
                      mlir::Value column, int64_t rows, int64_t columns);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PRODUCT_EPILOGUE_H
