//===- Emitter.h - Makes tensors of formulas -------------------------------===//

#ifndef AFT_COMPILER_GRAPH_RAISE_EMITTER_H
#define AFT_COMPILER_GRAPH_RAISE_EMITTER_H

#include "compiler/graph/raise/Match.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"

namespace aft::raise {

/// Makes tensors of formulas, before the operation that is replaced.
class Emitter {
public:
  Emitter(Formulas &formulas, mlir::RewriterBase &rewriter, mlir::Operation *root)
      : formulas(formulas), rewriter(rewriter), loc(root->getLoc()),
        result(mlir::getElementTypeOrSelf(root->getResult(0).getType())), element(result) {}

  mlir::OpFoldResult extent(int var) const {
    if (!mlir::ShapedType::isDynamic(formulas.staticExtent(var)))
      return rewriter.getIndexAttr(formulas.staticExtent(var));
    auto [tensor, dim] = formulas.home(var);
    return mlir::tensor::getMixedSize(rewriter, loc, tensor, dim);
  }
  mlir::RankedTensorType typeOf(llvm::ArrayRef<int> order) const {
    llvm::SmallVector<int64_t> shape;
    for (int var : order)
      shape.push_back(formulas.staticExtent(var));
    return mlir::RankedTensorType::get(shape, element);
  }
  mlir::Value empty(llvm::ArrayRef<int> order, mlir::Type type) {
    llvm::SmallVector<mlir::OpFoldResult> sizes;
    for (int var : order)
      sizes.push_back(extent(var));
    return rewriter.create<mlir::tensor::EmptyOp>(loc, sizes, type);
  }
  /// The product, or where `adds` the sum, of the terms over these loops.
  mlir::Value tensor(llvm::ArrayRef<Power> terms, bool adds, double number,
                     llvm::ArrayRef<int> order);
  /// Whether it can.
  bool canWrite(llvm::ArrayRef<Power> terms);
  /// Takes the type that loses nothing of what the mixer reads.
  void chooseElement(const MixerMatch &match);
  /// The groups of dimensions as one dimension each; an empty one as extent 1.
  mlir::Value grouped(mlir::Value value, llvm::ArrayRef<llvm::SmallVector<int>> groups);
  mlir::Value ungrouped(mlir::Value value, llvm::ArrayRef<llvm::SmallVector<int>> groups);
  mlir::Value zeros(mlir::RankedTensorType type, llvm::ArrayRef<mlir::OpFoldResult> sizes);

  Formulas &formulas;
  mlir::RewriterBase &rewriter;
  mlir::Location loc;
  mlir::Type result;  ///< of what is replaced
  mlir::Type element; ///< of the tensors that are made

private:
  using Body = llvm::function_ref<mlir::Value(mlir::OpBuilder &, mlir::ValueRange)>;
  /// A tensor over these loops of numbers that follow from the elements.
  mlir::Value generic(llvm::ArrayRef<Expr> elements, llvm::ArrayRef<int> order, mlir::Type type,
                      Body body);
  Expr plain(Expr e);
  Expr apart(Expr e);
  Expr withRows(Expr e, llvm::ArrayRef<int> order);
  Expr rowOf(Expr lookup, llvm::ArrayRef<int> order);
  bool collect(Expr e, llvm::SmallVectorImpl<Expr> &elements);
  mlir::Value scalar(mlir::OpBuilder &builder, Expr e, llvm::ArrayRef<Expr> elements,
                     mlir::ValueRange arguments, llvm::ArrayRef<int> order);
  mlir::Value logarithm(mlir::OpBuilder &builder, Expr e, llvm::ArrayRef<Expr> elements,
                        mlir::ValueRange arguments, llvm::ArrayRef<int> order);
  mlir::Value combined(mlir::OpBuilder &builder, llvm::ArrayRef<Power> terms, bool adds,
                       double number, llvm::ArrayRef<Expr> elements, mlir::ValueRange arguments,
                       llvm::ArrayRef<int> order);
};

/// With the extents of 1 of a type, and of that type.
mlir::Value shaped(Emitter &emitter, mlir::Value value, mlir::RankedTensorType wanted);

} // namespace aft::raise

#endif // AFT_COMPILER_GRAPH_RAISE_EMITTER_H
