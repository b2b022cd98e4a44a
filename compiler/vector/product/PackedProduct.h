//===- PackedProduct.h - The inner loop of a packed matrix product --------===//

#ifndef AFT_COMPILER_VECTOR_PRODUCT_PACKEDPRODUCT_H
#define AFT_COMPILER_VECTOR_PRODUCT_PACKEDPRODUCT_H

#include "compiler/vector/Emitter.h"

namespace aft {

/// Adds the products of left(row, i) and right(part, i), values of the same type, for
/// i < `extent` to `sums`, row by row of `parts` values; `add` adds a product to a sum.
llvm::SmallVector<mlir::Value>
emitStrip(Emitter &e, llvm::ArrayRef<mlir::Value> sums, int64_t parts, mlir::Value extent,
          llvm::function_ref<mlir::Value(int64_t row, mlir::Value i)> left,
          llvm::function_ref<mlir::Value(int64_t part, mlir::Value i)> right,
          llvm::function_ref<mlir::Value(mlir::Value l, mlir::Value r, mlir::Value sum)> add);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PRODUCT_PACKEDPRODUCT_H
