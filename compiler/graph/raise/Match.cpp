//===- Match.cpp - Whether a formula is that of a mixer -------------------===//

#include "compiler/graph/raise/Match.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/Support/Format.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace aft;
using namespace aft::raise;

/// A mixer of its own for each of as many heads, no more.
static constexpr int64_t kHeads = 64;

namespace {
class Matcher {
public:
  Matcher(Formulas &formulas, Normalizer &normalizer, ArrayRef<int> vars, Product &product,
          Miss &miss)
      : formulas(formulas), normalizer(normalizer), vars(vars), product(product), miss(miss) {}
  bool run();
  MixerMatch mixer;

private:
  bool far(const Twine &reason) {
    miss = {reason.str(), false};
    return false;
  }
  bool near(const Twine &reason) {
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
  ArrayRef<int> vars;
  Product &product;
  Miss &miss;
  SmallVector<int> keys; ///< what the sums run over
  SmallVector<Inequality> masks;
  Miss noFilter; ///< why it is no convolution
};
} // namespace

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

/// Why a number below the sums is neither a weight nor left out.
bool Matcher::refuseLoose() {
  const LooseNumber &loose = product.loose;
  bool isAdded = isa<arith::AddFOp>(loose.op), isSmall = loose.number <= Normalizer::kSmall;
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
  if (product.totals.size() != 2 || product.totals[0].power * product.totals[1].power != -1) {
    if (product.totals.size() == 1 && product.loose && !product.totals[0].term->exponents.empty())
      return refuseLoose();
    return far("not one sum divided by another");
  }
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
  bool onlyConvolution = keys.size() > 1 || llvm::any_of(mixer.keys, [](const Power &each) {
                           return !each.where.empty();
                         });
  if (!onlyConvolution && takeRoles() && takeMasks())
    return true;
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

/// Which variable is what, and which exponents are the bias.
bool Matcher::takeRoles() {
  Vars valueVars = 0;
  for (const Power &value : mixer.values)
    valueVars |= value.base->vars;
  SmallVector<int> queries;
  for (int var : vars)
    if (!(valueVars >> var & 1))
      queries.push_back(var);
  if (queries.empty())
    return valueVars == ((Vars(1) << mixer.key) | allVars())
               ? near("the values depend on every dimension of the result, none is that of queries")
               : near("the result has no position beside the one that is summed over");
  Vars weights = 0, biasVars = 0;
  for (const Power &exponent : mixer.keys)
    weights |= exponent.base->vars;
  for (const Inequality &mask : masks)
    for (auto [var, coefficient] : mask.vars)
      weights |= Vars(1) << var;
  // A dimension without values is a position if weights or masks depend on it.
  if (queries.size() > 1)
    llvm::erase_if(queries, [&](int var) { return !(weights >> var & 1); });
  if (queries.size() != 1)
    return near("the values lack several dimensions of the result");
  mixer.query = queries[0];
  SmallVector<Power> keys;
  for (const Power &exponent : mixer.keys)
    if (has(exponent.base, mixer.query)) {
      mixer.bias.push_back(exponent);
      biasVars |= exponent.base->vars;
    } else {
      keys.push_back(exponent);
    }
  mixer.keys.assign(keys.begin(), keys.end());
  if (keys.empty()) {
    for (const Power &bias : mixer.bias)
      if (std::string why = normalizer.whyJoined(bias.identity(), mixer.query); !why.empty())
        return near(why);
    return near("there is no key, only a bias: softmax attention");
  }
  return takeGroups(biasVars, valueVars);
}

Vars aft::raise::lastOf(Expr value, ArrayRef<int> vars) {
  Vars last = vars.empty() ? 0 : Vars(1) << vars.back(), all = 0;
  for (int var : vars)
    all |= Vars(1) << var;
  if (value->kind == Kind::Element)
    for (const Index &index : value->place)
      if (Vars own = varsOf(index) & all)
        last = own;
  return last;
}

bool Matcher::refuseChannels() {
  return near("every channel has a bias of its own, which is no filter of aft.conv: " +
              noFilter.reason);
}

bool Matcher::takeGroups(Vars biasVars, Vars valueVars) {
  SmallVector<int> others;
  for (int var : vars)
    if (var != mixer.query)
      others.push_back(var);
  Vars allowed = Vars(1) << mixer.key;
  for (int var : others)
    allowed |= Vars(1) << var;
  for (const Power &key : mixer.keys)
    if (key.base->vars & ~allowed)
      return far("the key depends on another variable");
  if (valueVars & ~allowed)
    return far("the values depend on another variable");
  Vars last = lastOf(mixer.values.front().base, others);
  for (int var : others) {
    bool isBatch =
        mixer.bias.empty() || !(biasVars & ~(Vars(1) << mixer.key | Vars(1) << mixer.query))
            ? !(last >> var & 1)
            : biasVars >> var & 1;
    (isBatch ? mixer.batch : mixer.channels).push_back(var);
  }
  return mixer.channels.empty() ? refuseChannels() : takeHeads();
}

/// Batches that the program does not know cannot be channels. Heads with a bias of their own
/// become a mixer each then.
bool Matcher::takeHeads() {
  auto isDynamic = [&](int var) { return ShapedType::isDynamic(formulas.staticExtent(var)); };
  if (llvm::none_of(mixer.channels, isDynamic))
    return true;
  SmallVector<int> batch, channels;
  for (int var : mixer.channels)
    (isDynamic(var) ? batch : channels).push_back(var);
  if (channels.empty() && !mixer.bias.empty() && llvm::none_of(mixer.batch, isDynamic))
    return refuseChannels();
  if (mixer.batch.size() != 1 || isDynamic(mixer.batch[0]) || channels.empty())
    return near("the number of channels is not known");
  if (formulas.staticExtent(mixer.batch[0]) > kHeads)
    return near("the bias differs in more than " + Twine(kHeads) +
                " heads, and the size of the batch is not known");
  mixer.head = mixer.batch[0];
  mixer.batch.assign(batch.begin(), batch.end());
  mixer.channels.assign(channels.begin(), channels.end());
  return true;
}

/// A mask as an exponent of its own: -inf where it hides.
bool Matcher::takeAsExponent(const Inequality &mask) {
  SmallVector<std::pair<Expr, int64_t>> terms(mask.values.begin(), mask.values.end());
  for (auto [var, coefficient] : mask.vars)
    terms.push_back({formulas.variable(var), coefficient});
  Expr seen = formulas.below(terms, mask.number);
  bool ofQuery = llvm::any_of(mixer.queries(), [&](int var) { return has(seen, var); });
  // A bias that is there anyway: without one it would be the only matrix.
  if (ofQuery && (mixer.filter || mixer.bias.empty()))
    return near("the mask is neither causal nor one of lengths");
  if (ofQuery && llvm::any_of(mixer.channels, [&](int var) { return has(seen, var); }))
    return near("channels differ in what the mask hides");
  Expr exponent = formulas.choice(seen, 0, -std::numeric_limits<double>::infinity());
  (ofQuery ? mixer.bias : mixer.keys).push_back({exponent, 1});
  return true;
}

bool Matcher::takeMasks() {
  bool square = formulas.sameExtent(mixer.query, mixer.key);
  for (const Inequality &mask : masks) {
    bool order = mask.of(mixer.key) == 1 && mask.of(mixer.query) == -1 && mask.vars.size() == 2 &&
                 mask.values.empty() && mask.number == 0;
    bool length = mask.of(mixer.key) == 1 && mask.vars.size() == 1 && mask.values.size() == 1 &&
                  mask.values[0].second == -1 && mask.number == 1 &&
                  mask.values[0].first->kind == Kind::Element && mixer.batch.size() == 1;
    bool backward = mask.of(mixer.key) == -1 && mask.of(mixer.query) == 1 &&
                    mask.vars.size() == 2 && mask.values.empty() && mask.number == 0;
    if (order && square) {
      mixer.causal = true;
    } else if (backward && square && !mixer.filter && mixer.bias.empty()) {
      mixer.fromEnd = true;
    } else if (length && !mixer.lengths && isPlain(mask.values[0].first) &&
               mask.values[0].first->vars == Vars(1) << mixer.batch[0] &&
               getElementTypeOrSelf(mask.values[0].first->tensor.getType()).isInteger(32)) {
      mixer.lengths = mask.values[0].first;
    } else if (!takeAsExponent(mask)) {
      return false;
    }
  }
  if (mixer.fromEnd && (mixer.causal || mixer.lengths || !mixer.bias.empty()))
    return near("earlier keys are hidden, and others as well");
  if (mixer.bias.empty() && !square)
    return near("the numbers of queries and keys are not known to be equal");
  return true;
}

//===----------------------------------------------------------------------===//
// Gates
//===----------------------------------------------------------------------===//

static bool isOne(Expr e) { return numberOf(e) == 1.0; }

/// x of 1 + exp(-x)
static Expr sigmoidArgument(Expr e) {
  if (!is<arith::AddFOp>(e))
    return nullptr;
  for (int side : {0, 1}) {
    Expr power = stripped(e->operands[side]);
    if (!isOne(e->operands[1 - side]) || !is<math::ExpOp>(power))
      continue;
    Expr negative = stripped(power->operands[0]);
    if (is<arith::NegFOp>(negative))
      return stripped(negative->operands[0]);
  }
  return nullptr;
}

static std::optional<std::pair<Gate, Expr>> gateOf(Expr e) {
  e = stripped(e);
  if (is<math::TanhOp>(e))
    return std::pair(Gate::tanh, stripped(e->operands[0]));
  if (is<arith::DivFOp>(e) && isOne(e->operands[0]))
    if (Expr x = sigmoidArgument(stripped(e->operands[1])))
      return std::pair(Gate::sigmoid, x);
  if (is<arith::MaximumFOp>(e) && numberOf(e->operands[1]) == 0.0)
    return std::pair(Gate::relu, stripped(e->operands[0]));
  if (is<arith::SelectOp>(e) && numberOf(e->operands[2]) == 0.0 &&
      is<arith::CmpFOp>(e->operands[0])) {
    Expr condition = e->operands[0];
    auto predicate = cast<arith::CmpFOp>(condition->op).getPredicate();
    if ((predicate == arith::CmpFPredicate::UGT || predicate == arith::CmpFPredicate::OGT) &&
        numberOf(condition->operands[1]) == 0.0 &&
        same(stripped(condition->operands[0]), stripped(e->operands[1])))
      return std::pair(Gate::relu, stripped(e->operands[1]));
  }
  return std::nullopt;
}

bool Matcher::takeGate(const Power &factor) {
  if (mixer.gated || factor.base->vars != allVars())
    return false;
  std::optional<std::pair<Gate, Expr>> gate;
  if (factor.power == -1) {
    if (Expr x = sigmoidArgument(factor.base))
      gate = {Gate::sigmoid, x};
  } else if (factor.power == 1) {
    gate = gateOf(factor.base);
    Followed followed = follow(formulas, factor.base);
    if (!gate && followed.definition)
      gate = gateOf(followed.definition);
  }
  if (!gate || gate->second->kind != Kind::Element)
    return false;
  mixer.gate = gate->first;
  mixer.gated = follow(formulas, gate->second).value;
  return true;
}

void Matcher::takeRest() {
  mixer.number = product.number;
  for (const Power &factor : product.factors)
    if (!takeGate(factor))
      mixer.rest.push_back(factor);
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

bool Matcher::run() {
  if (!takeTotals() || !takeAdded())
    return false;
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
    if (product.added && miss.near)
      miss.reason += "; --fast leaves out a small number added to the denominator";
    return std::nullopt;
  }
  return std::move(matcher.mixer);
}
