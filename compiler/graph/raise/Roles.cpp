//===- Roles.cpp - Queries, keys, channels and masks of a mixer ------------===//

#include "compiler/graph/raise/Matcher.h"

#include <limits>

using namespace mlir;
using namespace aft;
using namespace aft::raise;

/// A mixer of its own for each of as many heads, no more.
static constexpr int64_t kHeads = 64;

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

/// A mean over all places of a grid: the rows and columns of keys and queries are each one
/// dimension of aft.simple. Those of keys may have been joined before.
bool Matcher::takePlaces() {
  Vars known = 0;
  for (const SmallVector<Power, 2> &parts : {mixer.values, mixer.keys})
    for (const Power &part : parts)
      known |= part.base->vars;
  SmallVector<int> queries;
  for (int var : vars)
    if (!(known >> var & 1))
      queries.push_back(var);
  bool alike =
      keys.size() == 1
          ? queries.size() > 1 && formulas.isProduct(keys[0], queries)
          : queries.size() == keys.size() && llvm::all_of(llvm::zip(queries, keys), [&](auto pair) {
              return formulas.sameExtent(std::get<0>(pair), std::get<1>(pair));
            });
  bool isSimple =
      masks.empty() && llvm::all_of(mixer.keys, [](const Power &key) { return key.where.empty(); });
  if (!alike || !isSimple)
    return far("a sum over several dimensions that are not those of queries");
  mixer.query = queries.front();
  mixer.innerQueries.assign(queries.begin() + 1, queries.end());
  mixer.innerKeys.assign(keys.begin() + 1, keys.end());
  return takeGroups(0, known);
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
    if (!llvm::is_contained(mixer.queries(), var))
      others.push_back(var);
  Vars allowed = 0;
  for (int key : mixer.positions())
    allowed |= Vars(1) << key;
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
  if (mixer.batch.size() > 1 && !channels.empty() && !mixer.bias.empty() &&
      llvm::none_of(mixer.batch, isDynamic))
    return near("the bias differs along several dimensions, as windows and heads are, and the size "
                "of the batch is not known");
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
