//===- ShapeCheck.h - Checks operands against named dimensions ------------===//
// A shape is written as a string of dimension letters ("BTd"). The first
// operand that has a static extent for a letter binds it; every later one must
// agree. A dynamic extent agrees with everything.

#ifndef AFT_DIALECT_IR_SHAPECHECK_H
#define AFT_DIALECT_IR_SHAPECHECK_H

#include "dialect/ir/AFT.h"

namespace aft {

class ShapeCheck {
public:
  /// Of values whose rank the operation leaves open; there are letters for as many.
  static constexpr int64_t kMostRank = 16;

  ShapeCheck(mlir::Operation *op, mlir::ValueRange inits) : op(op), inits(inits) {}

  /// Fails with an error on the operation when `value` (called `name` in the
  /// message) does not have the shape `dims`.
  mlir::LogicalResult shape(llvm::StringRef name, mlir::Value value, llvm::StringRef dims);

  /// The same for the results, or for the destinations of the memref form:
  /// there must be `shapes.size()` of them.
  mlir::LogicalResult results(llvm::ArrayRef<std::pair<llvm::StringRef, llvm::StringRef>> shapes);

  /// The value that stands for a result: in memref form its destination.
  mlir::Value result(unsigned index) const;

  /// The number of results, or of destinations in memref form.
  unsigned numResults() const { return op->getNumResults() ? op->getNumResults() : inits.size(); }

  /// All of `values` must have the element type of the first.
  mlir::LogicalResult sameElement(
      llvm::ArrayRef<std::pair<llvm::StringRef, mlir::Value>> values);

  /// The element type must be f32, f64 or bf16.
  mlir::LogicalResult floating(llvm::StringRef name, mlir::Value value);

  /// The element type must be that in which an operation on `like` accumulates.
  mlir::LogicalResult accumulation(llvm::StringRef name, mlir::Value value, mlir::Value like);

  /// A bias may be stored in the accumulation type too.
  mlir::LogicalResult bias(llvm::StringRef name, mlir::Value bias, mlir::Value like);

  /// The rank must lie in [least, kMostRank].
  mlir::LogicalResult rank(llvm::StringRef name, mlir::Value value, int64_t least);

  /// The element type must be an integer of one of the given widths.
  mlir::LogicalResult integer(llvm::StringRef name, mlir::Value value,
                              llvm::ArrayRef<unsigned> widths);

  /// Binds a letter to an extent that an attribute demands.
  void bind(char letter, int64_t extent, llvm::StringRef source);

  /// From here on extents of this letter must be static and at least 1.
  void fix(char letter) { fixed.push_back(letter); }

  /// The extent bound to a letter, or ShapedType::kDynamic.
  int64_t extent(char letter) const;

private:
  mlir::Operation *op;
  mlir::ValueRange inits;
  llvm::SmallDenseMap<char, std::pair<int64_t, std::string>> bound;
  std::string fixed;
};

/// The type in which an operation on this element type accumulates.
mlir::Type accumulationType(mlir::Type element);

} // namespace aft

#endif // AFT_DIALECT_IR_SHAPECHECK_H
