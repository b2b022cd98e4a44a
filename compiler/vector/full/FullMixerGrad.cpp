//===- FullMixerGrad.cpp - Derivatives of aft.full: dq, dk, dv ------------===//
// With G = dy * g(q), p = exp(k + w - logz) and R the ratio:
//   dv[t'] = sum_t p G[t],  dk[t'] = sum_t p G[t] (v[t'] - R[t]).
// As in the forward direction p comes apart, p = exp(w - b) * exp(-logz - c) *
// exp(k + b + c), with b the maximum of w over the queries that see a key and c
// the running maximum of -logz in a channel; so both are products of exp(w - b)
// with [exp(-logz - c) G | exp(-logz - c) G R]. p itself is at most 1: what the
// first two factors lose by underflow cannot matter unless the third is large,
// and then the sums of that key are formed exactly.

#include "compiler/vector/full/FullMixer.h"

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/product/ProductPacking.h"

#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace aft;

/// Steps of queries that are packed at once.
static constexpr int64_t kBlockSteps = 256;
/// Queries of a work group of dq.
static constexpr int64_t kRowsOfDq = 512;

namespace {

/// Emits dk and dv of one block of keys and channels.
class KeyGradients {
public:
  KeyGradients(const FullMixer &mixer, Emitter &e);
  void run(Value batch, Value firstKey, Value rows, const ChannelRange &block);

private:
  void findMaxima(Value firstQuery);
  void packWeights(Value firstQuery, Value extent);
  void packStep(Value firstQuery, Value extent, Value step, Value memory);
  void storeWeights(Value t, Value seen, int64_t i);
  void turnWeights(Value firstStep);
  void addQueries(const ChannelRange &bundle, Value first, Value firstQuery, Value extent);
  void addInTiles(const ChannelRange &bundle, Value firstQuery, Value extent, Value seen,
                  Value before);
  Value queryExponent(LaneEmitter &group, Value t);
  void packQueries(const ChannelRange &bundle, Value firstQuery, Value extent);
  void finishKey(LaneEmitter &group, Value row);
  SmallVector<Value> sumExactly(LaneEmitter &group, Value key, Value k, Value v);
  void forEachGroup(const ChannelRange &range, llvm::function_ref<void(LaneEmitter &)> body) {
    mixer.forEachGroup(batch, range, body);
  }
  /// How many keys of the block query t sees.
  Value seenBy(Value t) { return e.min(e.sub(mixer.keysSeenBy(t, visible), firstKey), rows); }

  const FullMixer &mixer;
  const PackedForm &form;
  Emitter &e;
  Type element;
  int64_t lanes, strip, slice, blockQueries;
  Value weights; ///< by strip, step and key of the strip; in tiles by strip, key and step
  Value turned;  ///< in tiles: by step and key, before they are transposed
  Value oneStep; ///< the weights of the queries of a step, one after the other
  Value biasMaxima;
  PackedItems items;
  ChannelPairs sums;
  std::optional<TiledPanelProduct> tiledProduct;
  Value batch, firstKey, rows, visible;
  ChannelRange block;
};

} // namespace

/// The weights of a strip's keys lie side by side, step by step, so that they
/// stream; a row of all keys is cut into slices of a power of two, of which the next
/// step overwrites what is beyond the strip.
KeyGradients::KeyGradients(const FullMixer &mixer, Emitter &e)
    : mixer(mixer), form(mixer.form), e(e), element(mixer.element), lanes(mixer.lanes),
      strip(mixer.strip), slice(llvm::PowerOf2Ceil(strip)),
      blockQueries(kBlockSteps * form.perStep()),
      weights(form.inTiles()
                  ? e.scratch({mixer.mostRows() / strip, strip, kBlockSteps + lanes}, form.unit)
                  : e.scratch({mixer.mostRows() / strip, kBlockSteps + slice, strip}, form.unit)),
      turned(form.inTiles() ? e.scratch({kTileRows, mixer.mostRows()}, form.unit) : Value()),
      oneStep(e.scratch({form.perStep(), mixer.mostRows() + std::max(lanes, slice)}, element)),
      biasMaxima(e.scratch({mixer.mostRows() + lanes}, element)),
      items(e, form, blockQueries, mixer.bundleChannels(), mixer.blockChannels(), element),
      sums(e, mixer.mostRows(), mixer.blockChannels(), lanes, element) {
  if (form.inTiles())
    tiledProduct.emplace(e, form, items.panel, sums);
}

void KeyGradients::run(Value batchIndex, Value key, Value count, const ChannelRange &channels) {
  batch = batchIndex;
  firstKey = key;
  rows = count;
  block = channels;
  visible = visibleKeys(e, mixer.lengths, batch, mixer.keys);
  items.reset();
  Value first = mixer.firstQueryOf(firstKey);
  // Nothing to sum up where all keys are hidden.
  first = e.select(e.less(firstKey, visible), first, mixer.queries);
  auto clear = [&] { sums.clear(e.mul(e.ceilDiv(rows, strip), strip)); };
  // In tiles sums begin where the first query sees them.
  if (form.inTiles())
    e.when(e.less(mixer.queries, e.add(first, 1)), clear);
  else
    clear();
  findMaxima(first);
  e.loop(first, mixer.queries, e.index(blockQueries), [&](Value firstQuery) {
    Value extent = e.min(e.sub(mixer.queries, firstQuery), e.index(blockQueries));
    packWeights(firstQuery, extent);
    mixer.forEachBundle(
        block, [&](const ChannelRange &bundle) { addQueries(bundle, first, firstQuery, extent); });
  });
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    forEachGroup(block, [&](LaneEmitter &group) { finishKey(group, row); });
  });
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// b: the largest bias among the queries that see a key, 0 where there is none.
void KeyGradients::findMaxima(Value firstQuery) {
  Value none = e.number(element, -std::numeric_limits<double>::infinity());
  e.loop(e.index(0), rows, e.index(1), [&](Value i) { e.store(none, biasMaxima, i); });
  e.loop(firstQuery, mixer.queries, e.index(1), [&](Value t) {
    overVectors(e, seenBy(t), lanes, {}, [&](Value i, Value left, ValueRange) {
      Value some = mixer.biases(batch, t, e.add(firstKey, i), left);
      e.store(runningMax(e, e.load(biasMaxima, i, lanes), some), biasMaxima, i);
      return Emitter::Values{};
    });
  });
  e.loop(e.index(0), rows, e.index(1), [&](Value i) {
    Value most = e.load(biasMaxima, i, 0);
    e.store(e.select(e.equal(most, none), e.number(element, 0), most), biasMaxima, i);
  });
}

/// exp(w - b), 0 where the key is hidden or beyond the last one.
void KeyGradients::packWeights(Value firstQuery, Value extent) {
  if (!form.inTiles())
    return e.loop(e.index(0), form.steps(e, extent), e.index(1),
                  [&](Value step) { packStep(firstQuery, extent, step, weights); });
  e.loop(e.index(0), form.steps(e, extent), e.index(kTileRows), [&](Value first) {
    e.loop(first, e.add(first, kTileRows), e.index(1),
           [&](Value step) { packStep(firstQuery, extent, step, turned); });
    turnWeights(first);
  });
}

void KeyGradients::packStep(Value firstQuery, Value extent, Value step, Value memory) {
  auto slices = VectorType::get({slice}, element);
  for (int64_t i = 0; i < form.perStep(); ++i) {
    Value query = e.add(e.mul(step, form.perStep()), i);
    Value seen = e.max(seenBy(e.add(firstQuery, query)), e.index(0));
    // Steps that are multiplied at once may be some queries longer than the block.
    if (i > 0 || form.inTiles())
      seen = e.select(e.less(query, extent), seen, e.index(0));
    storeWeights(e.add(firstQuery, query), seen, i);
  }
  e.loop(e.index(0), e.ceilDiv(rows, strip), e.index(1), [&](Value place) {
    SmallVector<Value> numbers;
    for (int64_t i = 0; i < form.perStep(); ++i) {
      Value some = e.builder.create<vector::LoadOp>(e.loc, slices, oneStep,
                                                    ValueRange{e.index(i), e.mul(place, strip)});
      numbers.push_back(form.narrow(e, some));
    }
    Value units = form.unitsOf(e, numbers.front(), numbers.back());
    if (form.inTiles())
      e.store(units, memory, {e.sub(step, e.roundDown(step, kTileRows)), e.mul(place, strip)});
    else
      e.store(units, memory, {place, step, e.index(0)});
  });
}

/// The weights of the steps that are multiplied at once.
void KeyGradients::turnWeights(Value firstStep) {
  e.loop(e.index(0), e.mul(e.ceilDiv(rows, strip), strip), e.index(lanes), [&](Value key) {
    SmallVector<Value> lines;
    for (int64_t i = 0; i < kTileRows; ++i)
      lines.push_back(e.load(turned, {e.index(i), key}, lanes));
    Value place = e.div(key, strip), first = e.sub(key, e.mul(place, strip));
    for (auto [i, line] : llvm::enumerate(transposeSquare(e, lines)))
      e.store(line, weights, {place, e.add(first, i), firstStep});
  });
}

/// The weights of query t as query `i` of a step; it sees the first `seen` keys.
void KeyGradients::storeWeights(Value t, Value seen, int64_t i) {
  overVectors(e, seen, lanes, {}, [&](Value key, Value left, ValueRange) {
    Value some = mixer.biases(batch, t, e.add(firstKey, key), left);
    e.store(form.exp(e, e.fsub(some, e.load(biasMaxima, key, lanes))), oneStep, {e.index(i), key});
    return Emitter::Values{};
  });
  Value zero = e.number(e.typeOf(element, lanes), 0);
  e.loop(e.mul(e.ceilDiv(seen, lanes), lanes), e.mul(e.ceilDiv(rows, strip), strip), e.index(lanes),
         [&](Value key) { e.store(zero, oneStep, {e.index(i), key}); });
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

/// -log Z, and -inf for a query without a key.
Value KeyGradients::queryExponent(LaneEmitter &group, Value t) {
  Value logz = group.load(mixer.logz, t), none = group.infinity(true);
  return e.select(e.equal(logz, none), none, e.fsub(group.number(0), logz));
}

/// Packs queries as [exp(-logz - c) G | exp(-logz - c) G R].
void KeyGradients::packQueries(const ChannelRange &bundle, Value firstQuery, Value extent) {
  auto load = [&](LaneEmitter &group, Value t) -> PackedItems::Item {
    Value x = queryExponent(group, t);
    // A query without a key has no gradient, whatever its operands are.
    Value none = e.equal(x, group.infinity(true)), zero = group.number(0);
    Value g = e.select(none, zero, mixer.gatedGradient(group, t));
    Value ratio = group.load(mixer.ratio, t);
    if (form.pairs)
      ratio = e.fsub(ratio, mixer.middle(group));
    return {x, g, e.select(none, zero, ratio)};
  };
  auto fetch = [&](Value t) {
    mixer.prefetch({mixer.logz, mixer.dy, mixer.q, mixer.ratio}, batch, t, bundle);
  };
  items.pack([&](auto body) { forEachGroup(bundle, body); }, block, bundle, firstQuery, extent,
             load, fetch);
}

/// Adds a block of queries, whose weights are packed, to the keys they see. `first`: the
/// first query of all.
void KeyGradients::addQueries(const ChannelRange &bundle, Value first, Value firstQuery,
                              Value extent) {
  Value end = e.add(firstQuery, extent);
  packQueries(bundle, firstQuery, extent);
  // Keys below are seen by none of the queries, and their sums are still 0.
  Value seen = seenBy(e.sub(end, e.index(1)));
  // Keys that queries before them see: whole strips, as their products are.
  Value before = e.mul(e.ceilDiv(e.max(seenBy(e.sub(firstQuery, e.index(1))), e.index(0)), strip),
                       strip);
  before = e.select(e.less(first, firstQuery), before, e.index(0));
  if (form.inTiles())
    return addInTiles(bundle, firstQuery, extent, seen, before);
  forEachGroup(bundle, [&](LaneEmitter &group) {
    Value factor = items.factor(group, block), column = block.columnOf(group);
    e.loop(e.index(0), seen, e.index(strip), [&](Value row) {
      // Queries above see none of the strip's keys.
      Value above = e.sub(mixer.firstQueryOf(e.add(firstKey, row)), firstQuery);
      Value place = e.div(row, strip);
      auto weight = [&](int64_t offset, Value step) {
        return e.load(weights, {place, step, e.index(offset)}, 0);
      };
      PanelProduct product{form, items.panel, sums, weight};
      product.addStrip(group, row, e.max(above, e.index(0)), extent, column, factor);
    });
  });
}

/// The first `seen` keys in tiles, of which queries before see the first `before`. All sums
/// of a tile are scaled before its product is added to them.
void KeyGradients::addInTiles(const ChannelRange &bundle, Value firstQuery, Value extent,
                              Value seen, Value before) {
  forEachGroup(bundle, [&](LaneEmitter &group) {
    tiledProduct->scaleSums(group, e.index(0), before, block.columnOf(group),
                            items.factor(group, block));
  });
  Value last = form.wholeSteps(e, extent);
  auto addTile = [&](LaneEmitter &tile, Value column) {
    e.loop(e.index(0), seen, e.index(strip), [&](Value row) {
      // Queries above see none of the strip's keys.
      Value above = e.max(e.sub(mixer.firstQueryOf(e.add(firstKey, row)), firstQuery), e.index(0));
      Value first = e.roundDown(e.div(above, form.perStep()), kTileRows);
      TileRows rows = tileRows(e, weights, {e.div(row, strip), e.index(0), first});
      tiledProduct->addStrip(tile, rows, row, first, last, column, e.less(before, e.add(row, 1)));
    });
  };
  forEachGroup(bundle, [&](LaneEmitter &group) {
    Value column = block.columnOf(group);
    tiledProduct->forTileOf(group, column, [&](LaneEmitter &tile) { addTile(tile, column); });
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

/// dv and dk of a key, pair by pair.
SmallVector<Value> KeyGradients::sumExactly(LaneEmitter &group, Value key, Value k, Value v) {
  Value zero = group.number(0);
  Value start[] = {zero, zero};
  return sumInBlocks(e, mixer.firstQueryOf(key), mixer.queries, start, [&](Value t) {
    Value x = e.fadd(exponentOf(group, k, mixer.bias(group, t, key)), queryExponent(group, t));
    Value p = e.exp(x), none = e.equal(p, zero);
    Value pg = e.select(none, zero, e.fmul(p, mixer.gatedGradient(group, t)));
    Value difference = e.fsub(v, group.load(mixer.ratio, t));
    return SmallVector<Value>{pg, e.select(none, zero, e.fmul(pg, difference))};
  });
}

void KeyGradients::finishKey(LaneEmitter &group, Value row) {
  Value key = e.add(firstKey, row), column = block.columnOf(group), zero = group.number(0);
  Value k = group.load(mixer.k, key), v = group.load(mixer.v, key);
  Value first = sums.load(group, row, 0, column), second = sums.load(group, row, 1, column);
  Value x = e.fadd(
      k, e.fadd(items.base(group, block), e.broadcast(e.load(biasMaxima, row, 0), group.type)));
  auto isAtMost = [&](double range) {
    return e.compare(arith::CmpFPredicate::OLE, x, group.number(range));
  };
  Value bounded = isAtMost(separableRange(element)), areSafe = isAtMost(safeRange(element));
  Value value = form.pairs ? e.fsub(v, mixer.middle(group)) : v;
  Value difference = e.fsub(e.fmul(value, first), second);
  Value areSound = e.both(isSound(e, first, areSafe), isSound(e, difference, areSafe));
  Value good = inAllLanes(e, e.both(bounded, areSound));
  Type types[] = {group.type, group.type};
  SmallVector<Value> gradients = e.branch(
      e.less(key, visible), types,
      [&] {
        return e.branch(
            good, types,
            [&] {
              Value scale = e.exp(x);
              return Emitter::Values{e.fmul(scale, first), e.fmul(scale, difference)};
            },
            [&] { return sumExactly(group, key, k, v); });
      },
      [&] { return Emitter::Values{zero, zero}; });
  Value hidden = e.equal(k, group.infinity(true));
  group.store(e.select(hidden, zero, gradients[1]), mixer.inits[1], key);
  group.store(e.select(hidden, zero, gradients[0]), mixer.inits[2], key);
}

/// dq = dy * g'(q) * R, and 0 for a query without a key.
static void emitQueryGradient(const FullMixer &mixer, Emitter &e) {
  Value grid[] = {mixer.batches, e.ceilDiv(mixer.queries, kRowsOfDq)};
  e.grid(grid, [&](ArrayRef<Value> index) {
    Value first = e.mul(index[1], kRowsOfDq);
    Value last = e.min(e.add(first, kRowsOfDq), mixer.queries);
    e.loop(first, last, e.index(1), [&](Value t) {
      forEachLaneGroupOfBatch(
          e, mixer.element, mixer.vectorBits, index[0], mixer.channels, 1, [&](LaneEmitter &group) {
            Value slope = group.gateDerivative(mixer.gate, group.load(mixer.q, t));
            Value dq = e.fmul(e.fmul(group.load(mixer.dy, t), slope), group.load(mixer.ratio, t));
            Value none = e.equal(group.load(mixer.logz, t), group.infinity(true));
            group.store(e.select(none, group.number(0), dq), mixer.inits[0], t);
          });
    });
  });
}

void aft::emitFullMixerGrad(FullGradOp op, OpBuilder &builder, unsigned vectorBits,
                            PairDots pairDots) {
  Emitter e(builder, op.getLoc());
  FullMixer mixer(op, e, vectorBits, pairDots);
  KeyGradients gradients(mixer, e);
  Value size = mixer.rowsOfGroup(mixer.keys);
  // The largest groups first, so that threads end at the same time.
  emitFullBiasGrad(mixer);
  Value grid[] = {mixer.batches, e.index(mixer.channelBlocks()), mixer.rowBlocks(mixer.keys, size)};
  e.grid(grid, [&](ArrayRef<Value> index) {
    Value key = e.mul(index[2], size);
    if (mixer.form.inTiles())
      beginTiles(e);
    gradients.run(index[0], key, e.min(e.sub(mixer.keys, key), size), mixer.channelsOf(index[1]));
    if (mixer.form.inTiles())
      endTiles(e);
  });
  emitQueryGradient(mixer, e);
}
