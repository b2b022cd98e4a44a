//===- Filter.cpp - Biases that are the filter of a convolution -------------===//

#include "compiler/graph/raise/Match.h"
#include "llvm/ADT/ScopeExit.h"

using namespace mlir;
using namespace aft;
using namespace aft::raise;

namespace {
class FilterFinder {
public:
  FilterFinder(Formulas &formulas, Normalizer &normalizer, const Sums &sums, MixerMatch &mixer,
               Miss &miss)
      : formulas(formulas), normalizer(normalizer), sums(sums), mixer(mixer), miss(miss) {}
  bool run();

private:
  bool refuse(const Twine &reason, bool near) {
    miss = {reason.str(), near};
    return false;
  }
  bool takeBias();
  bool takeAxes();
  bool takeReach(const Mask &window);
  bool takeChannels();
  bool isCausal() const;
  bool isOfDistance();
  bool isOnGrid();
  void noteShared();

  Formulas &formulas;
  Normalizer &normalizer;
  const Sums &sums;
  MixerMatch &mixer;
  Miss &miss;
  SmallVector<int> queries;
  SmallVector<Power, 2> keys;
  Power bias = {nullptr, 1};
  Vars valueVars = 0;
  Filter filter;
};
} // namespace

/// Which exponent is the bias: the one that depends on the query or is a window.
bool FilterFinder::takeBias() {
  Vars weights = 0;
  for (const Power &value : mixer.values)
    valueVars |= value.base->vars;
  auto note = [&](ArrayRef<Inequality> masks) {
    for (const Inequality &mask : masks)
      for (auto [var, coefficient] : mask.vars)
        weights |= Vars(1) << var;
  };
  note(sums.masks);
  for (const Power &exponent : mixer.keys) {
    weights |= exponent.base->vars;
    note(exponent.where);
  }
  Vars all = 0;
  for (int var : sums.results)
    if (!(valueVars >> var & 1) && weights >> var & 1) {
      queries.push_back(var);
      all |= Vars(1) << var;
    }
  if (queries.size() != sums.keys.size())
    return refuse("not one query for each key", false);
  for (const Power &exponent : mixer.keys) {
    if (!(exponent.base->vars & all) && exponent.where.empty()) {
      keys.push_back(exponent);
      continue;
    }
    if (bias.base || exponent.power != 1)
      return refuse("the bias has several parts", false);
    bias = exponent;
  }
  return bias.base && !keys.empty() ? true : refuse("there is no bias, or no key", false);
}

/// What stands at a distance that a mask names: +1 for keys up to it, -1 from it on, else 0.
static int sideOf(const Inequality &mask, const Filter::Axis &axis) {
  int64_t ofKey = mask.of(axis.key);
  bool isDistance = mask.vars.size() == 2 && mask.values.empty() && std::abs(ofKey) == 1 &&
                    mask.of(axis.query) == -ofKey;
  return isDistance ? static_cast<int>(ofKey) : 0;
}

/// Each key with the query that its window is around.
bool FilterFinder::takeAxes() {
  for (int key : sums.keys) {
    int query = -1;
    for (int candidate : queries) {
      bool together = llvm::any_of(bias.where, [&](const Inequality &mask) {
        return sideOf(mask, {candidate, key, -1, 0, 0}) != 0;
      });
      if (together || queries.size() == 1)
        query = candidate;
    }
    if (query < 0 || !formulas.sameExtent(query, key))
      return refuse("a filter whose windows are not those of queries", false);
    filter.axes.push_back({query, key, -1, 0, 0});
  }
  return true;
}

bool FilterFinder::isCausal() const {
  return filter.axes.size() == 1 && llvm::any_of(sums.masks, [&](const Inequality &mask) {
           return sideOf(mask, filter.axes[0]) == 1 && mask.number == 0;
         });
}

/// Whether the bias can be told at a single distance.
bool FilterFinder::isOfDistance() {
  Filter::Axis own = filter.axes[0];
  own.tap = formulas.newVariable(1);
  return filter.axes.size() == 1 && atTaps(formulas, normalizer, own, bias.base);
}

/// The same along the rows and columns of a grid.
bool FilterFinder::isOnGrid() {
  Filter own = filter;
  SmallVector<Operation *> made;
  bool found = atGridTaps(formulas, normalizer, own, bias.base, made);
  for (Operation *op : llvm::reverse(made))
    op->erase();
  return found;
}

/// One table of distances for all channels is a matrix, which products are faster with.
void FilterFinder::noteShared() {
  bool onGrid = sums.masks.empty() && filter.axes.size() == 1 && isOnGrid();
  if (onGrid || isOfDistance())
    mixer.note =
        std::string("all channels share a bias of distances") + (onGrid ? " on a grid" : "") +
        " without a window: products with a matrix take less than a filter as long as that";
}

/// The distances at which the bias may not be 0.
bool FilterFinder::takeReach(const Mask &window) {
  for (Filter::Axis &axis : filter.axes) {
    std::optional<int64_t> first, last;
    for (const Inequality &mask : window) {
      int side = sideOf(mask, axis);
      if (side > 0)
        last = std::min(last.value_or(-mask.number), -mask.number);
      if (side < 0)
        first = std::max(first.value_or(mask.number), mask.number);
    }
    if (isCausal())
      last = std::min<int64_t>(last.value_or(0), 0);
    int64_t extent = formulas.staticExtent(axis.key);
    bool isKnown = !ShapedType::isDynamic(extent);
    bool isWindow = first && last && (!isKnown || *first > 1 - extent || *last < extent - 1);
    // A bias for all pairs is one of aft.full, unless channels differ in it.
    bool differs = bias.base->vars & valueVars & ~(Vars(1) << axis.key);
    if (!isWindow && differs && !isKnown && isOfDistance())
      return refuse("channels differ in a bias of distances, and the length is not known, which "
                    "their filters would have",
                    true);
    if (!isWindow && !(isKnown && differs)) {
      noteShared();
      return refuse("the bias is 0 at no distance", false);
    }
    axis.first = isKnown ? std::max(first.value_or(1 - extent), 1 - extent) : *first;
    axis.last = isKnown ? std::min(last.value_or(extent - 1), extent - 1) : *last;
    if (axis.first > axis.last)
      return refuse("the filter has no taps", false);
  }
  return llvm::all_of(window,
                      [&](const Inequality &mask) {
                        return llvm::any_of(filter.axes,
                                            [&](auto &axis) { return sideOf(mask, axis) != 0; });
                      }) ||
         refuse("the bias is 0 where distances do not tell", false);
}

/// Which of the other variables are channels: the filter's, the last one of the
/// values, and those that share the keys.
bool FilterFinder::takeChannels() {
  Vars keyVars = 0, own = 0;
  for (const Power &key : keys)
    keyVars |= key.base->vars;
  for (int key : sums.keys)
    own |= Vars(1) << key;
  SmallVector<int> others;
  for (int var : sums.results)
    if (!llvm::is_contained(queries, var))
      others.push_back(var);
  for (int var : others)
    own |= Vars(1) << var;
  if ((keyVars | valueVars) & ~own)
    return refuse("keys or values depend on another variable", false);
  Vars last = lastOf(mixer.values.front().base, others);
  SmallVector<int> batch, shared;
  for (int var : others) {
    bool ofFilter = has(bias.base, var), ofKeys = keyVars >> var & 1;
    if (!ofFilter && ofKeys && !(last >> var & 1))
      batch.push_back(var);
    else if (ofFilter || ofKeys)
      filter.heads.push_back(var);
    else
      shared.push_back(var);
  }
  // One head is a head, too.
  if (filter.heads.empty() && !shared.empty()) {
    filter.heads.push_back(shared.front());
    shared.erase(shared.begin());
  }
  SmallVector<int> channels(filter.heads);
  channels.append(shared);
  if (channels.empty())
    return refuse("there are no channels", false);
  if (llvm::any_of(channels,
                   [&](int var) { return ShapedType::isDynamic(formulas.staticExtent(var)); }))
    return refuse("the number of channels is not known", true);
  mixer.batch.assign(batch.begin(), batch.end());
  mixer.channels.assign(channels.begin(), channels.end());
  return true;
}

bool FilterFinder::run() {
  if (!takeBias() || !takeAxes())
    return false;
  Mask window = bias.where;
  Expr inner = bias.base;
  if (window.empty())
    while (std::optional<Masked> outer = masked(normalizer, inner)) {
      inner = outer->inner;
      window.append(outer->mask);
    }
  if (!takeReach(window))
    return false;
  for (Filter::Axis &axis : filter.axes)
    axis.tap = formulas.newVariable(axis.last - axis.first + 1);
  Expr taps = atTaps(formulas, normalizer, filter.axes, inner);
  SmallVector<Operation *> made;
  auto discard = llvm::make_scope_exit([&] {
    for (Operation *op : made)
      op->erase();
  });
  if (!taps && window.empty() && sums.masks.empty())
    taps = atGridTaps(formulas, normalizer, filter, inner, made);
  if (!taps)
    return refuse("the bias depends on more than the distance", false);
  if (filter.axes.size() > 1 && !sums.masks.empty())
    return refuse("a convolution on a grid is masked", true);
  for (const Filter::Axis &axis : filter.axes)
    if (filter.axes.size() > 1 && ShapedType::isDynamic(formulas.staticExtent(axis.key)))
      return refuse("the extents of the grid are not known", true);
  if (!takeChannels())
    return false;
  mixer.query = filter.axes[0].query;
  mixer.key = filter.axes[0].key;
  mixer.keys = keys;
  mixer.bias = {{taps, 1}};
  discard.release();
  mixer.filter = filter;
  return true;
}

bool aft::raise::findFilter(Formulas &formulas, Normalizer &normalizer, const Sums &sums,
                            MixerMatch &mixer, Miss &miss) {
  return FilterFinder(formulas, normalizer, sums, mixer, miss).run();
}
