//===- LinalgDerivatives.h - What derivatives of linalg operations share --===//

#ifndef AFT_DIALECT_DERIVATIVE_LINALGDERIVATIVES_H
#define AFT_DIALECT_DERIVATIVE_LINALGDERIVATIVES_H

#include "mlir/IR/Builders.h"

namespace aft {

/// The tensor with its floating-point elements widened or narrowed.
mlir::Value convertElements(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor,
                            mlir::Type element);

/// Attach the interface to linalg.generic and linalg.fill, and to the matmuls.
void attachGenericDerivative(mlir::MLIRContext &context);
void attachMatmulDerivatives(mlir::MLIRContext &context);

} // namespace aft

#endif // AFT_DIALECT_DERIVATIVE_LINALGDERIVATIVES_H
