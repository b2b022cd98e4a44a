//===- FullBiasGrad.cpp - Derivative of aft.full: the bias ----------------===//
// dw[t,t'] = sum over batch and channels of p G[t] (v[t'] - R[t]) comes, tile by
// tile, as exp(w - a) times a product over the channels,
//   [u | -u R] * [exp(k - c) v | exp(k - c)],  u = exp(a + c - logz) G,
// with a the maximum of w in the tile's row and c that of k in its channel. Keys
// are transposed while they are packed. Where the exponent a + c - logz is so
// large that underflow may matter, the row of the tile is formed exactly.

#include "compiler/vector/FullMixer.h"

#include "compiler/vector/PackedProduct.h"

#include <limits>

using namespace mlir;
using namespace aft;

/// Strips of queries, keys of a tile, and channels that are packed at once.
static constexpr int64_t kStrips = 32, kTileKeys = 512, kBlockChannels = 64;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

namespace {

/// Emits one tile of dw.
class BiasGradient {
public:
  BiasGradient(const FullMixer &mixer, Emitter &e);
  /// For batch entries [firstBatch, lastBatch).
  void run(Value firstBatch, Value lastBatch, Value firstRow, Value firstKey);
  int64_t tileRows() const { return blockRows; }

private:
  void clear();
  void findRowMaxima();
  void addChannels(Value batch, Value seen, Value firstChannel);
  void findKeyMaxima(Value batch, Value seen, Value firstChannel, Value channels);
  void packQueries(Value batch, Value firstChannel, Value channels);
  void packQuery(LaneEmitter &group, Value row, Value column, Value channels);
  void packKeys(Value batch, Value seen, Value first, Value firstChannel, Value channels);
  void transposePanel();
  void multiply(Value first);
  void finish();
  void finishVector(Value row, Value column);
  void sumExactly(Value t, Value key);
  /// How many keys of the tile query t sees, lengths aside.
  Value seenBy(Value t) {
    return e.min(e.sub(mixer.keysSeenBy(t, mixer.keys), firstKey), tileKeys);
  }

  const FullMixer &mixer;
  Emitter &e;
  Type element, vector;
  int64_t lanes, panelKeys, strip, blockRows, blockChannels;
  Value tile, queries, keyRows, panel, rowMaxima, keyMaxima, exponents, exact;
  Value firstBatch, lastBatch, firstRow, rows, firstKey, tileKeys;
};

} // namespace

BiasGradient::BiasGradient(const FullMixer &mixer, Emitter &e)
    : mixer(mixer), e(e), element(mixer.element), lanes(mixer.lanes), panelKeys(2 * lanes),
      strip(mixer.strip),
      blockRows(kStrips * strip),
      blockChannels(std::min(kBlockChannels, (mixer.channels + lanes - 1) / lanes * lanes)) {
  vector = e.typeOf(element, lanes);
  tile = e.scratch({kTileKeys / panelKeys, blockRows, panelKeys}, element);
  queries = e.scratch({blockRows, 2 * blockChannels + lanes}, element);
  keyRows = e.scratch({2, panelKeys, blockChannels}, element);
  panel = e.scratch({2 * blockChannels, panelKeys}, element);
  rowMaxima = e.scratch({blockRows}, element);
  keyMaxima = e.scratch({blockChannels}, element);
  exponents = e.scratch({blockRows, lanes}, element);
  exact = e.scratch({1}, element);
}

void BiasGradient::clear() {
  Value zero = e.number(vector, 0), none = e.number(vector, -kInfinity);
  e.loop(e.index(0), e.index(blockRows), e.index(1), [&](Value row) {
    e.store(none, exponents, {row, e.index(0)});
    e.loop(e.index(0), e.index(kTileKeys / panelKeys), e.index(1), [&](Value column) {
      for (int64_t part = 0; part < panelKeys; part += lanes)
        e.store(zero, tile, {column, row, e.index(part)});
    });
  });
  e.loop(rows, e.index(blockRows), e.index(1), [&](Value row) {
    e.loop(e.index(0), e.index(2 * blockChannels), e.index(lanes),
           [&](Value i) { e.store(zero, queries, {row, i}); });
  });
}

void BiasGradient::run(Value first, Value last, Value row, Value key) {
  firstBatch = first;
  lastBatch = last;
  firstRow = row;
  firstKey = key;
  rows = e.min(e.sub(mixer.queries, firstRow), e.index(blockRows));
  tileKeys = e.min(e.sub(mixer.keys, firstKey), e.index(kTileKeys));
  clear();
  findRowMaxima();
  // The last row sees the most.
  Value seenByAny = seenBy(e.sub(e.add(firstRow, rows), e.index(1)));
  e.loop(firstBatch, lastBatch, e.index(1), [&](Value batch) {
    Value visible = visibleKeys(e, mixer.lengths, batch, mixer.keys);
    Value seen = e.min(e.sub(visible, firstKey), seenByAny);
    e.when(e.less(e.index(0), seen), [&] {
      e.loop(e.index(0), e.index(mixer.channels), e.index(blockChannels),
             [&](Value channel) { addChannels(batch, seen, channel); });
    });
  });
  finish();
}

void BiasGradient::addChannels(Value batch, Value seen, Value firstChannel) {
  Value channels = e.sub(e.index(mixer.channels), firstChannel);
  findKeyMaxima(batch, seen, firstChannel, channels);
  packQueries(batch, firstChannel, channels);
  e.loop(e.index(0), seen, e.index(panelKeys), [&](Value first) {
    packKeys(batch, seen, first, firstChannel, channels);
    transposePanel();
    multiply(first);
  });
}

//===----------------------------------------------------------------------===//
// Maxima
//===----------------------------------------------------------------------===//

void BiasGradient::findRowMaxima() {
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    Value t = e.add(firstRow, row), seen = seenBy(t), none = e.number(vector, -kInfinity);
    Value most = e.loop(e.index(0), seen, e.index(lanes), none, [&](Value i, ValueRange top) {
      Value some = mixer.biases(firstBatch, t, e.add(firstKey, i), e.sub(seen, i));
      return Emitter::Values{runningMax(e, top[0], some)};
    })[0];
    most = e.reduce(most, [&](Value a, Value b) { return runningMax(e, a, b); });
    Value empty = e.equal(most, e.number(element, -kInfinity));
    e.store(e.select(empty, e.number(element, 0), most), rowMaxima, row);
  });
}

void BiasGradient::findKeyMaxima(Value batch, Value seen, Value firstChannel, Value channels) {
  e.loop(e.index(0), e.index(blockChannels), e.index(lanes), [&](Value i) {
    Value none = e.number(vector, -kInfinity), channel = e.add(firstChannel, i);
    Value top = e.loop(e.index(0), seen, e.index(1), none, [&](Value key, ValueRange carried) {
      Value k = loadSome(e, mixer.k, {batch, e.add(firstKey, key), channel}, element, lanes,
                         e.sub(channels, i), -kInfinity);
      return Emitter::Values{runningMax(e, carried[0], k)};
    })[0];
    e.store(e.select(e.equal(top, none), e.number(vector, 0), top), keyMaxima, i);
  });
}

//===----------------------------------------------------------------------===//
// Packing
//===----------------------------------------------------------------------===//

void BiasGradient::packQueries(Value batch, Value firstChannel, Value channels) {
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    e.loop(e.index(0), e.index(blockChannels), e.index(lanes), [&](Value i) {
      LaneEmitter group(e, element, lanes, batch, e.add(firstChannel, i));
      packQuery(group, row, i, e.sub(channels, i));
    });
  });
}

/// u and -u R for `channels` channels, 0 beyond.
void BiasGradient::packQuery(LaneEmitter &group, Value row, Value column, Value channels) {
  Value t = e.add(firstRow, row);
  auto some = [&](Value memref, double other) {
    return loadSome(e, memref, {group.batch, t, group.channel}, element, lanes, channels,
                    other);
  };
  Value logz = some(mixer.logz, kInfinity), none = group.infinity(true);
  Value maximum = e.broadcast(e.load(rowMaxima, row, 0), vector);
  Value x = e.fsub(e.fadd(e.load(keyMaxima, column, lanes), maximum), logz);
  x = e.select(e.equal(logz, none), none, x);
  Value g = e.fmul(some(mixer.dy, 0), group.gate(mixer.gate, some(mixer.q, 0)));
  Value u = e.select(e.equal(x, none), group.number(0), e.fmul(e.exp(x), g));
  Value minus = e.fsub(group.number(0), u);
  e.store(u, queries, {row, column});
  e.store(e.fmul(minus, some(mixer.ratio, 0)), queries, {row, e.add(column, blockChannels)});
  Value place[] = {row, e.index(0)};
  e.store(runningMax(e, e.load(exponents, place, lanes), x), exponents, place);
}

/// Rows of exp(k - c) v and of exp(k - c), 0 for keys that are hidden.
void BiasGradient::packKeys(Value batch, Value seen, Value first, Value firstChannel,
                            Value channels) {
  e.loop(e.index(0), e.index(panelKeys), e.index(1), [&](Value i) {
    Value position = e.add(first, i), visible = e.less(position, seen);
    // Hidden keys may lie beyond the end of memory.
    Value key = e.add(firstKey, e.min(position, e.sub(seen, e.index(1))));
    e.loop(e.index(0), e.index(blockChannels), e.index(lanes), [&](Value column) {
      Value count = e.select(visible, e.sub(channels, column), e.index(0));
      Value place[] = {batch, key, e.add(firstChannel, column)};
      Value k = loadSome(e, mixer.k, place, element, lanes, count, -kInfinity);
      Value v = loadSome(e, mixer.v, place, element, lanes, count, 0);
      Value weight = e.exp(e.fsub(k, e.load(keyMaxima, column, lanes)));
      e.store(e.fmul(weight, v), keyRows, {e.index(0), i, column});
      e.store(weight, keyRows, {e.index(1), i, column});
    });
  });
}

/// Squares of lanes x lanes are transposed in registers.
void BiasGradient::transposePanel() {
  auto square = VectorType::get({lanes, lanes}, element);
  e.loop(e.index(0), e.index(2), e.index(1), [&](Value part) {
    e.loop(e.index(0), e.index(panelKeys), e.index(lanes), [&](Value key) {
      e.loop(e.index(0), e.index(blockChannels), e.index(lanes), [&](Value column) {
        Value rows = e.number(square, 0);
        for (int64_t i = 0; i < lanes; ++i) {
          Value row = e.load(keyRows, {part, e.add(key, i), column}, lanes);
          rows = e.builder.create<vector::InsertOp>(e.loc, row, rows, ArrayRef<int64_t>{i});
        }
        Value turned =
            e.builder.create<vector::TransposeOp>(e.loc, rows, ArrayRef<int64_t>{1, 0});
        Value place = e.add(e.mul(part, blockChannels), column);
        for (int64_t i = 0; i < lanes; ++i)
          e.store(e.builder.create<vector::ExtractOp>(e.loc, turned, ArrayRef<int64_t>{i}),
                  panel, {e.add(place, i), key});
      });
    });
  });
}

void BiasGradient::multiply(Value first) {
  Value column = e.div(first, panelKeys);
  // Queries above see none of the panel's keys.
  Value above = e.sub(mixer.firstQueryOf(e.add(firstKey, first)), firstRow);
  Value fromRow = e.roundDown(e.max(above, e.index(0)), strip);
  e.loop(fromRow, rows, e.index(strip), [&](Value row) {
    SmallVector<Value> zeros(2 * strip, e.number(vector, 0));
    SmallVector<Value> products = emitStrip(
        e, zeros, 2, e.index(2 * blockChannels),
        [&](int64_t i, Value k) { return e.load(queries, {e.add(row, i), k}, 0); },
        [&](int64_t part, Value k) {
          return e.load(panel, {k, e.index(part * lanes)}, lanes);
        });
    for (int64_t i = 0; i < strip; ++i)
      for (int64_t part : {0, 1}) {
        Value place[] = {column, e.add(row, i), e.index(part * lanes)};
        e.store(e.fadd(e.load(tile, place, lanes), products[2 * i + part]), tile, place);
      }
  });
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

void BiasGradient::finish() {
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    e.loop(e.index(0), tileKeys, e.index(lanes),
           [&](Value column) { finishVector(row, column); });
  });
}

/// Keys `column` and on of a row: scaled, or exactly where that is not enough.
void BiasGradient::finishVector(Value row, Value column) {
  Value t = e.add(firstRow, row), key = e.add(firstKey, column), seen = seenBy(t);
  Value inPanel = e.sub(column, e.roundDown(column, panelKeys));
  Value sum = e.load(tile, {e.div(column, panelKeys), row, inPanel}, lanes);
  Value w = mixer.biases(firstBatch, t, key, e.sub(seen, column));
  Value weight = e.exp(e.fsub(w, e.broadcast(e.load(rowMaxima, row, 0), vector)));
  // A key of weight 0 is hidden, or as good as that.
  Value scaled =
      e.select(e.equal(weight, e.number(vector, 0)), e.number(vector, 0), e.fmul(weight, sum));
  Value bounded =
      compare(e, arith::CmpFPredicate::OLE, e.load(exponents, {row, e.index(0)}, lanes),
              e.number(vector, separableRange(element)));
  Value ordered = compare(e, arith::CmpFPredicate::ORD, scaled, scaled);
  Value good = inAllLanes(e, e.builder.create<arith::AndIOp>(e.loc, bounded, ordered));
  Value rest = e.sub(tileKeys, column);
  e.branch(
      good, {},
      [&] {
        SmallVector<Value> place = mixer.biasAt(firstBatch, t, key);
        storeSome(e, scaled, mixer.inits[3], place, rest);
        return Emitter::Values{};
      },
      [&] {
        e.loop(e.index(0), e.min(rest, e.index(lanes)), e.index(1), [&](Value i) {
          e.store(e.number(element, 0), exact, e.index(0));
          e.when(e.less(e.add(column, i), seen), [&] { sumExactly(t, e.add(key, i)); });
          e.store(e.load(exact, e.index(0), 0), mixer.inits[3],
                  mixer.biasAt(firstBatch, t, e.add(key, i)));
        });
        return Emitter::Values{};
      });
}

/// Adds the terms of one pair for all batch entries and channels to `exact`.
void BiasGradient::sumExactly(Value t, Value key) {
  e.loop(firstBatch, lastBatch, e.index(1), [&](Value batch) {
    Value visible = visibleKeys(e, mixer.lengths, batch, mixer.keys);
    e.when(e.less(key, visible), [&] {
      forEachLaneGroupOfBatch(
          e, element, mixer.vectorBits, batch, mixer.channels, 1, [&](LaneEmitter &group) {
            Value zero = group.number(0), logz = group.load(mixer.logz, t);
            Value x = exponentOf(group, group.load(mixer.k, key), mixer.bias(group, t, key));
            Value p = e.exp(e.fsub(x, logz));
            Value hidden = e.builder.create<arith::OrIOp>(e.loc, e.equal(p, zero),
                                                          e.equal(logz, group.infinity(true)));
            Value difference = e.fsub(group.load(mixer.v, key), group.load(mixer.ratio, t));
            Value term = e.fmul(e.fmul(p, mixer.gatedGradient(group, t)), difference);
            Value sum = e.reduce(e.select(hidden, zero, term),
                                 [&](Value a, Value b) { return e.fadd(a, b); });
            e.store(e.fadd(e.load(exact, e.index(0), 0), sum), exact, e.index(0));
          });
    });
  });
}

void aft::emitFullBiasGrad(const FullMixer &mixer) {
  Emitter &e = mixer.e;
  BiasGradient gradient(mixer, e);
  Value blocks = e.ceilDiv(mixer.queries, gradient.tileRows());
  SmallVector<Value> grid = {blocks, e.ceilDiv(mixer.keys, kTileKeys)};
  if (mixer.perBatchBias)
    grid.insert(grid.begin(), mixer.batches);
  e.grid(grid, [&](ArrayRef<Value> index) {
    Value first = e.index(0), last = mixer.batches;
    if (mixer.perBatchBias) {
      first = index[0];
      last = e.add(first, 1);
    }
    ArrayRef<Value> place = index.take_back(2);
    // The last queries first: when causal they see the most.
    Value row = e.sub(e.sub(blocks, e.index(1)), place[0]);
    gradient.run(first, last, e.mul(row, gradient.tileRows()), e.mul(place[1], kTileKeys));
  });
}
