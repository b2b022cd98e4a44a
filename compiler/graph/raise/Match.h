//===- Match.h - Whether a formula is that of a mixer ---------------------===//

#ifndef AFT_COMPILER_GRAPH_RAISE_MATCH_H
#define AFT_COMPILER_GRAPH_RAISE_MATCH_H

#include "compiler/graph/raise/Product.h"
#include "dialect/ir/AFT.h"

namespace aft::raise {

/// rest * g(q) * sum of exp(key + bias) * value / sum of exp(key + bias)
struct MixerMatch {
  llvm::SmallVector<int> batch, channels; ///< variables, outermost first
  int query = -1, key = -1;
  /// Exponents with coefficients, and the factors of the values.
  llvm::SmallVector<Power, 2> keys, bias, values;
  bool causal = false;
  /// Where the bias is 0 unless |t - t'| < window; 0: not known to be.
  int64_t window = 0;
  /// Where that bias is beside its band the sum over `rank` of left * right.
  std::shared_ptr<Product> left, right;
  int rank = -1;
  Expr lengths = nullptr;
  Gate gate = Gate::none;
  Expr gated = nullptr;
  double number = 1;
  llvm::SmallVector<Power, 2> rest;
  /// What computes numerator and denominator, and what loses a small number.
  llvm::SmallVector<mlir::Operation *, 2> sums;
  mlir::Operation *smallAdded = nullptr;
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

/// Sets the window, and the sides of a product, where the bias is a band.
void findBand(Formulas &formulas, Normalizer &normalizer, MixerMatch &mixer);

} // namespace aft::raise

#endif // AFT_COMPILER_GRAPH_RAISE_MATCH_H
