//===- Match.h - Whether a formula is that of a mixer ---------------------===//

#ifndef AFT_COMPILER_GRAPH_RAISE_MATCH_H
#define AFT_COMPILER_GRAPH_RAISE_MATCH_H

#include "compiler/graph/raise/Product.h"
#include "dialect/ir/AFT.h"
#include "llvm/ADT/SmallVectorExtras.h"

namespace aft::raise {

/// A bias that depends on the distance of key and query alone, as a filter: what it is at
/// a tap, and what `key` and `query` stand for there.
struct Filter {
  struct Axis {
    int query, key, tap;
    int64_t first, last; ///< key - query at the first and at the last tap
  };
  llvm::SmallVector<Axis, 3> axes; ///< outermost first
  llvm::SmallVector<int> heads;    ///< the channels that keys or the filter depend on
  /// The extents of a grid along which one query and one key run row by row: those of all axes.
  llvm::SmallVector<int64_t, 2> grid;

  llvm::SmallVector<int> queries() const {
    if (!grid.empty())
      return {axes[0].query};
    return llvm::map_to_vector(axes, [](const Axis &axis) { return axis.query; });
  }
  llvm::SmallVector<int> keys() const {
    if (!grid.empty())
      return {axes[0].key};
    return llvm::map_to_vector(axes, [](const Axis &axis) { return axis.key; });
  }
};

/// rest * g(q) * sum of exp(key + bias) * value / sum of exp(key + bias)
struct MixerMatch {
  llvm::SmallVector<int> batch, channels; ///< variables, outermost first
  int query = -1, key = -1;
  /// Those of aft.simple on a grid beside the outermost.
  llvm::SmallVector<int, 2> innerQueries, innerKeys;
  /// Of aft.conv; `bias` is then what its taps are made of.
  std::optional<Filter> filter;
  llvm::SmallVector<int> queries() const {
    llvm::SmallVector<int> all = filter ? filter->queries() : llvm::SmallVector<int>{query};
    all.append(innerQueries);
    return all;
  }
  llvm::SmallVector<int> positions() const {
    llvm::SmallVector<int> all = filter ? filter->keys() : llvm::SmallVector<int>{key};
    all.append(innerKeys);
    return all;
  }
  /// Exponents with coefficients, and the factors of the values.
  llvm::SmallVector<Power, 2> keys, bias, values;
  bool causal = false;
  bool fromEnd = false; ///< later keys are seen, not earlier ones
  /// Where the bias is 0 unless |t - t'| < window; 0: not known to be.
  int64_t window = 0;
  /// Where that bias is beside its band the sum over `rank` of left * right.
  std::shared_ptr<Product> left, right;
  int rank = -1;
  /// Of which each number is a mixer of its own; -1: none.
  int head = -1;
  Expr lengths = nullptr;
  Gate gate = Gate::none;
  Expr gated = nullptr;
  double number = 1;
  llvm::SmallVector<Power, 2> rest;
  std::optional<double> added; ///< to the denominator
  /// What computes numerator and denominator, and what loses a small number.
  llvm::SmallVector<mlir::Operation *, 2> sums;
  llvm::SmallVector<mlir::Operation *, 2> cancelled; ///< sums that divide both
  mlir::Operation *smallAdded = nullptr;
  std::string note; ///< why it is no convolution though it looks like one
};

/// Why something is not raised. `near`: it looks like a mixer, so that the
/// reason is worth telling.
struct Miss {
  std::string reason;
  bool near = false;
};

/// `vars`: those of the result, outermost first.
std::optional<MixerMatch> matchMixer(Formulas &formulas, Normalizer &normalizer,
                                     llvm::ArrayRef<int> vars, Product product, Miss &miss);

/// A bias as another one where a mask holds, 0 elsewhere.
struct Masked {
  Expr inner;
  Mask mask;
};
std::optional<Masked> masked(Normalizer &normalizer, Expr e);

/// What a mixer's sums run over, and who may see whom.
struct Sums {
  llvm::ArrayRef<int> results; ///< variables of the result
  llvm::ArrayRef<int> keys;
  llvm::ArrayRef<Inequality> masks;
};
/// Reads keys, values and masks as those of aft.conv; false with a reason where they
/// are not.
bool findFilter(Formulas &formulas, Normalizer &normalizer, const Sums &sums, MixerMatch &mixer,
                Miss &miss);

/// The same formula at one tap of each axis; null where it depends on more than
/// the distances of keys and queries.
Expr atTaps(Formulas &formulas, Normalizer &normalizer, llvm::ArrayRef<Filter::Axis> axes, Expr e);

/// The same where keys and queries lie on a grid row by row, and constants tell of what pairs
/// which number; then the filter has two axes. `made`: constants that the formula reads.
Expr atGridTaps(Formulas &formulas, Normalizer &normalizer, Filter &filter, Expr e,
                llvm::SmallVectorImpl<mlir::Operation *> &made);

/// The least and the largest value.
using Interval = std::pair<int64_t, int64_t>;
/// What an integer may be, made of what `leaf` knows; nothing where that does not tell.
std::optional<Interval> rangeOf(Normalizer &normalizer, Expr e,
                                llvm::function_ref<std::optional<Interval>(Expr)> leaf);

/// The same formula of other operands; null where one of them is, or where it is no computation.
Expr withOperands(Formulas &formulas, Expr e, llvm::function_ref<Expr(Expr)> made);

/// Which of the variables are the channels where nothing else tells: those of the last dimension
/// in the values' own order, where they lie side by side.
Vars lastOf(Expr value, llvm::ArrayRef<int> vars);

/// Sets the window, and the sides of a product, where the bias is a band.
void findBand(Formulas &formulas, Normalizer &normalizer, MixerMatch &mixer);

} // namespace aft::raise

#endif // AFT_COMPILER_GRAPH_RAISE_MATCH_H
