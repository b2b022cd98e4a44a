//===- Recurrence.h - Mixers written step by step ---------------------------===//
// A loop over time that carries a numerator and a denominator, each faded and added to at
// every step, comes unrolled: an operation or two per step and line, the rows joined at the
// end. Each row is then a weighted sum of all earlier values, and where its weights depend on
// the distance alone, that of a causal aft.conv with a tap for each step.

#ifndef AFT_COMPILER_GRAPH_RAISE_RECURRENCE_H
#define AFT_COMPILER_GRAPH_RAISE_RECURRENCE_H

#include "compiler/graph/raise/Emit.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <deque>
#include <map>

namespace aft::raise {

/// sum of coefficient * atom + number
struct Exponent {
  std::map<int, double> atoms;
  double number = 0;

  Exponent plus(const Exponent &other, double factor) const;
  /// Equal but for rounding.
  bool isClose(const Exponent &other) const;
};

/// number * exp(outside) * core
struct Weighted {
  enum class Core { Zero, One, Value, Sum };
  double number = 1;
  Exponent outside;
  Core core = Core::One;
  int id = -1; ///< the atom of a value, or which sum
};

/// What an element is: as an exponent, as a weighted sum, and as one over another.
struct Form {
  Exponent linear;
  Weighted weighted;
  std::optional<std::pair<Weighted, Weighted>> ratio;
};

/// One key's part of a row.
struct WeightedValue {
  Exponent exponent;
  double number;
  int value; ///< an atom; -1: 1
};

/// Reads elements as weighted sums. What it cannot take apart is an atom.
class RecurrenceReader {
public:
  explicit RecurrenceReader(Formulas &formulas)
      : formulas(formulas), normalizer(formulas, 0, false) {}
  const Form &read(Expr element);
  /// The terms of a sum; of a denominator without values, which are weights like others there.
  void flatten(const Weighted &sum, llvm::SmallVectorImpl<WeightedValue> &values,
               bool isDenominator);
  Expr atom(int id) const { return atoms[id]; }
  /// What computes sums of several terms.
  llvm::SetVector<mlir::Operation *> states;

private:
  int atomOf(Expr e);
  Form asAtom(Expr e);
  void simplify(Expr e, Form &form);
  std::optional<Form> scalar(Expr e);
  Form operand(Expr e);
  std::optional<Form> binary(Expr e);
  std::optional<Weighted> added(const Weighted &a, const Weighted &b, double sign);
  std::optional<Weighted> faded(const Weighted &decay, const Weighted &state);
  std::optional<int> logarithmOf(int atom);

  Formulas &formulas;
  Normalizer normalizer;
  std::vector<Expr> atoms;
  llvm::DenseMap<int, int> logarithms; ///< of atoms that are not negative
  llvm::DenseMap<mlir::Value, llvm::SmallVector<int, 2>> atomsOf;
  std::deque<Form> forms;
  llvm::DenseMap<mlir::Value, llvm::SmallVector<std::pair<Place, const Form *>, 1>> known;
  std::vector<llvm::SmallVector<Weighted, 2>> sums;
};

/// The dimension along which an operation may put rows together, or write one.
std::optional<int64_t> rowsAlong(mlir::Operation *root);
/// What the rows along `dim` are read from, one by one, at the other places of `place`; `joins`
/// gets the operations that put them together.
llvm::SmallVector<Expr> findRows(Formulas &formulas, mlir::Operation *root, const Place &place,
                                 int64_t dim, llvm::DenseSet<mlir::Operation *> &joins);

/// Replaces rows that are joined along a dimension by a mixer; `seen` gets the operations that
/// were looked at.
mlir::LogicalResult raiseRecurrence(mlir::RewriterBase &rewriter, mlir::Operation *root,
                                    llvm::DenseSet<mlir::Operation *> &seen,
                                    mlir::Operation *&mixer, Miss &miss);

} // namespace aft::raise

#endif // AFT_COMPILER_GRAPH_RAISE_RECURRENCE_H
