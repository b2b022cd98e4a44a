//===- Match.cpp - Whether a formula is that of a mixer -------------------===//

#include "compiler/graph/raise/Matcher.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/Support/Format.h"

#include <cmath>

using namespace mlir;
using namespace aft;
using namespace aft::raise;

bool Matcher::areAlike(const Total &a, const Total &b) const {
  if (a.vars.size() != b.vars.size() || !a.term->totals.empty() || !b.term->totals.empty())
    return false;
  Product other = *b.term;
  for (auto [own, from] : llvm::zip(a.vars, b.vars)) {
    if (!formulas.sameExtent(own, from))
      return false;
    other = other.renamed(formulas, from, own);
  }
  const Product &term = *a.term;
  return term.number == other.number && term.shift == other.shift &&
         isSame(term.factors, other.factors) && isSame(term.exponents, other.exponents) &&
         covers(term.masks, other.masks) && covers(other.masks, term.masks);
}

/// What divides numerator and denominator, as of a bias that is a softmax itself.
void Matcher::cancelTotals() {
  SmallVector<Total, 2> &totals = product.totals;
  for (size_t i = 0; i < totals.size(); ++i)
    for (size_t j = i + 1; j < totals.size(); ++j)
      if (totals[i].power == -totals[j].power && areAlike(totals[i], totals[j])) {
        mixer.cancelled.append(totals[i].ops);
        totals.erase(totals.begin() + j);
        totals.erase(totals.begin() + i--);
        break;
      }
}

/// Why a number below the sums is neither a weight nor left out, or another function of them.
bool Matcher::refuseLoose() {
  const LooseNumber &loose = product.loose;
  bool isAdded = isa<arith::AddFOp>(loose.op), isSmall = loose.number <= Normalizer::kSmall;
  if (isa<arith::MinimumFOp, arith::MinNumFOp>(loose.op))
    return near("expected the denominator to be the weighted sum, found a clamp of it from above, "
                "which would change the result where it holds");
  if (!isAdded && !isa<arith::MaximumFOp, arith::MaxNumFOp>(loose.op))
    return near("expected the denominator to be the weighted sum, found " +
                loose.op->getName().getStringRef() + " of it");
  if (isSmall)
    return near(isAdded ? "a small number is added to the denominator; --fast leaves it out"
                        : "a small number bounds the denominator, which may be smaller; --fast "
                          "leaves it out");
  SmallString<16> number;
  llvm::raw_svector_ostream(number) << llvm::format("%g", loose.number);
  if (isAdded)
    return near(number + " is added to the denominator, which is not one sum of weights; --fast "
                         "leaves out what is at most 0.001");
  return near("a bound of " + number +
              " on the denominator, which may be smaller, would change the "
              "result where it holds; --fast leaves out bounds of at most 0.001" +
              (loose.number <= 1 ? "; one of at most 1 holds nowhere where the largest exponent "
                                   "of each sum is subtracted"
                                 : ""));
}

bool Matcher::takeTotals() {
  if (product.added && product.totals.size() > 2)
    return near("a number is added to one of several denominators");
  if (product.totals.size() > 2)
    cancelTotals();
  if (product.totals.empty())
    return far("nothing is summed");
  if (product.totals.size() != 2 || product.totals[0].power * product.totals[1].power != -1)
    return far("not one sum divided by another");
  bool first = product.totals[0].power == 1;
  const Total &above = product.totals[first ? 0 : 1], &below = product.totals[first ? 1 : 0];
  if (!above.term->totals.empty() || !below.term->totals.empty())
    return far("a sum of sums");
  if (above.vars.size() != below.vars.size() || above.vars.size() > 3)
    return far("numerator and denominator do not sum over the same dimensions");
  keys.assign(above.vars.begin(), above.vars.end());
  mixer.key = keys[0];
  mixer.sums.append(above.ops);
  mixer.sums.append(below.ops);
  mixer.smallAdded = product.loose.isDropped ? product.loose.op : nullptr;
  Product term = *below.term;
  for (auto [own, other] : llvm::zip(above.vars, below.vars)) {
    if (own == other)
      continue;
    if (!formulas.sameExtent(own, other))
      return near("numerator and denominator sum over different extents");
    term = term.renamed(formulas, other, own);
    formulas.unify(own, other);
  }
  if (!product.exponents.empty())
    return near("what is subtracted before the exponentials differs in numerator and denominator");
  return takeTerms(*above.term, std::move(term));
}

/// Whether no dimension of the result or of the sums is read from its end.
bool Matcher::isStraight(const Product &above, const Product &below) const {
  Vars known = allVars();
  for (int key : keys)
    known |= Vars(1) << key;
  auto isKnown = [&](const Power &each) { return !(each.base->vars & ~known); };
  return llvm::all_of(ArrayRef<const Product *>{&above, &below, &product},
                      [&](const Product *part) {
                        return llvm::all_of(part->factors, isKnown) &&
                               llvm::all_of(part->exponents, isKnown);
                      }) &&
         llvm::all_of(below.masks, [&](const Inequality &mask) {
           return llvm::all_of(mask.vars, [&](auto &var) { return known >> var.first & 1; });
         });
}

bool Matcher::takeTerms(Product above, Product below) {
  if (!isStraight(above, below))
    return far("some of it is read from the end of a dimension");
  takeConditions(above, below);
  takeScaled(above, below);
  takePositive(above, below);
  if (below.exponents.empty())
    return far("the denominator does not sum exponentials");
  std::optional<SmallVector<Power>> extra = difference(above.exponents, below.exponents);
  if (!extra)
    return near("numerator and denominator have different weights");
  if (!extra->empty())
    return near("the numerator has exponentials that the denominator lacks");
  if (!below.factors.empty())
    return refuseFactor(below.factors.front().base);
  if (!covers(above.masks, below.masks) || !covers(below.masks, above.masks))
    return near("numerator and denominator are masked differently");
  if (above.factors.empty())
    return far("there are no values beside the weights");
  mixer.values.assign(above.factors.begin(), above.factors.end());
  for (const Inequality &mask : below.masks)
    if (!holdsAlways(mask))
      masks.push_back(mask);
  mixer.keys.assign(below.exponents.begin(), below.exponents.end());
  if (hidesOutside())
    return near("keys outside of a filter are hidden, which aft.conv does not do");
  // What was subtracted before the exponentials stays where a number is added after them.
  if (product.added)
    mixer.keys.append(product.added->beside);
  if (findFilter(formulas, normalizer, {vars, keys, masks}, mixer, noFilter))
    return !product.added ? takeMasks()
                          : near("a number is added to the denominator of a convolution");
  if (takePlaces())
    return true;
  bool onlyConvolution = keys.size() > 1 || llvm::any_of(mixer.keys, [](const Power &each) {
                           return !each.where.empty();
                         });
  if (!onlyConvolution && takeRoles() && takeMasks()) {
    if (noFilter.near)
      mixer.note = noFilter.reason;
    return true;
  }
  if (onlyConvolution || noFilter.near)
    miss = noFilter;
  return false;
}

/// Whether the weights are those of a convolution alone, without a sum over the rest.
bool Matcher::hidesOutside() const {
  bool isFilter = llvm::any_of(mixer.keys, [](const Power &each) {
    return llvm::any_of(each.base->place, [](const Index &index) { return index.minus >= 0; });
  });
  return isFilter && llvm::any_of(masks, [&](const Inequality &mask) {
           return llvm::any_of(keys, [&](int key) { return mask.of(key) < 0; });
         });
}

/// Whether it is true at all places.
bool Matcher::holdsAlways(const Inequality &mask) const {
  int64_t most = mask.number;
  for (auto [var, coefficient] : mask.vars) {
    if (coefficient < 0)
      continue;
    if (ShapedType::isDynamic(formulas.staticExtent(var)))
      return false;
    most += coefficient * (formulas.staticExtent(var) - 1);
  }
  return mask.values.empty() && most <= 0;
}

/// What a number that is added to the denominator does not go together with.
bool Matcher::takeAdded() {
  if (product.severalAdded)
    return near("numbers are added to denominators more than once");
  if (!product.added)
    return true;
  if (mixer.lengths)
    return near("a number is added to the denominator, and lengths hide keys");
  mixer.added = product.added->number;
  return true;
}

/// Whether the reason may be that a denominator was not seen for what it is.
bool Matcher::hidesDenominator() const {
  return product.loose && !product.loose.isDropped &&
         llvm::any_of(product.totals, [](const Total &total) {
           return total.power == 1 && !total.term->exponents.empty();
         });
}

bool Matcher::run() {
  if (!takeTotals() || !takeAdded())
    return hidesDenominator() ? refuseLoose() : false;
  if (!product.masks.empty())
    return near("the result is masked");
  product.number *= std::exp(product.shift);
  if (!std::isfinite(product.number))
    return near("what is added to the exponents is not finite");
  takeRest();
  if (!mixer.filter && !mixer.added && formulas.sameExtent(mixer.query, mixer.key))
    findBand(formulas, normalizer, mixer);
  return true;
}

std::optional<MixerMatch> aft::raise::matchMixer(Formulas &formulas, Normalizer &normalizer,
                                                 ArrayRef<int> vars, Product product, Miss &miss) {
  Matcher matcher(formulas, normalizer, vars, product, miss);
  if (!matcher.run()) {
    if (product.added && product.added->number <= Normalizer::kSmall && miss.near)
      miss.reason += "; --fast leaves out a small number added to the denominator";
    return std::nullopt;
  }
  return std::move(matcher.mixer);
}
