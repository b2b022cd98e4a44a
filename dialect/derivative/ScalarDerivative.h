//===- ScalarDerivative.h - The derivative of a body of scalar operations -===//

#ifndef AFT_DIALECT_DERIVATIVE_SCALARDERIVATIVE_H
#define AFT_DIALECT_DERIVATIVE_SCALARDERIVATIVE_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/IRMapping.h"

namespace aft {

/// Reverse mode over the operations of one block. They have been cloned;
/// `values` maps the originals to the clones. `gradients` holds the gradients
/// of the block's results on entry and of everything they depend on after a
/// success. A failure has been reported.
llvm::LogicalResult differentiateScalars(mlir::OpBuilder &builder, mlir::Block &block,
                                         const mlir::IRMapping &values,
                                         llvm::DenseMap<mlir::Value, mlir::Value> &gradients);

} // namespace aft

#endif // AFT_DIALECT_DERIVATIVE_SCALARDERIVATIVE_H
