//===- MixerTerms.h - The sums of a mixer in double -----------------------===//

#ifndef AFT_DIALECT_REFERENCE_MIXERTERMS_H
#define AFT_DIALECT_REFERENCE_MIXERTERMS_H

#include "dialect/ir/AFT.h"
#include "dialect/reference/Interpreter.h"

namespace aft {

/// exp(m) * (n, z): a numerator and a denominator relative to the largest
/// exponent seen. Empty: m = -inf.
struct Sums {
  double m = -std::numeric_limits<double>::infinity(), n = 0, z = 0;
  /// Adds exp(x) * (first, second); x = -inf adds nothing, whatever they are.
  void add(double x, double first, double second = 1);
  void add(const Sums &other) {
    if (other.z != 0 || other.n != 0 || std::isnan(other.m))
      addScaled(other.m, other.n, other.z);
  }
  double ratio() const { return z == 0 ? 0 : n / z; }
  double logz() const;

private:
  void addScaled(double x, double first, double second);
};

double gateOf(Gate gate, double q);
double gateDerivativeOf(Gate gate, double q);

/// Any mixer: who sees whom with which bias. Outside of a query's window the
/// bias is 0 and the keys stay visible.
class MixerView {
public:
  /// For an operation with operands q, k, v and perhaps a bias.
  static llvm::FailureOr<MixerView> make(mlir::Operation *op, const RTensor &q, const RTensor &k,
                                   const RTensor &v, const RTensor *bias,
                                   const RTensor *lengths);

  int64_t batches, queries, keys, channels, heads; ///< heads: channels but for conv
  bool causal = false;
  /// Whether biases inside the window depend on the batch (full) or head (conv).
  Gate gate;

  int64_t headOf(int64_t channel) const { return channel / (channels / heads); }
  double key(int64_t b, int64_t s, int64_t c) const {
    return k->reals[(b * keys + s) * heads + headOf(c)];
  }
  double value(int64_t b, int64_t s, int64_t c) const {
    return v->reals[(b * keys + s) * channels + c];
  }
  double query(int64_t b, int64_t t, int64_t c) const {
    return q->reals[(b * queries + t) * channels + c];
  }
  /// Keys from here on are hidden from all queries.
  int64_t visibleKeys(int64_t b) const;
  bool sees(int64_t b, int64_t t, int64_t s) const;
  /// Bias of a pair, and its place in the bias tensor (-1: outside).
  double bias(int64_t b, int64_t t, int64_t s, int64_t c) const {
    int64_t place = biasPlace(b, t, s, c);
    return place < 0 ? 0 : w->reals[place];
  }
  int64_t biasPlace(int64_t b, int64_t t, int64_t s, int64_t c) const;

  /// Where all pairs with a bias lie: keys [t - lo, t + hi]; all others have
  /// bias 0. Not for full and for grids, where every pair is looked at.
  bool isBanded = false;
  int64_t lo = 0, hi = 0;

private:
  int64_t convPlace(int64_t t, int64_t s, int64_t c) const;
  enum class Kind { Full, Local, Simple, Conv } kind = Kind::Simple;
  const RTensor *q, *k, *v, *w = nullptr, *lengths = nullptr;
  llvm::SmallVector<int64_t> grid;
};

} // namespace aft

#endif // AFT_DIALECT_REFERENCE_MIXERTERMS_H
