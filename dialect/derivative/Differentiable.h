//===- Differentiable.h - Derivatives of operations on tensors ------------===//
// Reverse mode: `Adjoints` holds, for each value, the gradient of one scalar
// with respect to it; every differentiable operation turns the gradients of its
// results into gradients of its operands.

#ifndef AFT_DIALECT_DERIVATIVE_DIFFERENTIABLE_H
#define AFT_DIALECT_DERIVATIVE_DIFFERENTIABLE_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/OpDefinition.h"

// Operations in other libraries (plugins) have derivatives too.
#pragma GCC visibility push(default)

namespace aft {

class Adjoints {
public:
  /// The gradient so far; null stands for zero.
  mlir::Value of(mlir::Value value) const { return gradients.lookup(value); }
  /// Adds to the gradient of `value` unless that is inactive.
  void add(mlir::OpBuilder &builder, mlir::Value value, mlir::Value gradient);

  /// Whether `value` depends on what is differentiated with respect to.
  bool isActive(mlir::Value value) const { return active.contains(value); }
  void markActive(mlir::Value value) { active.insert(value); }

  /// Makes `replacement` stand for `value`, which is about to be replaced.
  void replace(mlir::Value value, mlir::Value replacement);

private:
  llvm::DenseMap<mlir::Value, mlir::Value> gradients;
  llvm::DenseSet<mlir::Value> active;
};

/// A tensor of zeros with the shape and type of `like`.
mlir::Value zerosLike(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value like);

/// Appends to `function` (one block, no calls) the reverse pass: the gradients
/// of its first result, a scalar, with respect to the given arguments.
mlir::FailureOr<llvm::SmallVector<mlir::Value>> buildGradients(mlir::func::FuncOp function,
                                                               llvm::ArrayRef<unsigned> arguments);

/// Gives DifferentiableOpInterface to the operations of aft, linalg and tensor.
void registerDerivatives(mlir::DialectRegistry &registry);

// The parts of registerDerivatives, one per file.
void registerMixerDerivatives(mlir::DialectRegistry &registry);
void registerModelDerivatives(mlir::DialectRegistry &registry);
void registerLinalgDerivatives(mlir::DialectRegistry &registry);
void registerTensorDerivatives(mlir::DialectRegistry &registry);

} // namespace aft

#include "dialect/derivative/Differentiable.h.inc"

#pragma GCC visibility pop

#endif // AFT_DIALECT_DERIVATIVE_DIFFERENTIABLE_H
