//===- GenericEmission.h - Vector code of any linalg operation ------------===//

#ifndef AFT_COMPILER_VECTOR_GENERICEMISSION_H
#define AFT_COMPILER_VECTOR_GENERICEMISSION_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace aft {

/// Emits loops for a linalg operation on memrefs in front of it. The loop
/// dimension along which memory is contiguous is vectorised; an operation that
/// has none, or whose body cannot be vectorised, becomes scalar loops.
mlir::LogicalResult emitGeneric(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder,
                                unsigned vectorBits);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GENERICEMISSION_H
