//===- Product.h - The normal form of what a mixer is made of -------------===//
// number * exp(sum of exponents) * factors * sums, where masks hold; else 0.
// What a sum's variable does not occur in is moved out of the sum, so that
// maxima that were subtracted before the exponential cancel in N/Z.

#ifndef AFT_COMPILER_GRAPH_RAISE_PRODUCT_H
#define AFT_COMPILER_GRAPH_RAISE_PRODUCT_H

#include "compiler/graph/raise/Expression.h"

#include <memory>

namespace aft::raise {

/// sum of coefficient * variable + sum of coefficient * value + number <= 0
struct Inequality {
  llvm::SmallVector<std::pair<int, int64_t>, 2> vars; ///< by variable, no zeros
  llvm::SmallVector<std::pair<Expr, int64_t>, 1> values;
  int64_t number = 0;

  Inequality negated() const;
  bool operator==(const Inequality &other) const;
  Inequality renamed(Formulas &formulas, int from, int to) const;
  int64_t of(int var) const;
  /// The sum of both sides that are below 0, the other one times `sign`.
  Inequality plus(const Inequality &other, int64_t sign) const;
};
using Mask = llvm::SmallVector<Inequality, 2>; ///< all of them

struct Power {
  Expr base;
  int power;
  Expr origin = nullptr; ///< of what base is a view or a copy
  Mask where = {};       ///< of an exponent: elsewhere it is 0
  Expr identity() const { return origin ? origin : base; }
  /// Whether they are the same but for the power.
  bool isLike(const Power &other) const;
  Power renamed(Formulas &formulas, int from, int to) const;
};

struct Product;
struct Total {
  llvm::SmallVector<int, 2> vars; ///< outermost first
  int power;
  llvm::SmallVector<mlir::Operation *, 2> ops; ///< what computes it
  std::shared_ptr<Product> term;
};

/// A number that is added to a denominator of sums: number * exp(-beside).
struct Added {
  double number;
  llvm::SmallVector<Power, 2> beside;
};

/// A number that is added to a denominator, or bounds it, and is no weight; or another function
/// of a weighted sum.
struct LooseNumber {
  mlir::Operation *op = nullptr; ///< what does so; null: there is none
  double number = 0;
  bool isDropped = false; ///< as `dropSmall` allows

  explicit operator bool() const { return op; }
};

struct Product {
  double number = 1;
  double shift = 0; ///< of the exponents
  llvm::SmallVector<Power, 4> factors;
  llvm::SmallVector<Power, 4> exponents; ///< with coefficients
  llvm::SmallVector<Inequality, 2> masks;
  llvm::SmallVector<Total, 2> totals;
  std::optional<Added> added; ///< to what is left of the only total below
  bool severalAdded = false;  ///< or not in a way that is understood
  LooseNumber loose;

  void times(const Product &other, int power = 1);
  /// With another variable; totals are left out.
  Product renamed(Formulas &formulas, int from, int to) const;
  bool isNumber() const {
    return factors.empty() && exponents.empty() && masks.empty() && totals.empty();
  }
  /// Whether there are exponentials or masks outside of sums.
  bool isWeight() const { return !exponents.empty() || !masks.empty(); }
  /// Whether there are weighted sums: others, such as projections, are values
  /// like any.
  bool hasWeights() const {
    return llvm::any_of(totals, [](const Total &total) {
      return total.term->isWeight() || total.term->hasWeights();
    });
  }
};

/// Adds to the power of the same, where it is there.
void addPower(llvm::SmallVectorImpl<Power> &list, const Power &more);
/// Whether all of `b` are in `a`.
bool covers(llvm::ArrayRef<Inequality> a, llvm::ArrayRef<Inequality> b);
/// What `list` has beyond `other`; nothing where it lacks some.
std::optional<llvm::SmallVector<Power>> difference(llvm::ArrayRef<Power> list,
                                                   llvm::ArrayRef<Power> other);

bool isSame(llvm::ArrayRef<Power> a, llvm::ArrayRef<Power> b);

/// Brings formulas into the normal form. `rootVars`: the variables at which the
/// result is read. `dropSmall`: a small number added to a
/// denominator is left out.
class Normalizer {
public:
  /// What is added to a denominator, or bounds it, counts as small up to here.
  static constexpr double kSmall = 1e-3;

  Normalizer(Formulas &formulas, Vars rootVars, bool dropSmall)
      : formulas(formulas), rootVars(rootVars), dropSmall(dropSmall) {}

  Product product(Expr e) {
    Product result;
    multiply(e, 1, result);
    return result;
  }
  /// What an element is computed as; where that is not known, itself.
  Expr definitionOf(Expr e);
  std::optional<double> number(Expr e) { return numberOf(definitionOf(e)); }
  Expr scaled(Expr e, double factor) { return formulas.scaled(e, factor); }
  /// The last tensor that an element is known to be of.
  Expr originOf(Expr e);
  Expr element(mlir::Value tensor, Place place) { return formulas.element(tensor, place); }
  /// The condition of a number that is 1 where it holds, else 0, and that says nothing of
  /// places; with whether it is to hold.
  std::optional<std::pair<Expr, bool>> conditionOf(Expr e);
  /// What it says of places that a condition holds, or does not.
  std::optional<Mask> mask(Expr condition, bool holds = true);
  /// The same of a number that is surely 0 or 1: where it is 1, or 0.
  std::optional<Mask> zeroOne(Expr e, bool holds = true);
  /// Whether it is surely above 0, or at least 0.
  bool isPositive(Expr e, bool orZero = false);
  /// Its logarithm, of the exponentials that it is made of where they can be read: what
  /// overflows is not formed.
  Expr logOf(Expr e) { return formulas.log(spelledOut(e)); }
  /// The exponent of nan_to_num(exp(e)): -inf where e is NaN, and bounded where exp(e) is. Null:
  /// it is something else.
  Expr cleanedExponent(Expr e);
  /// Why what stands under an exponential is neither key nor bias; empty where that is not known.
  std::string whyJoined(Expr exponent, int query);
  /// An integer, or a float that is surely one, as a linear formula.
  std::optional<Inequality> linear(Expr e);

private:
  /// Definitions are followed this deep.
  static constexpr int kDepth = 64;
  void multiply(Expr e, int power, Product &product);
  void multiplyElement(Expr e, int power, Product &product);
  bool multiplySelect(Expr e, Product &product);
  bool multiplyChoice(Expr condition, bool holds, Expr kept, Product &product);
  void multiplySum(Expr e, int power, Product &product);
  bool turnAround(llvm::SmallVectorImpl<int> &vars, Product &all);
  Expr withoutNumbers(Expr e, LooseNumber &added);
  bool multiplyAdded(Expr e, int power, Product &product);
  bool multiplyBounded(Expr e, int power, Product &product);
  void noteCovered(Expr e, int power, Product &product);
  bool multiplyPower(Expr e, int power, Product &product);
  Expr spelledOut(Expr e);
  Expr spelled(Expr e);
  bool neverBelow(const Product &sum, double bound);
  bool multiplyWindow(Expr e, int power, Product &product);
  std::optional<Product> windowed(const Product &window, const Product &all);
  void addExponent(Expr e, int coefficient, Product &product, double scale = 1);
  bool hides(std::optional<double> number, const std::optional<Mask> &shown);
  bool addMaskedExponent(Expr e, int coefficient, Product &product, double scale);
  std::optional<std::pair<Expr, double>> timesNumber(Expr e);
  bool separates(Expr e);
  bool isMaximum(Expr e);
  std::optional<Inequality> linearFloat(Expr e);
  std::optional<Inequality> linearProduct(Expr e);
  std::optional<Mask> belowAll(Expr e, Expr limit, bool orEqual);
  std::optional<Mask> comparison(Expr e, bool holds);
  std::optional<Mask> floatComparison(Expr e, bool holds);
  std::optional<Mask> choiceComparison(Expr e, bool holds);
  std::optional<Mask> placeComparison(Expr e, bool holds);
  std::optional<Mask> truth(Expr e, bool holds);

  Formulas &formulas;
  Vars rootVars;
  bool dropSmall;
  Vars summed = 0; ///< over what the sums around run
  int depth = 0;
};

/// Follows copies, transposes, views and casts. `value` is the last tensor on
/// the way that is read at plain variables, `origin` the last one, `definition` what
/// that is made of; null where that is not known.
struct Followed {
  Expr value, definition, origin;
};
Followed follow(Formulas &formulas, Expr e);

} // namespace aft::raise

#endif // AFT_COMPILER_GRAPH_RAISE_PRODUCT_H
