//===- ProductPacking.h - Packed operands of a matrix product -------------===//

#ifndef AFT_COMPILER_VECTOR_PRODUCT_PRODUCTPACKING_H
#define AFT_COMPILER_VECTOR_PRODUCT_PRODUCTPACKING_H

#include "compiler/vector/product/PackedForm.h"

namespace aft {

/// A matrix in memory: indices of the batch, and whether it is stored
/// transposed.
struct Matrix {
  mlir::Value memref;
  bool transposed = false;
  llvm::SmallVector<mlir::Value> batch;

  mlir::Type element() const;
  llvm::SmallVector<mlir::Value> at(mlir::Value row, mlir::Value column) const;
  mlir::Value rows(Emitter &e) const;
  mlir::Value columns(Emitter &e) const;
};

/// The transpose of as many vectors as each has lanes.
llvm::SmallVector<mlir::Value> transposeSquare(Emitter &e, mlir::ValueRange vectors);

/// Asks for a cache line ahead of its use; any address will do.
void prefetch(Emitter &e, const Matrix &matrix, mlir::Value row, mlir::Value column);

/// A part of a factor: from a step of K and a row of A or column of B on.
struct FactorBlock {
  mlir::Value firstStep, steps, first, count;
};

/// Packs rows of A for all whole strips that they reach into, zeros beyond them.
void packRows(Emitter &e, const PackedForm &form, const Matrix &a, const FactorBlock &block,
              mlir::Value packed);

/// Packs columns of B for all whole panels that they reach into, zeros beyond them.
void packPanels(Emitter &e, const PackedForm &form, const Matrix &b, const FactorBlock &block,
                mlir::Value packed);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PRODUCT_PRODUCTPACKING_H
