//===- Polynomial.h - Extents as expressions over dynamic extents ---------===//
// Sums of products of symbols with integer factors, in a normal form: equal
// expressions compare equal, so that B*T is known to split into B and T.

#ifndef AFT_BUILDER_POLYNOMIAL_H
#define AFT_BUILDER_POLYNOMIAL_H

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace aft {

class Polynomial {
public:
  /// A product of symbols, sorted; empty: 1.
  using Monomial = std::vector<int>;
  /// By degree first, so that multiplying keeps the order.
  struct Less {
    bool operator()(const Monomial &a, const Monomial &b) const {
      return a.size() != b.size() ? a.size() < b.size() : a < b;
    }
  };
  using Terms = std::map<Monomial, int64_t, Less>;

  Polynomial(int64_t constant = 0) { add({}, constant); }
  static Polynomial symbol(int number);

  const Terms &terms() const { return sum; }
  std::optional<int64_t> constant() const;
  bool is(int64_t value) const { return constant() == value; }
  /// The number of a symbol that stands alone.
  std::optional<int> symbol() const;
  bool contains(int symbol) const;

  Polynomial operator+(const Polynomial &other) const;
  Polynomial operator-(const Polynomial &other) const;
  Polynomial operator*(const Polynomial &other) const;
  /// The quotient if there is no remainder.
  std::optional<Polynomial> dividedBy(const Polynomial &divisor) const;
  /// False where no integers make it zero, for its factors have a divisor that its
  /// constant lacks.
  bool hasRoot() const;
  Polynomial substitute(int symbol, const Polynomial &value) const;

  bool operator==(const Polynomial &other) const { return sum == other.sum; }
  bool operator!=(const Polynomial &other) const { return sum != other.sum; }
  bool operator<(const Polynomial &other) const { return sum < other.sum; }

private:
  void add(const Monomial &monomial, int64_t factor);
  Terms sum; ///< no zero factors
};

} // namespace aft

#endif // AFT_BUILDER_POLYNOMIAL_H
