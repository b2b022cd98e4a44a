//===- Expression.h - Numbers that depend on extents ----------------------===//
// A size, an offset or a count of operations is known only once the dynamic
// extents are. An expression over symbols s0, s1, … stands for it until then:
// in reports, which outlive the MLIR context that values and maps belong to.

#ifndef AFT_COMPILER_REPORT_EXPRESSION_H
#define AFT_COMPILER_REPORT_EXPRESSION_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/JSON.h"

#include <memory>
#include <optional>
#include <vector>

namespace aft {

/// A value: constants are folded when expressions are made. A null expression
/// stands for what is not known, and so does all that is made of one.
class Expression {
public:
  enum class Kind { Constant, Symbol, Add, Multiply, FloorDivide, CeilDivide, Modulo, Min, Max };

  Expression() = default;
  Expression(int64_t constant);
  static Expression symbol(unsigned number);
  static Expression make(Kind kind, const Expression &left, const Expression &right);

  bool known() const { return node != nullptr; }
  std::optional<int64_t> constant() const;

  /// The value where symbol i is symbols[i]; nothing where the expression is
  /// null, a symbol is missing, or a divisor is 0.
  std::optional<double> evaluate(llvm::ArrayRef<double> symbols) const;
  /// With an expression in the place of each symbol.
  Expression replaceSymbols(llvm::ArrayRef<Expression> replacements) const;
  /// The numbers of the symbols in it are set in `used`.
  void collectSymbols(std::vector<bool> &used) const;

  /// null, a number, "s0", or [operator, left, right] with the operators + * //
  /// ceil % min max.
  llvm::json::Value toJSON() const;
  /// Reads the same back; null where it is something else.
  static Expression fromJSON(const llvm::json::Value &value);

private:
  struct Node;
  explicit Expression(std::shared_ptr<const Node> node) : node(std::move(node)) {}
  std::shared_ptr<const Node> node;
};

Expression operator+(const Expression &left, const Expression &right);
Expression operator-(const Expression &left, const Expression &right);
Expression operator*(const Expression &left, const Expression &right);
Expression floorDivide(const Expression &left, const Expression &right);
Expression ceilDivide(const Expression &left, const Expression &right);
Expression min(const Expression &left, const Expression &right);
Expression max(const Expression &left, const Expression &right);

} // namespace aft

#endif // AFT_COMPILER_REPORT_EXPRESSION_H
