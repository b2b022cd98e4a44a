//===- Polynomial.cpp - Arithmetic on extents -----------------------------===//

#include "frontends/builder/Polynomial.h"

#include <algorithm>
#include <limits>
#include <numeric>

using namespace aft;

/// Saturates: extents this large are refused where a type is made.
static int64_t saturating(__int128 value) {
  constexpr int64_t most = std::numeric_limits<int64_t>::max();
  return value > most ? most : value < -most ? -most : static_cast<int64_t>(value);
}

void Polynomial::add(const Monomial &monomial, int64_t factor) {
  int64_t &entry = sum[monomial];
  entry = saturating(static_cast<__int128>(entry) + factor);
  if (entry == 0)
    sum.erase(monomial);
}

Polynomial Polynomial::symbol(int number) {
  Polynomial result;
  result.add({number}, 1);
  return result;
}

std::optional<int64_t> Polynomial::constant() const {
  if (sum.empty())
    return 0;
  if (sum.size() == 1 && sum.begin()->first.empty())
    return sum.begin()->second;
  return std::nullopt;
}

std::optional<int> Polynomial::symbol() const {
  if (sum.size() == 1 && sum.begin()->first.size() == 1 && sum.begin()->second == 1)
    return sum.begin()->first[0];
  return std::nullopt;
}

bool Polynomial::contains(int symbol) const {
  return std::any_of(sum.begin(), sum.end(), [&](const auto &term) {
    return std::binary_search(term.first.begin(), term.first.end(), symbol);
  });
}

Polynomial Polynomial::operator+(const Polynomial &other) const {
  Polynomial result = *this;
  for (const auto &[monomial, factor] : other.sum)
    result.add(monomial, factor);
  return result;
}

Polynomial Polynomial::operator-(const Polynomial &other) const {
  return *this + other * Polynomial(-1);
}

Polynomial Polynomial::operator*(const Polynomial &other) const {
  Polynomial result;
  for (const auto &[left, leftFactor] : sum)
    for (const auto &[right, rightFactor] : other.sum) {
      Monomial product(left.size() + right.size());
      std::merge(left.begin(), left.end(), right.begin(), right.end(), product.begin());
      result.add(product, saturating(static_cast<__int128>(leftFactor) * rightFactor));
    }
  return result;
}

/// Long division by the leading terms.
std::optional<Polynomial> Polynomial::dividedBy(const Polynomial &divisor) const {
  if (divisor.sum.empty())
    return std::nullopt;
  const auto &[leading, factor] = *divisor.sum.rbegin();
  Polynomial quotient, rest = *this;
  while (!rest.sum.empty()) {
    const auto &[monomial, restFactor] = *rest.sum.rbegin();
    if (restFactor % factor != 0 ||
        !std::includes(monomial.begin(), monomial.end(), leading.begin(), leading.end()))
      return std::nullopt;
    Polynomial term;
    Monomial difference;
    std::set_difference(monomial.begin(), monomial.end(), leading.begin(), leading.end(),
                        std::back_inserter(difference));
    term.add(difference, restFactor / factor);
    quotient = quotient + term;
    rest = rest - term * divisor;
  }
  return quotient;
}

bool Polynomial::hasRoot() const {
  int64_t constant = 0, divisor = 0;
  for (const auto &[monomial, factor] : sum)
    if (monomial.empty())
      constant = factor;
    else
      divisor = std::gcd(divisor, factor);
  return divisor == 0 ? constant == 0 : constant % divisor == 0;
}

Polynomial Polynomial::substitute(int symbol, const Polynomial &value) const {
  Polynomial result;
  for (const auto &[monomial, factor] : sum) {
    Polynomial product(factor);
    for (int number : monomial)
      product = product * (number == symbol ? value : Polynomial::symbol(number));
    result = result + product;
  }
  return result;
}
