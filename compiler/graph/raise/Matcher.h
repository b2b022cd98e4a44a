//===- Matcher.h - One attempt to read a formula as that of a mixer ---------===//
// The sums (Match.cpp) give weights and values (Weights.cpp); which variable is what and who sees
// whom follows from these (Roles.cpp); what is left of the product is a gate or stays beside the
// mixer (Gates.cpp).

#ifndef AFT_COMPILER_GRAPH_RAISE_MATCHER_H
#define AFT_COMPILER_GRAPH_RAISE_MATCHER_H

#include "compiler/graph/raise/Match.h"

namespace aft::raise {

class Matcher {
public:
  Matcher(Formulas &formulas, Normalizer &normalizer, llvm::ArrayRef<int> vars, Product &product,
          Miss &miss)
      : formulas(formulas), normalizer(normalizer), vars(vars), product(product), miss(miss) {}
  bool run();
  MixerMatch mixer;

private:
  bool far(const llvm::Twine &reason) {
    miss = {reason.str(), false};
    return false;
  }
  bool near(const llvm::Twine &reason) {
    miss = {reason.str(), true};
    return false;
  }
  /// Those of the result.
  Vars allVars() const {
    Vars all = 0;
    for (int var : vars)
      all |= Vars(1) << var;
    return all;
  }
  void cancelTotals();
  bool areAlike(const Total &a, const Total &b) const;
  bool refuseLoose();
  bool hidesDenominator() const;
  bool takeTotals();
  bool hidesOutside() const;
  bool holdsAlways(const Inequality &mask) const;
  bool takeTerms(Product above, Product below);
  bool isStraight(const Product &above, const Product &below) const;
  void takeConditions(Product &above, Product &below);
  void expandFactors(Product &above);
  void takeScaled(Product &above, Product &below);
  void takePositive(Product &above, Product &below);
  bool refuseFactor(Expr factor);
  bool takeRoles();
  bool takePlaces();
  bool takeAsExponent(const Inequality &mask);
  bool takeMasks();
  bool takeGroups(Vars biasVars, Vars others);
  bool refuseChannels();
  bool takeHeads();
  bool takeAdded();
  void takeRest();
  bool takeGate(const Power &factor);

  Formulas &formulas;
  Normalizer &normalizer;
  llvm::ArrayRef<int> vars;
  Product &product;
  Miss &miss;
  llvm::SmallVector<int> keys; ///< what the sums run over
  llvm::SmallVector<Inequality> masks;
  Miss noFilter; ///< why it is no convolution
};

} // namespace aft::raise

#endif // AFT_COMPILER_GRAPH_RAISE_MATCHER_H
