//===- FullMixerGrad.cpp - Derivatives of aft.full: dq, dk, dv ------------===//
// With G = dy * g(q), p = exp(k + w - logz) and R the ratio:
//   dv[t'] = sum_t p G[t],  dk[t'] = sum_t p G[t] (v[t'] - R[t]).
// As in the forward direction p comes apart, p = exp(w - b) * exp(-logz - c) *
// exp(k + b + c), with b the maximum of w over the queries that see a key and c
// the running maximum of -logz in a channel; so both are products of exp(w - b)
// with [exp(-logz - c) G | exp(-logz - c) G R]. p itself is at most 1: what the
// first two factors lose by underflow cannot matter unless the third is large,
// and then the sums of that key are formed exactly.

#include "compiler/vector/FullMixer.h"

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/PackedProduct.h"

#include <limits>

using namespace mlir;
using namespace aft;

/// Strips of keys in a work group: they share the packed queries.
static constexpr int64_t kStrips = 32;
/// Queries that are packed at once.
static constexpr int64_t kBlockQueries = 128;
/// Queries of a work group of dq.
static constexpr int64_t kRowsOfDq = 512;

namespace {

/// Emits dk and dv of one block of keys and channels.
class KeyGradients {
public:
  KeyGradients(const FullMixer &mixer, Emitter &e, unsigned vectorBits);
  void run(Value batch, Value firstKey, Value firstChannel);

private:
  void clear();
  void findMaxima(Value firstQuery);
  void packWeights(Value firstQuery, Value extent);
  void fold(LaneEmitter &group, Value firstQuery, Value extent);
  Value queryExponent(LaneEmitter &group, Value t);
  void packQueries(LaneEmitter &group, Value firstQuery, Value extent, Value base);
  void finishKey(LaneEmitter &group, Value row);
  SmallVector<Value> sumExactly(LaneEmitter &group, Value key, Value k, Value v);
  void forEachGroup(llvm::function_ref<void(LaneEmitter &)> body) {
    mixer.forEachGroup(vectorBits, batch, firstChannel, body);
  }
  /// How many keys of the block query t sees.
  Value seenBy(Value t) { return e.sub(mixer.keysSeenBy(t, visible), firstKey); }
  Value columnOf(LaneEmitter &group) { return e.sub(group.channel, firstChannel); }

  const FullMixer &mixer;
  Emitter &e;
  Type element;
  unsigned vectorBits;
  int64_t lanes, strip, blockKeys, blockChannels;
  Value weights, panel, biasMaxima, queryMaxima;
  PairedSums sums;
  Value batch, firstKey, rows, firstChannel, visible;
};

} // namespace

KeyGradients::KeyGradients(const FullMixer &mixer, Emitter &e, unsigned vectorBits)
    : mixer(mixer), e(e), element(mixer.element), vectorBits(vectorBits),
      lanes(lanesFor(element, vectorBits)), strip(stripRows(vectorBits)),
      blockKeys(kStrips * strip), blockChannels(mixer.channelsOfBlock(lanes)),
      sums(e, blockKeys, blockChannels, lanes, element) {
  weights = e.scratch({kBlockQueries, blockKeys}, element);
  panel = e.scratch({kBlockQueries, 2, lanes}, element);
  biasMaxima = e.scratch({blockKeys}, element);
  queryMaxima = e.scratch({blockChannels}, element);
}

void KeyGradients::clear() {
  sums.clear();
  Value none = e.number(element, -std::numeric_limits<double>::infinity());
  auto fill = [&](Value memory, int64_t count) {
    e.loop(e.index(0), e.index(count), e.index(1), [&](Value i) { e.store(none, memory, i); });
  };
  fill(biasMaxima, blockKeys);
  fill(queryMaxima, blockChannels);
}

void KeyGradients::run(Value batchIndex, Value key, Value channel) {
  batch = batchIndex;
  firstKey = key;
  firstChannel = channel;
  rows = e.min(e.sub(mixer.keys, firstKey), e.index(blockKeys));
  visible = visibleKeys(e, mixer.lengths, batch, mixer.keys);
  clear();
  Value first = mixer.firstQueryOf(firstKey);
  // Nothing to sum up where all keys are hidden.
  first = e.select(e.less(firstKey, visible), first, mixer.queries);
  findMaxima(first);
  e.loop(first, mixer.queries, e.index(kBlockQueries), [&](Value firstQuery) {
    Value extent = e.min(e.sub(mixer.queries, firstQuery), e.index(kBlockQueries));
    packWeights(firstQuery, extent);
    forEachGroup([&](LaneEmitter &group) { fold(group, firstQuery, extent); });
  });
  forEachGroup([&](LaneEmitter &group) {
    e.loop(e.index(0), rows, e.index(1), [&](Value row) { finishKey(group, row); });
  });
}

//===----------------------------------------------------------------------===//
// Weights
//===----------------------------------------------------------------------===//

/// b: the largest bias among the queries that see a key, 0 where there is none.
void KeyGradients::findMaxima(Value firstQuery) {
  e.loop(firstQuery, mixer.queries, e.index(1), [&](Value t) {
    Value seen = e.min(seenBy(t), rows);
    e.loop(e.index(0), seen, e.index(lanes), [&](Value i) {
      Value some = mixer.biases(batch, t, e.add(firstKey, i), e.sub(seen, i), lanes);
      e.store(runningMax(e, e.load(biasMaxima, i, lanes), some), biasMaxima, i);
    });
  });
  Value none = e.number(element, -std::numeric_limits<double>::infinity());
  e.loop(e.index(0), e.index(blockKeys), e.index(1), [&](Value i) {
    Value most = e.load(biasMaxima, i, 0);
    e.store(e.select(e.equal(most, none), e.number(element, 0), most), biasMaxima, i);
  });
}

/// exp(w - b), 0 where the key is hidden or beyond the last one.
void KeyGradients::packWeights(Value firstQuery, Value extent) {
  e.loop(e.index(0), extent, e.index(1), [&](Value query) {
    Value t = e.add(firstQuery, query), seen = e.min(seenBy(t), rows);
    e.loop(e.index(0), e.index(blockKeys), e.index(lanes), [&](Value i) {
      Value some = mixer.biases(batch, t, e.add(firstKey, i), e.sub(seen, i), lanes);
      e.store(e.exp(e.fsub(some, e.load(biasMaxima, i, lanes))), weights, {query, i});
    });
  });
}

//===----------------------------------------------------------------------===//
// The product
//===----------------------------------------------------------------------===//

/// -log Z, and -inf for a query without a key.
Value KeyGradients::queryExponent(LaneEmitter &group, Value t) {
  Value logz = group.load(mixer.logz, t), none = group.infinity(true);
  return e.select(e.equal(logz, none), none, e.fsub(group.number(0), logz));
}

void KeyGradients::packQueries(LaneEmitter &group, Value firstQuery, Value extent, Value base) {
  e.loop(e.index(0), extent, e.index(1), [&](Value i) {
    Value t = e.add(firstQuery, i), x = queryExponent(group, t);
    Value g = e.fmul(e.exp(e.fsub(x, base)), mixer.gatedGradient(group, t));
    // A query without a key has no gradient, whatever its operands are.
    g = e.select(e.equal(x, group.infinity(true)), group.number(0), g);
    e.store(g, panel, {i, e.index(0), e.index(0)});
    e.store(e.fmul(g, group.load(mixer.ratio, t)), panel, {i, e.index(1), e.index(0)});
  });
}

void KeyGradients::fold(LaneEmitter &group, Value firstQuery, Value extent) {
  Value place = columnOf(group);
  Value old = e.load(queryMaxima, place, group.lanes);
  Value top = e.loop(
      firstQuery, e.add(firstQuery, extent), e.index(1), old, [&](Value t, ValueRange carried) {
        return Emitter::Values{runningMax(e, carried[0], queryExponent(group, t))};
      })[0];
  e.store(top, queryMaxima, place);
  Value base = group.finite(top), factor = e.exp(e.fsub(old, base));
  packQueries(group, firstQuery, extent, base);
  // Keys below are seen by none of the queries, and their sums are still 0.
  Value seen = e.min(seenBy(e.sub(e.add(firstQuery, extent), e.index(1))), rows);
  e.loop(e.index(0), seen, e.index(strip), [&](Value row) {
    SmallVector<Value> zeros(2 * strip, e.number(group.type, 0));
    SmallVector<Value> products = emitStrip(
        e, zeros, 2, extent,
        [&](int64_t i, Value query) { return e.load(weights, {query, e.add(row, i)}, 0); },
        [&](int64_t part, Value query) {
          return e.load(panel, {query, e.index(part), e.index(0)}, group.lanes);
        });
    for (int64_t i = 0; i < strip; ++i)
      for (int64_t part : {0, 1}) {
        SmallVector<Value> at = sums.at(e.add(row, i), part, place);
        Value before = e.load(sums.memory, at, group.lanes);
        e.store(e.fma(before, factor, products[2 * i + part]), sums.memory, at);
      }
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
  Value key = e.add(firstKey, row), place = columnOf(group), zero = group.number(0);
  Value k = group.load(mixer.k, key), v = group.load(mixer.v, key);
  Value first = e.load(sums.memory, sums.at(row, 0, place), group.lanes);
  Value second = e.load(sums.memory, sums.at(row, 1, place), group.lanes);
  Value x = e.fadd(k, e.fadd(e.load(queryMaxima, place, group.lanes),
                             e.broadcast(e.load(biasMaxima, row, 0), group.type)));
  Value bounded =
      compare(e, arith::CmpFPredicate::OLE, x, group.number(separableRange(element)));
  Value difference = e.fsub(e.fmul(v, first), second);
  Value ordered = compare(e, arith::CmpFPredicate::ORD, first, difference);
  Value good = inAllLanes(e, e.builder.create<arith::AndIOp>(e.loc, bounded, ordered));
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
static void emitQueryGradient(const FullMixer &mixer, Emitter &e, unsigned vectorBits) {
  Value grid[] = {mixer.batches, e.ceilDiv(mixer.queries, kRowsOfDq)};
  e.grid(grid, [&](ArrayRef<Value> index) {
    Value first = e.mul(index[1], kRowsOfDq);
    Value last = e.min(e.add(first, kRowsOfDq), mixer.queries);
    e.loop(first, last, e.index(1), [&](Value t) {
      forEachLaneGroupOfBatch(
          e, mixer.element, vectorBits, index[0], mixer.channels, 1, [&](LaneEmitter &group) {
            Value slope = group.gateDerivative(mixer.gate, group.load(mixer.q, t));
            Value dq =
                e.fmul(e.fmul(group.load(mixer.dy, t), slope), group.load(mixer.ratio, t));
            Value none = e.equal(group.load(mixer.logz, t), group.infinity(true));
            group.store(e.select(none, group.number(0), dq), mixer.inits[0], t);
          });
    });
  });
}

void aft::emitFullMixerGrad(FullGradOp op, OpBuilder &builder, unsigned vectorBits) {
  Emitter e(builder, op.getLoc());
  FullMixer mixer(op, e);
  KeyGradients gradients(mixer, e, vectorBits);
  int64_t block = mixer.channelsOfBlock(lanesFor(mixer.element, vectorBits));
  int64_t blockKeys = kStrips * stripRows(vectorBits);
  // The largest groups first, so that threads end at the same time.
  emitFullBiasGrad(mixer, vectorBits);
  Value grid[] = {e.ceilDiv(mixer.keys, blockKeys), mixer.batches,
                  e.index((mixer.channels + block - 1) / block)};
  e.grid(grid, [&](ArrayRef<Value> index) {
    gradients.run(index[1], e.mul(index[0], blockKeys), e.mul(index[2], block));
  });
  emitQueryGradient(mixer, e, vectorBits);
}
