//===- FullForward.cpp - aft.full as a packed product ---------------------===//
// exp(k + w) = exp(w - a) * exp(k - c) * exp(a + c), with a the maximum of w over
// the keys a query sees and c the running maximum of k in a channel: numerator
// and denominator are products of exp(w - a) with [exp(k - c) v | exp(k - c)].
// A block of queries walks the keys that all of them see in large blocks, then,
// when causal, the triangle in strips; c never looks at a key that a query does
// not see. The keys of a query whose sum turns out so small that underflow, or a
// key that is hidden from it, may have spoilt it are added again one by one.

#include "compiler/vector/FullMixer.h"

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/PackedProduct.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace aft;

/// Strips of queries in a work group: they share the packed keys.
static constexpr int64_t kStrips = 32;
/// Keys that are packed at once.
static constexpr int64_t kBlockKeys = 256;

namespace {

/// Emits one block of queries and channels.
class FullForward {
public:
  FullForward(const FullMixer &mixer, Emitter &e, unsigned vectorBits);
  void run(Value batch, Value firstRow, Value firstChannel);

private:
  void findRowMaxima();
  void packWeights(Value firstKey, Value extent);
  void addBlocks();
  void addBlock(LaneEmitter &group, Value firstKey, Value extent);
  void packKey(LaneEmitter &group, Value key, Value i, Value base);
  void multiply(LaneEmitter &group, Value extent, Value column, Value fromRow, Value factor);
  void finishRows();
  void walkStrip(LaneEmitter &group, Value first, Value rest);
  SmallVector<Value> join(LaneEmitter &group, Value row, Value count, ValueRange carried);
  SmallVector<Value> sumsOf(LaneEmitter &group, Value row);
  void finishRow(LaneEmitter &group, Value row, Value top, ValueRange own);
  MixState sumExactly(LaneEmitter &group, Value t);
  void storeResults(LaneEmitter &group, Value t, const MixState &state);
  void forEachGroup(llvm::function_ref<void(LaneEmitter &)> body) {
    mixer.forEachGroup(vectorBits, batch, firstChannel, body);
  }
  Value loadPanel(LaneEmitter &group, Value i, int64_t part) {
    return e.load(panel, {i, e.index(part), e.index(0)}, group.lanes);
  }
  Value columnOf(LaneEmitter &group) { return e.sub(group.channel, firstChannel); }

  const FullMixer &mixer;
  Emitter &e;
  Type element;
  unsigned vectorBits;
  int64_t lanes, strip, blockRows, blockChannels;
  Value weights, panel, rowMaxima, keyMaxima;
  PairedSums sums;
  Value batch, firstRow, rows, firstChannel, visible;
  Value common; ///< keys that all rows see
};

} // namespace

FullForward::FullForward(const FullMixer &mixer, Emitter &e, unsigned vectorBits)
    : mixer(mixer), e(e), element(mixer.element), vectorBits(vectorBits),
      lanes(lanesFor(element, vectorBits)), strip(stripRows(vectorBits)),
      blockRows(kStrips * strip), blockChannels(mixer.channelsOfBlock(lanes)),
      sums(e, blockRows, blockChannels, lanes, element) {
  // Wide enough for the triangle, too.
  weights = e.scratch({blockRows, std::max(kBlockKeys, blockRows) + lanes}, element);
  panel = e.scratch({kBlockKeys, 2, lanes}, element);
  rowMaxima = e.scratch({blockRows}, element);
  keyMaxima = e.scratch({blockChannels}, element);
}

void FullForward::run(Value batchIndex, Value row, Value channel) {
  batch = batchIndex;
  firstRow = row;
  firstChannel = channel;
  rows = e.min(e.sub(mixer.queries, firstRow), e.index(blockRows));
  visible = visibleKeys(e, mixer.lengths, batch, mixer.keys);
  common = mixer.keysSeenBy(firstRow, visible);
  sums.clear();
  Value none = e.number(element, -std::numeric_limits<double>::infinity());
  e.loop(e.index(0), e.index(blockChannels), e.index(1),
         [&](Value i) { e.store(none, keyMaxima, i); });
  findRowMaxima();
  addBlocks();
  finishRows();
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// a: the largest bias among the keys a query sees, 0 where there is none.
void FullForward::findRowMaxima() {
  Type vector = e.typeOf(element, lanes);
  Value none = e.number(vector, -std::numeric_limits<double>::infinity());
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    Value t = e.add(firstRow, row), seen = mixer.keysSeenBy(t, visible);
    Value most = e.loop(e.index(0), seen, e.index(lanes), none, [&](Value key, ValueRange top) {
      Value some = mixer.biases(batch, t, key, e.sub(seen, key), lanes);
      return Emitter::Values{runningMax(e, top[0], some)};
    })[0];
    most = e.reduce(most, [&](Value a, Value b) { return runningMax(e, a, b); });
    Value empty = e.equal(most, e.number(element, -std::numeric_limits<double>::infinity()));
    e.store(e.select(empty, e.number(element, 0), most), rowMaxima, row);
  });
}

/// exp(w - a) for keys from `firstKey` on; 0 in rows beyond the last query.
void FullForward::packWeights(Value firstKey, Value extent) {
  Type vector = e.typeOf(element, lanes);
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    Value maximum = e.broadcast(e.load(rowMaxima, row, 0), vector);
    e.loop(e.index(0), extent, e.index(lanes), [&](Value i) {
      Value some = mixer.biases(batch, e.add(firstRow, row), e.add(firstKey, i),
                                e.sub(extent, i), lanes);
      e.store(e.exp(e.fsub(some, maximum)), weights, {row, i});
    });
  });
  e.loop(rows, e.index(blockRows), e.index(1), [&](Value row) {
    e.loop(e.index(0), extent, e.index(lanes),
           [&](Value i) { e.store(e.number(vector, 0), weights, {row, i}); });
  });
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

/// Puts a key into row i of the panel [exp(k - c) v | exp(k - c)].
void FullForward::packKey(LaneEmitter &group, Value key, Value i, Value base) {
  Value weight = e.exp(e.fsub(group.load(mixer.k, key), base));
  e.store(e.fmul(weight, group.load(mixer.v, key)), panel, {i, e.index(0), e.index(0)});
  e.store(weight, panel, {i, e.index(1), e.index(0)});
}

/// Scales the sums of the rows from `fromRow` on and adds the panel's keys, whose
/// weights lie at `column` on.
void FullForward::multiply(LaneEmitter &group, Value extent, Value column, Value fromRow,
                           Value factor) {
  Value place = columnOf(group);
  e.loop(fromRow, rows, e.index(strip), [&](Value row) {
    SmallVector<Value> zeros(2 * strip, e.number(group.type, 0));
    SmallVector<Value> products = emitStrip(
        e, zeros, 2, extent,
        [&](int64_t i, Value key) {
          return e.load(weights, {e.add(row, i), e.add(column, key)}, 0);
        },
        [&](int64_t part, Value key) { return loadPanel(group, key, part); });
    for (int64_t i = 0; i < strip; ++i)
      for (int64_t part : {0, 1}) {
        SmallVector<Value> at = sums.at(e.add(row, i), part, place);
        Value before = e.load(sums.memory, at, group.lanes);
        e.store(e.fma(before, factor, products[2 * i + part]), sums.memory, at);
      }
  });
}

/// Adds a block of keys that all rows see.
void FullForward::addBlock(LaneEmitter &group, Value firstKey, Value extent) {
  Value place = columnOf(group);
  Value old = e.load(keyMaxima, place, group.lanes);
  Value top = e.loop(firstKey, e.add(firstKey, extent), e.index(1), old,
                     [&](Value key, ValueRange carried) {
                       Value k = group.load(mixer.k, key);
                       return Emitter::Values{runningMax(e, carried[0], k)};
                     })[0];
  e.store(top, keyMaxima, place);
  Value base = group.finite(top);
  e.loop(e.index(0), extent, e.index(1),
         [&](Value i) { packKey(group, e.add(firstKey, i), i, base); });
  multiply(group, extent, e.index(0), e.index(0), e.exp(e.fsub(old, base)));
}

void FullForward::addBlocks() {
  e.loop(e.index(0), common, e.index(kBlockKeys), [&](Value firstKey) {
    Value extent = e.min(e.sub(common, firstKey), e.index(kBlockKeys));
    packWeights(firstKey, extent);
    forEachGroup([&](LaneEmitter &group) { addBlock(group, firstKey, extent); });
  });
}

//===----------------------------------------------------------------------===//
// The triangle
//===----------------------------------------------------------------------===//

void FullForward::finishRows() {
  if (mixer.causal) {
    Value rest = e.max(e.min(e.sub(visible, common), e.index(blockRows)), e.index(0));
    packWeights(common, rest);
    forEachGroup([&](LaneEmitter &group) {
      e.loop(e.index(0), rows, e.index(strip),
             [&](Value first) { walkStrip(group, first, rest); });
    });
    return;
  }
  forEachGroup([&](LaneEmitter &group) {
    Value top = e.load(keyMaxima, columnOf(group), group.lanes);
    e.loop(e.index(0), rows, e.index(1),
           [&](Value row) { finishRow(group, row, top, sumsOf(group, row)); });
  });
}

/// Row r of a block sees `common` + r keys, as far as there are `rest` more. A row
/// is finished, then the key that only the rows after it see joins the panel; at
/// the strip's end all its keys are added to the strips below.
void FullForward::walkStrip(LaneEmitter &group, Value first, Value rest) {
  Value place = columnOf(group), end = e.add(first, strip);
  Value start[] = {e.load(keyMaxima, place, group.lanes), group.number(1)};
  auto walk = [&](Value row, ValueRange carried) {
    SmallVector<Value> own;
    for (Value sum : sumsOf(group, row))
      own.push_back(e.fmul(sum, carried[1]));
    Value joined = e.sub(e.min(row, rest), first);
    own = e.loop(e.index(0), joined, e.index(1), own, [&](Value i, ValueRange total) {
      Value weight = e.broadcast(e.load(weights, {row, e.add(first, i)}, 0), group.type);
      return Emitter::Values{e.fma(weight, loadPanel(group, i, 0), total[0]),
                             e.fma(weight, loadPanel(group, i, 1), total[1])};
    });
    finishRow(group, row, carried[0], own);
    return e.branch(
        e.less(row, rest), {group.type, group.type},
        [&] { return join(group, row, e.sub(row, first), carried); },
        [&] { return Emitter::Values(carried); });
  };
  SmallVector<Value> walked = e.loop(first, e.min(end, rows), e.index(1), start, walk);
  e.store(walked[0], keyMaxima, place);
  Value column = e.min(first, rest), extent = e.min(e.sub(rest, column), e.index(strip));
  e.when(e.less(end, rows), [&] { multiply(group, extent, column, end, walked[1]); });
}

/// Adds the key after those that row `row` sees as the panel's row `count`.
/// `carried`: the running maximum, and what the sums of the strip's start are to
/// be scaled by.
SmallVector<Value> FullForward::join(LaneEmitter &group, Value row, Value count,
                                     ValueRange carried) {
  Value key = e.add(common, row), k = group.load(mixer.k, key);
  Value raised = inAnyLane(e, compare(e, arith::CmpFPredicate::OGT, k, carried[0]));
  SmallVector<Value> next = e.branch(
      raised, {group.type, group.type},
      [&] {
        Value top = runningMax(e, carried[0], k);
        Value factor = e.exp(e.fsub(carried[0], group.finite(top)));
        e.loop(e.index(0), count, e.index(1), [&](Value i) {
          for (int64_t part : {0, 1})
            e.store(e.fmul(loadPanel(group, i, part), factor), panel,
                    {i, e.index(part), e.index(0)});
        });
        return Emitter::Values{top, e.fmul(carried[1], factor)};
      },
      [&] { return Emitter::Values(carried); });
  packKey(group, key, count, group.finite(next[0]));
  return next;
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

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
  Value place = columnOf(group);
  return {e.load(sums.memory, sums.at(row, 0, place), group.lanes),
          e.load(sums.memory, sums.at(row, 1, place), group.lanes)};
}

/// `own`: numerator and denominator, scaled by the row's maximum of w and `top`.
void FullForward::finishRow(LaneEmitter &group, Value row, Value top, ValueRange own) {
  Value t = e.add(firstRow, row), n = own[0], z = own[1];
  Value m = e.fadd(top, e.broadcast(e.load(rowMaxima, row, 0), group.type));
  Value least = group.number(std::exp(-separableRange(element)));
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
  FullMixer mixer(op, e);
  FullForward forward(mixer, e, vectorBits);
  int64_t lanes = lanesFor(mixer.element, vectorBits);
  int64_t blockRows = kStrips * stripRows(vectorBits), block = mixer.channelsOfBlock(lanes);
  Value blocks = e.ceilDiv(mixer.queries, blockRows);
  Value grid[] = {blocks, mixer.batches, e.index((mixer.channels + block - 1) / block)};
  e.grid(grid, [&](ArrayRef<Value> index) {
    // The last queries first: when causal they see the most.
    Value row = e.sub(e.sub(blocks, e.index(1)), index[0]);
    forward.run(index[1], e.mul(row, blockRows), e.mul(index[2], block));
  });
}
