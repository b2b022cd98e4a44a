//===- Reference.h - Programs evaluated in double precision ---------------===//
// The oracle of all numerical tests: every operation exactly as the
// specification says it, in double, without any of the compiler's passes.

#ifndef AFT_DIALECT_REFERENCE_REFERENCE_H
#define AFT_DIALECT_REFERENCE_REFERENCE_H

#include "mlir/IR/BuiltinOps.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

namespace aft {

/// A tensor of doubles, or of integers (i1 is 0 or 1). Rank 0 also stands for
/// scalars. Floating-point values are not rounded to the element type.
struct ReferenceTensor {
  llvm::SmallVector<int64_t> shape;
  bool isFloat = true;
  std::vector<double> reals;
  std::vector<int64_t> integers;

  /// What 64 bits cannot count is more than any memory holds.
  int64_t size() const {
    int64_t count = 1;
    for (int64_t extent : shape)
      if (llvm::MulOverflow(count, extent, count))
        return std::numeric_limits<int64_t>::max();
    return count;
  }
  /// A tensor of zeros.
  static ReferenceTensor zeros(llvm::ArrayRef<int64_t> shape, bool isFloat = true);
};

/// Evaluates a function of the module (graph form: tensors, one block). Inputs
/// have the shapes of its arguments. A failure has been reported as an error
/// that names the operation.
llvm::LogicalResult evaluateReference(mlir::ModuleOp module, llvm::StringRef entry,
                                      llvm::ArrayRef<ReferenceTensor> inputs,
                                      llvm::SmallVectorImpl<ReferenceTensor> &outputs);

} // namespace aft

#endif // AFT_DIALECT_REFERENCE_REFERENCE_H
