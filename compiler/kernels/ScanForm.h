//===- ScanForm.h - Sums of all that comes before a place -------------------===//
// A running sum is written as a sum over all places of which a condition leaves those up to
// the place of the result: of quadratic work as it stands, of linear work as a scan.

#ifndef AFT_COMPILER_KERNELS_SCANFORM_H
#define AFT_COMPILER_KERNELS_SCANFORM_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace aft {

/// y[p] += sum of term[s] over the s before p.
struct ScanForm {
  int64_t place = 0, summed = 0; ///< the loops of p and s
  bool fromEnd = false;          ///< over the s behind p instead
  bool inclusive = false;        ///< s = p belongs to it
  mlir::Value condition;         ///< what compares s and p
  mlir::Value term;              ///< 0 where that does not hold
};

/// Reads an operation, on tensors or on memrefs, as such a sum.
std::optional<ScanForm> scanFormOf(mlir::linalg::LinalgOp op);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_SCANFORM_H
