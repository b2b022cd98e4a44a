//===- Shapes.h - Extents of tensors as values of the host function -------===//
// The extents of every tensor of a program follow from those of the function's
// arguments. Extents that an operation requires to be equal form one class and
// are represented by one value; each such requirement that the types do not
// show is a check at run time.

#ifndef AFT_COMPILER_KERNELS_SHAPES_H
#define AFT_COMPILER_KERNELS_SHAPES_H

#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace aft {

using Extents = llvm::SmallVector<mlir::OpFoldResult>;

/// The dimension letters of an aft operation: one string per operand (without
/// destinations) and per result.
struct DimensionLetters {
  llvm::SmallVector<std::string> operands, results;
};

/// Fails for an operation that has no such description.
mlir::FailureOr<DimensionLetters> dimensionLetters(mlir::Operation *op);

/// Whether an aft operation stays one inside of kernels.
bool isKernelOp(mlir::Operation *op);

/// One requirement between two extents.
struct ShapeCheckpoint {
  mlir::OpFoldResult left, right;
  bool equal; ///< else: left <= right
  mlir::Operation *op;
};

class ShapeAnalysis {
public:
  explicit ShapeAnalysis(mlir::func::FuncOp function);

  /// Walks the function. Fails with an error when an extent of a result cannot
  /// be derived or extents contradict each other.
  mlir::LogicalResult run();

  /// The extents of a tensor, each the representative of its class.
  Extents shape(mlir::Value tensor);
  /// Says that a value made after run() has the shape of another one.
  void copyShape(mlir::Value from, mlir::Value to) { shapes[to] = shape(from); }
  /// The representative: a constant where one is known.
  mlir::OpFoldResult representative(mlir::OpFoldResult extent);
  /// What `extent` is, for error messages.
  std::string describe(mlir::OpFoldResult extent);

  llvm::ArrayRef<ShapeCheckpoint> checkpoints() const { return checks; }
  /// Every value that has a representative other than itself.
  llvm::SmallVector<mlir::Value> merged();

private:
  mlir::LogicalResult visit(mlir::Operation *op);
  mlir::LogicalResult visitLinalg(mlir::linalg::LinalgOp op);
  mlir::LogicalResult visitLetters(mlir::Operation *op,
                                   const DimensionLetters &letters);
  mlir::LogicalResult visitSpecial(mlir::Operation *op);
  mlir::LogicalResult visitReshape(mlir::Operation *op);
  mlir::LogicalResult visitSlice(mlir::tensor::ExtractSliceOp slice);
  mlir::LogicalResult visitInsert(mlir::tensor::InsertSliceOp insert);
  mlir::LogicalResult visitJoin(mlir::Operation *op);
  mlir::LogicalResult visitElementwise(mlir::Operation *op);
  void readAsserts();

  mlir::LogicalResult require(mlir::OpFoldResult left, mlir::OpFoldResult right,
                              mlir::Operation *op);
  void requireAtMost(mlir::OpFoldResult left, mlir::OpFoldResult right, mlir::Operation *op);
  /// Where that does not show, and it follows from shapes alone.
  void requireNotNegative(mlir::OpFoldResult extent, mlir::Operation *op);
  /// The part of a slice lies within the tensor of these extents.
  void requireWithin(mlir::OffsetSizeAndStrideOpInterface op,
                     llvm::ArrayRef<mlir::OpFoldResult> whole);
  void unite(mlir::OpFoldResult left, mlir::OpFoldResult right);
  /// A product of the program itself joins the class of equal products.
  void visitProduct(mlir::arith::MulIOp op);
  mlir::Value knownProduct(llvm::ArrayRef<mlir::Value> factors);
  mlir::OpFoldResult product(llvm::ArrayRef<mlir::OpFoldResult> factors,
                             mlir::Operation *at);
  /// Sets the shape of a result; static extents of its type win.
  mlir::LogicalResult define(mlir::Value result, Extents extents,
                             mlir::Operation *op);
  mlir::Value root(mlir::Value value);

  mlir::func::FuncOp function;
  llvm::DenseMap<mlir::Value, Extents> shapes;
  llvm::DenseMap<mlir::Value, mlir::Value> parent;
  llvm::DenseMap<mlir::Value, int64_t> constants; ///< by class root
  llvm::SmallVector<mlir::Value> members;
  std::vector<std::pair<llvm::SmallVector<mlir::Value>, mlir::Value>>
      products;
  llvm::SmallVector<ShapeCheckpoint> checks;
};

} // namespace aft

#endif // AFT_COMPILER_KERNELS_SHAPES_H
