//===- MirrorForm.h - Tensors read from their end ---------------------------===//
// A flipped dimension is written as a sum over all places of which a condition leaves the one
// whose distance from the end is the place of the result. As a sum it has a derivative of the
// same form; as a kernel it reads one element.

#ifndef AFT_COMPILER_KERNELS_MIRRORFORM_H
#define AFT_COMPILER_KERNELS_MIRRORFORM_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <optional>

namespace aft {

/// y[..., p, ...] = x[..., last - p, ...], 0 where there is no such element.
struct MirrorForm {
  int64_t place = 0, summed = 0; ///< the loops of p and of x's own place
  mlir::OpFoldResult extent;     ///< last + 1
};

std::optional<MirrorForm> mirrorFormOf(mlir::linalg::LinalgOp op);

/// A tensor with one of its dimensions flipped, in that form.
mlir::Value createMirrored(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor,
                           int64_t dim);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_MIRRORFORM_H
