//===- ExtentReader.h - Extents of tensors and memrefs as expressions -----===//

#ifndef AFT_COMPILER_REPORT_EXTENTREADER_H
#define AFT_COMPILER_REPORT_EXTENTREADER_H

#include "compiler/report/Expression.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/Value.h"

#include <functional>

namespace aft {

/// Reads the code that computes extents, without changing it. What it cannot
/// read is a null expression.
class ExtentReader {
public:
  /// The symbols are the extents of the arguments of the function that is read,
  /// all of them in order, static ones included.
  explicit ExtentReader(mlir::Block &entryBlock);

  /// An extent of a tensor or memref.
  Expression extent(mlir::Value shaped, int64_t dim);
  /// The number of elements.
  Expression elements(mlir::Value shaped);
  /// An index or integer.
  Expression index(mlir::Value value);
  Expression index(mlir::OpFoldResult value);

private:
  Expression readIndex(mlir::Value value);
  Expression readExtent(mlir::OpResult shaped, int64_t dim);

  mlir::Block &block;
  llvm::SmallVector<unsigned> firstSymbol; ///< per argument
  llvm::DenseMap<mlir::Value, Expression> known;
};

} // namespace aft

#endif // AFT_COMPILER_REPORT_EXTENTREADER_H
