//===- Distances.h - Constants that hold a number per distance -------------===//
// Who exports a program often folds distances, and what follows from them, to tables:
// -|t - t'| / T, or decay ** (t - t') with zeros behind the query. A table of which each number
// follows from how far two of its places are apart is written as what it was computed from, a
// mask around numbers that are looked up by distance, for as long as mixers are raised.

#ifndef AFT_COMPILER_GRAPH_RAISE_DISTANCES_H
#define AFT_COMPILER_GRAPH_RAISE_DISTANCES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinAttributes.h"

#include <memory>
#include <optional>
#include <vector>

namespace aft::raise {

/// The numbers of a constant, row by row; nothing where they are all the same, too many, or none
/// that a double tells apart.
std::optional<std::vector<double>> numbersOf(mlir::DenseElementsAttr table);
mlir::DenseElementsAttr tableOf(mlir::RankedTensorType type, llvm::ArrayRef<double> numbers);

class DistanceTables {
public:
  explicit DistanceTables(mlir::func::FuncOp function);
  ~DistanceTables();

  /// What to read in place of a table that is a factor of weights: where it is 0 behind the query
  /// it is masked, another 0 is a number like any. Null: the value is no such table.
  mlir::Value asWeights(mlir::Value value) const;
  /// The logarithms of what is looked up; null where one of the numbers has none. 0 has -inf.
  mlir::Value logarithms(mlir::Value value);
  /// Puts the constants back, wherever they are still read.
  void restore(mlir::RewriterBase &rewriter);

private:
  struct Table;
  std::vector<std::unique_ptr<Table>> tables;
};

} // namespace aft::raise

#endif // AFT_COMPILER_GRAPH_RAISE_DISTANCES_H
