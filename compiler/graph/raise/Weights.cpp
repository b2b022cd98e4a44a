//===- Weights.cpp - Factors that are weights ------------------------------===//

#include "compiler/graph/raise/Matcher.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <limits>

using namespace mlir;
using namespace aft;
using namespace aft::raise;

/// Weights that are 0 where a condition does not hold have -inf there in the exponent.
void Matcher::takeConditions(Product &above, Product &below) {
  for (const Power &factor : SmallVector<Power, 4>(below.factors)) {
    std::optional<std::pair<Expr, bool>> condition = normalizer.conditionOf(factor.base);
    auto alike = [&](const Power &p) { return p.isLike(factor) && p.power == factor.power; };
    if (!condition || factor.power < 1 || llvm::none_of(above.factors, alike))
      continue;
    double hidden = -std::numeric_limits<double>::infinity();
    auto [holds, isTrue] = *condition;
    Expr exponent = formulas.choice(holds, isTrue ? 0 : hidden, isTrue ? hidden : 0);
    for (Product *side : {&above, &below}) {
      llvm::erase_if(side->factors, alike);
      side->exponents.push_back({exponent, 1});
    }
  }
}

/// The factors of what is itself a product.
void Matcher::expandFactors(Product &above) {
  for (const Power &factor : SmallVector<Power, 4>(above.factors)) {
    Expr definition = normalizer.definitionOf(factor.base);
    if (factor.power != 1 || !is<arith::MulFOp>(definition))
      continue;
    Product own = normalizer.product(definition);
    if (own.isWeight() || !own.totals.empty())
      continue;
    llvm::erase_if(above.factors, [&](const Power &p) { return p.isLike(factor); });
    above.times(own);
  }
}

/// Weights that are divided by what they sum to, or by its root: what is the same for all keys
/// cancels.
void Matcher::takeScaled(Product &above, Product &below) {
  auto isScale = [&](const Power &each) {
    return llvm::none_of(keys, [&](int key) { return has(each.base, key); });
  };
  for (const Power &factor : SmallVector<Power, 4>(below.factors)) {
    Expr definition = normalizer.definitionOf(factor.base);
    auto alike = [&](const Power &p) { return p.isLike(factor) && p.power == factor.power; };
    if (factor.power != 1 || llvm::none_of(above.factors, alike) ||
        (!is<arith::DivFOp>(definition) && !is<arith::MulFOp>(definition)))
      continue;
    Product own = normalizer.product(definition);
    if (own.isWeight() || !own.totals.empty() || own.number != 1 ||
        llvm::count_if(own.factors, isScale) + 1 != static_cast<int64_t>(own.factors.size()))
      continue;
    llvm::erase_if(own.factors, isScale);
    for (Product *side : {&above, &below}) {
      llvm::erase_if(side->factors, alike);
      side->times(own);
    }
  }
}

/// Weights that are positive without being exponentials are those of their logarithms.
void Matcher::takePositive(Product &above, Product &below) {
  if (!below.factors.empty())
    expandFactors(above);
  for (const Power &factor : SmallVector<Power, 4>(below.factors)) {
    auto alike = [&](const Power &p) { return p.isLike(factor) && p.power == factor.power; };
    if (factor.power < 1 || llvm::none_of(above.factors, alike))
      continue;
    Expr logarithm = formulas.logOfTable(factor.identity());
    if (!logarithm)
      logarithm = normalizer.cleanedExponent(factor.base);
    if (!logarithm && normalizer.isPositive(factor.base))
      logarithm = normalizer.logOf(factor.base);
    if (!logarithm)
      continue;
    for (Product *side : {&above, &below}) {
      llvm::erase_if(side->factors, alike);
      side->exponents.push_back({logarithm, factor.power});
    }
  }
}

/// Why a factor of the weights is not taken.
bool Matcher::refuseFactor(Expr factor) {
  if (is<math::PowFOp>(normalizer.definitionOf(factor)))
    return near("a factor of the weights is a power whose base may be negative: exp, sigmoid, "
                "abs or a constant is not");
  auto argument =
      factor->kind == Kind::Element ? dyn_cast<BlockArgument>(factor->tensor) : BlockArgument();
  return near("a factor of the weights is neither an exponential nor a mask that is known" +
              (argument ? ": argument " + Twine(argument.getArgNumber()) +
                              " may hold any numbers; a bool hides keys, or -inf in the bias"
                        : Twine()));
}
