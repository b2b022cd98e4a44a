//===- FullForward.cpp - aft.full as a packed product ---------------------===//
// exp(k + w) = exp(w - a) * exp(k - c) * exp(a + c), with a the maximum of w over
// the keys a query sees and c the running maximum of k in a channel: numerator
// and denominator are products of exp(w - a) with [exp(k - c) v | exp(k - c)].
// A block of queries walks the keys before its first one in blocks of keys; then, when
// causal, the diagonal, where a block of queries is finished with the keys up to each
// one, relative to no key that one of them does not see, and the keys are added to the
// queries below. A strip of queries stays in registers from the product with its last
// keys to its results. The keys of a query whose sum turns out so small that underflow,
// or a key that is hidden from it, may have spoilt it are added again one by one.

#include "compiler/vector/full/FullMixer.h"

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/full/TiledDiagonal.h"

#include <cmath>

using namespace mlir;
using namespace aft;

/// Steps of keys that are packed at once.
static constexpr int64_t kBlockSteps = 256;
/// How far a key on the diagonal may exceed c before queries take it one by one.
static constexpr double kMostAbove = 20;

namespace {

/// Emits one block of queries and channels.
class FullForward {
public:
  FullForward(const FullMixer &mixer, Emitter &e);
  void run(Value batch, Value firstRow, Value rows, const ChannelRange &block);

private:
  void findRowMaxima();
  void packWeights(Value row, Value firstKey, Value extent);
  void packKeys(Value firstKey, Value extent, std::optional<double> bound = std::nullopt);
  void clearKeys(Value first, Value end);
  void scaleSums(Value firstKey, Value first, Value last);
  void addKeys(Value firstKey, Value extent, Value fromRow);
  void walkDiagonal();
  void finishRows(Value firstRow, Value endRow, Value firstKey, Value extent);
  void finishStrip(LaneEmitter &group, Value row, Value keys, Value endRow);
  void finishStripInTiles(LaneEmitter &group, Value row, Value keys, Value seen, Value endRow,
                          Value begins);
  void addTriangle(LaneEmitter &group, MutableArrayRef<Value> products, Value firstKey);
  Value isGood(LaneEmitter &group, Value n, Value z);
  void prefetchResults(LaneEmitter &group, Value row);
  void finishRow(LaneEmitter &group, Value row);
  MixState stateOf(LaneEmitter &group, Value row, Value n, Value z);
  MixState sumExactly(LaneEmitter &group, Value t);
  void storeResults(LaneEmitter &group, Value t, const MixState &state);
  void forEachGroup(const ChannelRange &range, llvm::function_ref<void(LaneEmitter &)> body) {
    mixer.forEachGroup(batch, range, body);
  }
  Value weightAt(int64_t i, Value step) { return e.load(weights, {e.index(i), step}, 0); }
  TileRows weightTiles() { return tileRows(e, weights, {e.index(0), e.index(0)}); }
  /// Whether a block of keys is the first one that rows see.
  Value isFirst(Value firstKey) { return e.less(firstKey, e.index(1)); }
  void storeWeights(Value units, Value i, Value key) {
    e.store(units, weights, {i, e.div(key, form.perStep())});
  }

  const FullMixer &mixer;
  const PackedForm &form;
  Emitter &e;
  Type element;
  int64_t lanes, strip, blockKeys;
  Value weights; ///< of a strip, by step
  Value rowMaxima;
  PackedItems items;
  ChannelPairs sums;
  std::optional<TiledPanelProduct> tiledProduct;
  std::optional<TiledDiagonal> diagonal; ///< in tiles, when causal
  Value batch, firstRow, rows, visible;
  ChannelRange block;
  Value common; ///< keys before the diagonal: all rows see them
  Value rest;   ///< keys on it: row r sees the first r + 1 of them, or all
};

} // namespace

FullForward::FullForward(const FullMixer &mixer, Emitter &e)
    : mixer(mixer), form(mixer.form), e(e), element(mixer.element), lanes(mixer.lanes),
      strip(mixer.strip), blockKeys(kBlockSteps * form.perStep()),
      weights(e.scratch({strip, kBlockSteps + lanes}, form.unit)),
      rowMaxima(e.scratch({mixer.mostRows()}, element)),
      items(e, form, blockKeys, mixer.bundleChannels(), mixer.blockChannels(), element,
            cast<MemRefType>(mixer.k.getType()).getElementType()),
      sums(e, mixer.mostRows(), mixer.blockChannels(), lanes, element) {
  if (form.inTiles())
    tiledProduct.emplace(e, form, items.panel, sums);
  if (form.inTiles() && mixer.causal)
    diagonal.emplace(e, form, items.panel, sums);
}

void FullForward::run(Value batchIndex, Value row, Value count, const ChannelRange &channels) {
  batch = batchIndex;
  firstRow = row;
  rows = count;
  block = channels;
  visible = visibleKeys(e, mixer.lengths, batch, mixer.keys);
  Value zero = e.index(0), before = e.max(e.sub(visible, e.index(1)), zero);
  // Without a diagonal the last block of keys finishes all rows.
  common = e.roundDown(before, blockKeys);
  if (mixer.causal)
    common = e.max(e.sub(mixer.keysSeenBy(firstRow, visible), e.index(1)), zero);
  rest = e.max(e.min(e.sub(visible, common), rows), zero);
  if (!form.inTiles())
    sums.clear(e.mul(e.ceilDiv(rows, strip), strip));
  items.reset();
  // Of the last tile not all channels may be packed, but all are looked at.
  if (diagonal && mixer.channels % lanes != 0)
    items.panel.clearLast(kBlockSteps);
  findRowMaxima();
  e.loop(zero, common, e.index(blockKeys), [&](Value firstKey) {
    Value extent = e.min(e.sub(common, firstKey), e.index(blockKeys));
    packKeys(firstKey, extent);
    addKeys(firstKey, extent, zero);
  });
  if (mixer.causal)
    return walkDiagonal();
  Value extent = e.sub(visible, common);
  packKeys(common, extent);
  finishRows(zero, rows, common, extent);
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// a: the largest bias among the keys a query sees, 0 where there is none.
void FullForward::findRowMaxima() {
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    Value t = e.add(firstRow, row);
    Value most = mixer.largestBias(batch, t, e.index(0), mixer.keysSeenBy(t, visible));
    e.store(most, rowMaxima, row);
  });
}

/// exp(w - a) of the strip at `row` for keys from `firstKey` on; 0 in rows beyond the
/// last one, and for keys beyond `extent` up to those of the diagonal, or, in tiles, for
/// those that a row does not see.
void FullForward::packWeights(Value row, Value firstKey, Value extent) {
  Type vector = e.typeOf(element, lanes);
  Value zero = form.zeros(e, lanes / form.perStep()),
        there = e.min(e.sub(rows, row), e.index(strip));
  Value padded = e.mul(e.ceilDiv(extent, lanes), lanes);
  if (form.inTiles())
    padded = e.mul(form.wholeSteps(e, extent), form.perStep());
  e.loop(e.index(0), there, e.index(1), [&](Value i) {
    Value r = e.add(row, i), t = e.add(firstRow, r);
    Value maximum = e.broadcast(e.load(rowMaxima, r, 0), vector), seen = extent;
    if (form.inTiles() && mixer.causal)
      seen = e.min(e.sub(mixer.keysSeenBy(t, visible), firstKey), extent);
    overVectors(e, seen, lanes, {}, [&](Value key, Value left, ValueRange) {
      mixer.prefetchBias(batch, e.add(t, strip), e.add(firstKey, key));
      Value some = mixer.biases(batch, t, e.add(firstKey, key), left);
      Value numbers = form.narrow(e, form.exp(e, e.fsub(some, maximum)));
      storeWeights(form.unitsOfRun(e, numbers), i, key);
      return Emitter::Values{};
    });
    if (form.inTiles())
      e.loop(e.mul(e.ceilDiv(e.max(seen, e.index(0)), lanes), lanes), padded, e.index(lanes),
             [&](Value key) { storeWeights(zero, i, key); });
    else if (mixer.causal)
      e.loop(padded, e.min(e.add(padded, strip), e.index(blockKeys)), e.index(lanes),
             [&](Value key) { storeWeights(zero, i, key); });
  });
  e.loop(there, e.index(strip), e.index(1), [&](Value i) {
    e.loop(e.index(0), padded, e.index(lanes), [&](Value key) { storeWeights(zero, i, key); });
  });
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

/// Packs keys as [exp(k - c) v | exp(k - c)].
void FullForward::packKeys(Value firstKey, Value extent, std::optional<double> bound) {
  auto load = [&](LaneEmitter &group, Value key) -> PackedItems::Item {
    return {group.load(mixer.k, key), group.load(mixer.v, key), Value()};
  };
  mixer.forEachBundle(block, [&](const ChannelRange &bundle) {
    auto fetch = [&](Value key) { mixer.prefetch({mixer.k, mixer.v}, batch, key, bundle); };
    items.pack([&](auto body) { forEachGroup(bundle, body); }, block, bundle, firstKey, extent,
               load, fetch, bound);
  });
}

/// Packed keys [first, end) become nothing.
void FullForward::clearKeys(Value first, Value end) {
  e.loop(form.steps(e, first), form.steps(e, end), e.index(1), [&](Value step) {
    forEachGroup(block, [&](LaneEmitter &group) {
      for (int64_t part : {0, 1})
        items.panel.store(form.zeros(e, group.lanes), step, part, block.columnOf(group));
    });
  });
}

/// Adds a block of keys, which are packed, to the rows from `fromRow` on.
void FullForward::addKeys(Value firstKey, Value extent, Value fromRow) {
  scaleSums(firstKey, fromRow, rows);
  e.loop(fromRow, rows, e.index(strip), [&](Value row) {
    packWeights(row, firstKey, extent);
    auto weight = [&](int64_t i, Value step) { return weightAt(i, step); };
    PanelProduct product{form, items.panel, sums, weight};
    forEachGroup(block, [&](LaneEmitter &group) {
      Value column = block.columnOf(group);
      if (form.inTiles())
        tiledProduct->forTileOf(group, column, [&](LaneEmitter &tile) {
          tiledProduct->addStrip(tile, weightTiles(), row, e.index(0),
                                 form.wholeSteps(e, extent), column, isFirst(firstKey));
        });
      else
        product.addStrip(group, row, e.index(0), extent, column, items.factor(group, block));
    });
  });
}

/// In tiles: sums of keys before these become relative to the same.
void FullForward::scaleSums(Value firstKey, Value first, Value last) {
  if (!form.inTiles())
    return;
  e.when(e.less(e.index(0), firstKey), [&] {
    forEachGroup(block, [&](LaneEmitter &group) {
      tiledProduct->scaleSums(group, first, last, block.columnOf(group),
                              items.factor(group, block));
    });
  });
}

/// Blocks of whole strips, which see all keys before the block and some of its own.
void FullForward::walkDiagonal() {
  int64_t size = blockKeys / strip * strip;
  e.loop(e.index(0), rows, e.index(size), [&](Value first) {
    Value end = e.min(e.add(first, size), rows), firstKey = e.add(common, first);
    Value extent = e.max(e.min(e.sub(rest, first), e.index(size)), e.index(0));
    items.beginBounded();
    packKeys(firstKey, extent, kMostAbove);
    clearKeys(extent, e.mul(e.ceilDiv(e.sub(end, first), strip), strip));
    finishRows(first, end, firstKey, extent);
    e.when(e.less(end, rows), [&] {
      auto again = [&] {
        packKeys(firstKey, extent);
        return Emitter::Values{};
      };
      auto keep = [&] {
        items.keepBounded();
        return Emitter::Values{};
      };
      e.branch(items.fitBounds(), {}, keep, again);
      addKeys(firstKey, extent, end);
    });
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// Adds the last keys that the rows [first, end) see, which are packed.
void FullForward::finishRows(Value first, Value end, Value firstKey, Value extent) {
  scaleSums(firstKey, first, end);
  e.loop(first, end, e.index(strip), [&](Value row) {
    Value seen = extent, keys = extent;
    if (mixer.causal) {
      keys = e.sub(row, first);
      seen = e.min(e.add(keys, strip), extent);
      // Weights beyond the keys there are were not written.
      if (!form.inTiles())
        keys = e.min(keys, e.mul(e.ceilDiv(extent, form.perStep()), form.perStep()));
    }
    packWeights(row, firstKey, seen);
    forEachGroup(block, [&](LaneEmitter &group) {
      if (form.inTiles())
        finishStripInTiles(group, row, keys, seen, end, isFirst(firstKey));
      else
        finishStrip(group, row, keys, end);
    });
  });
}

/// `keys` are those that all rows of the strip see.
void FullForward::finishStrip(LaneEmitter &group, Value row, Value keys, Value end) {
  Value column = block.columnOf(group);
  auto weight = [&](int64_t i, Value step) { return weightAt(i, step); };
  PanelProduct product{form, items.panel, sums, weight};
  prefetchResults(group, row);
  product.prefetchSums(row, column);
  SmallVector<Value> totals = product.products(group, e.index(0), keys, column);
  if (mixer.causal)
    addTriangle(group, totals, keys);
  product.addToSums(group, totals, row, column, items.factor(group, block));
  Value good = isGood(group, totals[0], totals[1]);
  for (int64_t i = 1; i < strip; ++i)
    good = e.both(good, isGood(group, totals[2 * i], totals[2 * i + 1]));
  good = e.both(e.less(e.add(row, strip - 1), end), inAllLanes(e, good));
  e.branch(
      good, {},
      [&] {
        for (int64_t i = 0; i < strip; ++i) {
          Value r = e.add(row, i);
          storeResults(group, e.add(firstRow, r),
                       stateOf(group, r, totals[2 * i], totals[2 * i + 1]));
        }
        return Emitter::Values{};
      },
      [&] {
        product.storeSums(totals, row, column);
        e.loop(row, e.min(e.add(row, strip), end), e.index(1),
               [&](Value r) { finishRow(group, r); });
        return Emitter::Values{};
      });
}

/// `keys` are those that all rows of the strip see, `seen` those that some do; the weights
/// of the others are 0.
void FullForward::finishStripInTiles(LaneEmitter &group, Value row, Value keys, Value seen,
                                     Value end, Value begins) {
  Value column = block.columnOf(group);
  prefetchResults(group, row);
  tiledProduct->forTileOf(group, column, [&](LaneEmitter &tile) {
    auto product = [&] {
      tiledProduct->addStrip(tile, weightTiles(), row, e.index(0), form.wholeSteps(e, seen),
                             column, begins);
    };
    if (diagonal)
      diagonal->without(tile, row, form.steps(e, keys), column, product);
    else
      product();
  });
  e.loop(row, e.min(e.add(row, strip), end), e.index(1), [&](Value r) { finishRow(group, r); });
}

/// Asks for what a strip's results are made from and written to: a line of each row, of
/// which hardware sees no stream.
void FullForward::prefetchResults(LaneEmitter &group, Value row) {
  Value last = e.sub(mixer.queries, e.index(1));
  for (int64_t i = 0; i < strip; ++i) {
    Value place[] = {batch, e.min(e.add(firstRow, e.add(row, i)), last), group.channel};
    prefetchAt(e, mixer.q, place, /*isWrite=*/false);
    for (Value result : mixer.inits)
      prefetchAt(e, result, place, /*isWrite=*/true);
  }
}

/// Of the keys from `firstKey` on, row i of a strip sees i + 1.
void FullForward::addTriangle(LaneEmitter &group, MutableArrayRef<Value> products, Value firstKey) {
  Type units = e.typeOf(form.unit, group.lanes);
  Value column = block.columnOf(group), firstStep = e.div(firstKey, form.perStep());
  for (int64_t key = 0; key < strip; key += form.perStep()) {
    Value step = e.add(firstStep, key / form.perStep());
    for (int64_t i = key; i < strip; ++i) {
      // Of a pair the row may see the first only: the second must not matter, even a NaN.
      bool isWhole = i + 1 >= key + form.perStep();
      auto seen = [&](Value some) { return isWhole ? some : form.firstOnly(e, some); };
      Value factor = seen(e.broadcast(weightAt(i, step), units));
      for (int64_t part : {0, 1}) {
        Value &product = products[2 * i + part];
        Value item = seen(items.panel.load(group, step, part, column));
        product = form.addProduct(e, factor, item, product);
      }
    }
  }
}

/// In which lanes sums relative to a and c are right.
Value FullForward::isGood(LaneEmitter &group, Value n, Value z) {
  // A term may exceed its key's c, and so may what it loses.
  double range = separableRange(element) - (mixer.causal ? kMostAbove : 0);
  auto isAtLeast = [&](double range) {
    return e.compare(arith::CmpFPredicate::OGE, z, group.number(std::exp(-range)));
  };
  return e.both(isAtLeast(range), isSound(e, n, isAtLeast(safeRange(element))));
}

MixState FullForward::stateOf(LaneEmitter &group, Value row, Value n, Value z) {
  Value a = e.broadcast(e.load(rowMaxima, row, 0), group.type);
  return {e.fadd(items.base(group, block), a), n, z};
}

/// From its sums.
void FullForward::finishRow(LaneEmitter &group, Value row) {
  Value column = block.columnOf(group), t = e.add(firstRow, row);
  Value n = sums.load(group, row, 0, column), z = sums.load(group, row, 1, column);
  Type types[] = {group.type, group.type, group.type};
  MixState state = MixState::from(e.branch(
      inAllLanes(e, isGood(group, n, z)), types, [&] { return stateOf(group, row, n, z).values(); },
      [&] { return sumExactly(group, t).values(); }));
  storeResults(group, t, state);
}

/// All keys that query t sees, one by one.
MixState FullForward::sumExactly(LaneEmitter &group, Value t) {
  return addExactly(
      group, e.index(0), mixer.keysSeenBy(t, visible), group.emptyState(),
      [&](Value key) {
        return exponentOf(group, group.load(mixer.k, key), mixer.bias(group, t, key));
      },
      [&](Value key) { return group.load(mixer.v, key); });
}

void FullForward::storeResults(LaneEmitter &group, Value t, const MixState &state) {
  Value none = e.equal(state.z, group.number(0)), zero = group.number(0);
  Value quotient = form.quotient(e, state.n, e.select(none, group.number(1), state.z));
  Value ratio = e.select(none, zero, quotient);
  // A query without a key is 0 whatever the gate, even a NaN, says.
  Value gated = e.fmul(mixer.gateOf(group, group.load(mixer.q, t)), ratio);
  Value y = e.select(none, zero, gated);
  group.store(y, mixer.inits[0], t);
  if (mixer.inits.size() == 3) {
    group.store(ratio, mixer.inits[1], t);
    group.store(group.logz(state), mixer.inits[2], t);
  }
}

void aft::emitFullMixer(FullOp op, OpBuilder &builder, unsigned vectorBits, PairDots pairDots) {
  Emitter e(builder, op.getLoc());
  FullMixer mixer(op, e, vectorBits, pairDots);
  FullForward forward(mixer, e);
  Value size = mixer.rowsOfGroup(mixer.queries), blocks = mixer.rowBlocks(mixer.queries, size);
  // Groups with the same keys follow each other.
  Value grid[] = {mixer.batches, e.index(mixer.channelBlocks()), blocks};
  e.grid(grid, [&](ArrayRef<Value> index) {
    // The last queries first: when causal they see the most.
    Value row = e.mul(e.sub(e.sub(blocks, e.index(1)), index[2]), size);
    if (mixer.form.inTiles())
      beginTiles(e);
    forward.run(index[0], row, e.min(e.sub(mixer.queries, row), size), mixer.channelsOf(index[1]));
    if (mixer.form.inTiles())
      endTiles(e);
  });
}
