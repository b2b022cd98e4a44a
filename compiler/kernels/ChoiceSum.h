//===- ChoiceSum.h - Sums over places of which a condition leaves some ------===//

#ifndef AFT_COMPILER_KERNELS_CHOICESUM_H
#define AFT_COMPILER_KERNELS_CHOICESUM_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace aft {

/// A value before it was widened or rounded.
mlir::Value withoutCasts(mlir::Value value);

/// What the yielded sum adds to the result so far; null where it is no such sum.
mlir::Value addendOf(mlir::linalg::LinalgOp op);

/// Two indices of an operation, one of a loop that is summed over and one of a place of the
/// result.
struct SummedAndPlace {
  mlir::linalg::IndexOp summed, place;
  bool swapped; ///< the place came first
  /// Null indices where the values are something else.
  static SummedAndPlace of(mlir::linalg::LinalgOp op, mlir::Value first, mlir::Value second);
  explicit operator bool() const { return bool(summed); }
};

} // namespace aft

#endif // AFT_COMPILER_KERNELS_CHOICESUM_H
