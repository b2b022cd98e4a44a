//===- FullForward.cpp - aft.full as a packed product ---------------------===//
// exp(k + w) = exp(w - a) * exp(k - c) * exp(a + c), with a the maximum of w over
// the keys a query sees and c the running maximum of k in a channel: numerator
// and denominator are products of exp(w - a) with [exp(k - c) v | exp(k - c)].
// A block of queries walks the keys that all of them see in large blocks, then,
// when causal, the diagonal in small ones; c never looks at a key that a query
// does not see. The keys of a query whose sum turns out so small that underflow,
// or a key that is hidden from it, may have spoilt it are added again one by one.

#include "compiler/vector/FullMixer.h"

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/PackedProduct.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace aft;

/// Keys that are packed at once, and strips of queries of a block on the diagonal.
static constexpr int64_t kBlockKeys = 256, kDiagonalStrips = 4;
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
  void packWeights(Value firstKey, Value extent, Value fromRow);
  void packKeys(const ChannelRange &bundle, Value firstKey, Value extent,
                std::optional<double> bound = std::nullopt);
  void addKeys(const ChannelRange &bundle, Value firstKey, Value extent, Value fromRow);
  void walkDiagonal();
  void finishStrip(const ChannelRange &bundle, Value first, Value row, Value end);
  void finishRows();
  SmallVector<Value> sumsOf(LaneEmitter &group, Value row);
  void finishRow(LaneEmitter &group, Value row, ValueRange own);
  MixState sumExactly(LaneEmitter &group, Value t);
  void storeResults(LaneEmitter &group, Value t, const MixState &state);
  void forEachBundle(llvm::function_ref<void(const ChannelRange &)> body) {
    mixer.forEachBundle(block, body);
  }
  void forEachGroup(const ChannelRange &range, llvm::function_ref<void(LaneEmitter &)> body) {
    mixer.forEachGroup(batch, range, body);
  }
  PanelProduct productOf(LaneEmitter &group, const ChannelRange &bundle,
                         llvm::function_ref<Value(Value, int64_t, Value)> weight) {
    return {mixer.strip, items.panel, bundle.columnOf(group), sums, block.columnOf(group), weight};
  }
  Value weightAt(Value row, Value key) { return e.load(weights, {row, key}, 0); }
  /// How many keys from `first` of the diagonal on row `row` sees.
  Value onDiagonal(Value first, Value row) {
    return e.max(e.sub(e.min(row, rest), first), e.index(0));
  }

  const FullMixer &mixer;
  Emitter &e;
  Type element;
  int64_t lanes, strip;
  Value weights, rowMaxima;
  PackedItems items;
  ChannelPairs sums;
  Value batch, firstRow, rows, visible;
  ChannelRange block;
  Value common; ///< keys that all rows see
  Value rest;   ///< keys that some rows see besides: row r sees r of them, or all
};

} // namespace

FullForward::FullForward(const FullMixer &mixer, Emitter &e)
    : mixer(mixer), e(e), element(mixer.element), lanes(mixer.lanes), strip(mixer.strip),
      weights(e.scratch({mixer.mostRows(), kBlockKeys + lanes}, element)),
      rowMaxima(e.scratch({mixer.mostRows()}, element)),
      items(e, kBlockKeys, mixer.bundleChannels(), mixer.blockChannels(), lanes, element),
      sums(e, mixer.mostRows(), mixer.blockChannels(), lanes, element) {}

void FullForward::run(Value batchIndex, Value row, Value count, const ChannelRange &channels) {
  batch = batchIndex;
  firstRow = row;
  rows = count;
  block = channels;
  visible = visibleKeys(e, mixer.lengths, batch, mixer.keys);
  common = mixer.keysSeenBy(firstRow, visible);
  rest = e.max(e.min(e.sub(visible, common), rows), e.index(0));
  sums.clear(e.mul(e.ceilDiv(rows, strip), strip));
  items.reset();
  findRowMaxima();
  e.loop(e.index(0), common, e.index(kBlockKeys), [&](Value firstKey) {
    Value extent = e.min(e.sub(common, firstKey), e.index(kBlockKeys));
    packWeights(firstKey, extent, e.index(0));
    forEachBundle(
        [&](const ChannelRange &bundle) { addKeys(bundle, firstKey, extent, e.index(0)); });
  });
  mixer.causal ? walkDiagonal() : finishRows();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// a: the largest bias among the keys a query sees, 0 where there is none.
void FullForward::findRowMaxima() {
  Type vector = e.typeOf(element, lanes);
  double infinity = std::numeric_limits<double>::infinity();
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    Value t = e.add(firstRow, row), none = e.number(vector, -infinity);
    auto body = [&](Value key, Value left, ValueRange top) {
      return Emitter::Values{runningMax(e, top[0], mixer.biases(batch, t, key, left))};
    };
    Value most = overVectors(e, mixer.keysSeenBy(t, visible), lanes, none, body)[0];
    most = e.reduce(most, [&](Value a, Value b) { return runningMax(e, a, b); });
    Value empty = e.equal(most, e.number(element, -infinity));
    e.store(e.select(empty, e.number(element, 0), most), rowMaxima, row);
  });
}

/// exp(w - a) of the rows from `fromRow` on for keys from `firstKey` on; 0 in the
/// rest of the last strip.
void FullForward::packWeights(Value firstKey, Value extent, Value fromRow) {
  Type vector = e.typeOf(element, lanes);
  e.loop(fromRow, rows, e.index(1), [&](Value row) {
    Value t = e.add(firstRow, row), maximum = e.broadcast(e.load(rowMaxima, row, 0), vector);
    overVectors(e, extent, lanes, {}, [&](Value i, Value left, ValueRange) {
      Value some = mixer.biases(batch, t, e.add(firstKey, i), left);
      e.store(e.exp(e.fsub(some, maximum)), weights, {row, i});
      return Emitter::Values{};
    });
  });
  e.loop(rows, e.mul(e.ceilDiv(rows, strip), strip), e.index(1), [&](Value row) {
    e.loop(e.index(0), extent, e.index(lanes),
           [&](Value i) { e.store(e.number(vector, 0), weights, {row, i}); });
  });
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

/// Packs keys as [exp(k - c) v | exp(k - c)].
void FullForward::packKeys(const ChannelRange &bundle, Value firstKey, Value extent,
                           std::optional<double> bound) {
  auto load = [&](LaneEmitter &group, Value key) -> PackedItems::Item {
    return {group.load(mixer.k, key), group.load(mixer.v, key), Value()};
  };
  items.pack([&](auto body) { forEachGroup(bundle, body); }, block, bundle, firstKey, extent, load,
             {mixer.k, mixer.v}, bound);
}

/// Adds a block of keys, whose weights are packed, to the rows from `fromRow` on.
void FullForward::addKeys(const ChannelRange &bundle, Value firstKey, Value extent, Value fromRow) {
  packKeys(bundle, firstKey, extent);
  forEachGroup(bundle, [&](LaneEmitter &group) {
    Value factor = items.factor(group, block);
    auto weight = [&](Value row, int64_t offset, Value key) {
      return weightAt(e.add(row, offset), key);
    };
    PanelProduct product = productOf(group, bundle, weight);
    e.loop(fromRow, rows, e.index(strip),
           [&](Value row) { product.addStrip(group, row, e.index(0), extent, factor); });
  });
}

//===----------------------------------------------------------------------===//
// The diagonal
//===----------------------------------------------------------------------===//

/// The rows of a block on the diagonal are finished with c from before it, since
/// each sees other keys of it; then the keys are added to the rows below.
void FullForward::walkDiagonal() {
  int64_t size = kDiagonalStrips * strip;
  e.loop(e.index(0), rows, e.index(size), [&](Value first) {
    Value end = e.min(e.add(first, size), rows), firstKey = e.add(common, first);
    Value extent = e.min(onDiagonal(first, rows), e.index(size));
    packWeights(firstKey, extent, first);
    forEachBundle([&](const ChannelRange &bundle) {
      packKeys(bundle, firstKey, extent, kMostAbove);
      e.loop(first, end, e.index(strip), [&](Value row) { finishStrip(bundle, first, row, end); });
      e.when(e.less(end, rows), [&] { addKeys(bundle, firstKey, extent, end); });
    });
  });
}

/// The keys that all rows of a strip see, as a product, then those that some see.
void FullForward::finishStrip(const ChannelRange &bundle, Value first, Value row, Value end) {
  Value shared = onDiagonal(first, row);
  forEachGroup(bundle, [&](LaneEmitter &group) {
    auto weight = [&](Value row, int64_t offset, Value key) {
      return weightAt(e.add(row, offset), key);
    };
    productOf(group, bundle, weight).addStrip(group, row, e.index(0), shared, group.number(1));
    e.loop(row, e.min(e.add(row, strip), end), e.index(1), [&](Value r) {
      Value column = bundle.columnOf(group);
      finishRow(group, r,
                e.loop(shared, onDiagonal(first, r), e.index(1), sumsOf(group, r),
                       [&](Value key, ValueRange total) {
                         Value factor = e.broadcast(weightAt(r, key), group.type);
                         return Emitter::Values{
                             e.fma(factor, items.panel.load(group, key, 0, column), total[0]),
                             e.fma(factor, items.panel.load(group, key, 1, column), total[1])};
                       }));
    });
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void FullForward::finishRows() {
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    forEachGroup(block, [&](LaneEmitter &group) { finishRow(group, row, sumsOf(group, row)); });
  });
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

SmallVector<Value> FullForward::sumsOf(LaneEmitter &group, Value row) {
  Value column = block.columnOf(group);
  return {sums.load(group, row, 0, column), sums.load(group, row, 1, column)};
}

/// `own`: numerator and denominator, relative to a and c.
void FullForward::finishRow(LaneEmitter &group, Value row, ValueRange own) {
  Value t = e.add(firstRow, row), n = own[0], z = own[1];
  Value m = e.fadd(items.base(group, block), e.broadcast(e.load(rowMaxima, row, 0), group.type));
  // A term may exceed its key's c, and so may what it loses.
  double range = separableRange(element) - (mixer.causal ? kMostAbove : 0);
  Value least = group.number(std::exp(-range));
  Value good =
      e.builder.create<arith::AndIOp>(e.loc, compare(e, arith::CmpFPredicate::OGE, z, least),
                                      compare(e, arith::CmpFPredicate::ORD, n, n));
  Type types[] = {group.type, group.type, group.type};
  MixState state = MixState::from(e.branch(
      inAllLanes(e, good), types, [&] { return Emitter::Values{m, n, z}; },
      [&] { return sumExactly(group, t).values(); }));
  storeResults(group, t, state);
}

void FullForward::storeResults(LaneEmitter &group, Value t, const MixState &state) {
  Value ratio = group.ratio(state);
  // A query without a key is 0 whatever the gate, even a NaN, says.
  Value gated = e.fmul(group.gate(mixer.gate, group.load(mixer.q, t)), ratio);
  Value y = e.select(e.equal(state.z, group.number(0)), group.number(0), gated);
  group.store(y, mixer.inits[0], t);
  if (mixer.inits.size() == 3) {
    group.store(ratio, mixer.inits[1], t);
    group.store(group.logz(state), mixer.inits[2], t);
  }
}

void aft::emitFullMixer(FullOp op, OpBuilder &builder, unsigned vectorBits) {
  Emitter e(builder, op.getLoc());
  FullMixer mixer(op, e, vectorBits);
  FullForward forward(mixer, e);
  Value size = mixer.rowsOfGroup(mixer.queries), blocks = mixer.rowBlocks(mixer.queries, size);
  // Groups with the same keys follow each other.
  Value grid[] = {mixer.batches, e.index(mixer.channelBlocks()), blocks};
  e.grid(grid, [&](ArrayRef<Value> index) {
    // The last queries first: when causal they see the most.
    Value row = e.mul(e.sub(e.sub(blocks, e.index(1)), index[2]), size);
    forward.run(index[0], row, e.min(e.sub(mixer.queries, row), size), mixer.channelsOf(index[1]));
  });
}
