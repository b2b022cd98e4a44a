//===- Generic.h - Short ways to write linalg.generic ---------------------===//

#ifndef AFT_COMPILER_KERNELS_GENERIC_H
#define AFT_COMPILER_KERNELS_GENERIC_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace aft {

/// Builds generics at one place of a function.
class Generic {
public:
  /// Makes the scalars of the body; the arguments are one per operand.
  using Body = llvm::function_ref<llvm::SmallVector<mlir::Value>(
      mlir::ImplicitLocOpBuilder &, mlir::ValueRange)>;

  Generic(mlir::OpBuilder &builder, mlir::Location loc)
      : b(loc, builder) {}

  /// An operand of a generic: a tensor and the loops that index it. Loops not
  /// named are broadcast.
  struct Operand {
    mlir::Value value;
    mlir::AffineMap map;
  };

  /// `value` indexed by the loops [0, rank).
  Operand leading(mlir::Value value, unsigned loops);
  /// `value` indexed by the given loops.
  Operand at(mlir::Value value, unsigned loops, llvm::ArrayRef<unsigned> which);
  /// A rank-0 tensor.
  Operand scalar(mlir::Value value, unsigned loops);

  /// A new tensor with the given extents.
  mlir::Value empty(llvm::ArrayRef<mlir::OpFoldResult> sizes,
                    mlir::Type element);
  /// A new tensor filled with a number.
  mlir::Value filled(llvm::ArrayRef<mlir::OpFoldResult> sizes,
                     mlir::Type element, double number);

  /// The first `dims` dimensions of a tensor as one. Tensors without two of
  /// them stay as they are.
  mlir::Value flattened(mlir::Value value, unsigned dims);
  /// The reverse, with the extents of the result.
  mlir::Value unflattened(mlir::Value value, unsigned dims,
                          llvm::ArrayRef<mlir::OpFoldResult> sizes);

  /// Loops are parallel but for those in `reduced`.
  llvm::SmallVector<mlir::Value> parallel(llvm::ArrayRef<Operand> ins,
                                          llvm::ArrayRef<Operand> outs,
                                          Body body);
  llvm::SmallVector<mlir::Value> reduce(llvm::ArrayRef<Operand> ins,
                                        llvm::ArrayRef<Operand> outs,
                                        llvm::ArrayRef<unsigned> reduced,
                                        Body body);

  mlir::ImplicitLocOpBuilder b;
};

/// A floating-point constant of the given type.
mlir::Value number(mlir::ImplicitLocOpBuilder &b, mlir::Type type,
                   double value);
/// An i64 constant.
mlir::Value integer(mlir::ImplicitLocOpBuilder &b, int64_t value);
/// Widens or narrows a floating-point scalar.
mlir::Value toFloat(mlir::ImplicitLocOpBuilder &b, mlir::Value value,
                    mlir::Type type);
/// The type of Generic::flattened.
mlir::RankedTensorType flattenedType(mlir::Type type, unsigned dims);
/// Element type of a shaped value.
mlir::Type elementOf(mlir::Value value);
unsigned rankOf(mlir::Value value);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_GENERIC_H
