//===- FullBiasGrad.cpp - Derivative of aft.full: the bias ----------------===//
// dw[t,t'] = sum over batch and channels of p G[t] (v[t'] - R[t]) comes, tile by
// tile, as exp(w - a) times a product over the channels,
//   [u | -u R] * [exp(k - c) v | exp(k - c)],  u = exp(a + c - logz) G,
// with a the maximum of w in the tile's row and c that of k in its channel. Keys
// are transposed while they are packed; in pairs, u and -u R of a channel are one, and so
// are the two numbers that they meet. Where the exponent a + c - logz is so
// large that underflow may matter, the row of the tile is formed exactly.

#include "compiler/vector/full/FullMixer.h"

#include "compiler/vector/product/PackedProduct.h"
#include "compiler/vector/product/ProductPacking.h"

#include <limits>

using namespace mlir;
using namespace aft;

/// Keys of a tile, and most channels that are packed at once.
static constexpr int64_t kTileKeys = 512, kBlockChannels = 128;
/// The fewest queries of a tile when there would else be less than so many tiles.
static constexpr int64_t kFewestRows = 96, kWantedTiles = 6;

/// Queries between the one that is read and the one that is fetched.
static constexpr int64_t kAhead = 4;
/// The same of keys where little is done with each.
static constexpr int64_t kKeysAhead = 16;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

namespace {

/// Emits one tile of dw.
class BiasGradient {
public:
  BiasGradient(const FullMixer &mixer, Emitter &e);
  /// For batch entries [firstBatch, lastBatch).
  /// and `count` queries.
  void run(Value firstBatch, Value lastBatch, Value firstRow, Value count, Value firstKey);

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
  /// Channels [channel, channel + lanes) of a row; `other` beyond the first `count`.
  Value loadRow(Value memref, Value batch, Value t, Value channel, Value count, double other) {
    Value place[] = {batch, t, channel};
    if (mixer.channels % blockChannels == 0)
      return e.convert(e.load(memref, place, lanes), element);
    return loadSome(e, memref, place, element, lanes, count, other);
  }
  /// FullMixer::middle of channels.
  Value middle(Value batch, Value channel, Value count) {
    Value last = e.sub(mixer.queries, e.index(1));
    return loadRow(mixer.ratio, batch, last, channel, count, 0);
  }
  /// How many keys of the tile query t sees, lengths aside.
  Value seenBy(Value t) {
    return e.min(e.sub(mixer.keysSeenBy(t, mixer.keys), firstKey), tileKeys);
  }

  /// The two numbers of the channels from `column` on in line `i`, as they are packed.
  void storeUnits(Value first, Value second, Value memory, Value i, Value column);

  const FullMixer &mixer;
  const PackedForm &form;
  Emitter &e;
  Type element, vector;
  int64_t lanes, panelKeys, strip, blockRows, blockChannels;
  int64_t depth; ///< steps of the product
  Value tile, queries, keyRows, panel, rowMaxima, keyMaxima, exponents, exact;
  Value firstBatch, lastBatch, firstRow, rows, firstKey, tileKeys;
};

} // namespace

/// Blocks of about the same size, of whole vectors.
static int64_t blockOf(int64_t channels, int64_t lanes) {
  int64_t blocks = (channels + kBlockChannels - 1) / kBlockChannels;
  return ((channels + blocks - 1) / blocks + lanes - 1) / lanes * lanes;
}

BiasGradient::BiasGradient(const FullMixer &mixer, Emitter &e)
    : mixer(mixer), form(mixer.form), e(e), element(mixer.element), lanes(mixer.lanes),
      panelKeys(2 * lanes), strip(mixer.strip), blockRows(mixer.mostRows()),
      blockChannels(blockOf(mixer.channels, lanes)), depth(blockChannels * 2 / form.perStep()) {
  vector = e.typeOf(element, lanes);
  tile = e.scratch({kTileKeys / panelKeys, blockRows, panelKeys}, element);
  queries = e.scratch({blockRows, depth + lanes}, form.unit);
  keyRows = e.scratch({panelKeys, depth}, form.unit);
  panel = e.scratch({depth, panelKeys}, form.unit);
  rowMaxima = e.scratch({blockRows}, element);
  keyMaxima = e.scratch({blockChannels}, element);
  exponents = e.scratch({blockRows, lanes}, element);
  exact = e.scratch({1}, element);
}

void BiasGradient::clear() {
  Value zero = e.number(vector, 0), none = e.number(vector, -kInfinity);
  Value padded = e.mul(e.ceilDiv(rows, strip), strip);
  e.loop(e.index(0), padded, e.index(1), [&](Value row) {
    e.store(none, exponents, {row, e.index(0)});
    e.loop(e.index(0), e.ceilDiv(tileKeys, panelKeys), e.index(1), [&](Value column) {
      for (int64_t part = 0; part < panelKeys; part += lanes)
        e.store(zero, tile, {column, row, e.index(part)});
    });
  });
  e.loop(rows, padded, e.index(1), [&](Value row) {
    e.loop(e.index(0), e.index(depth), e.index(lanes),
           [&](Value i) { e.store(form.zeros(e, lanes), queries, {row, i}); });
  });
}

void BiasGradient::run(Value first, Value last, Value row, Value count, Value key) {
  firstBatch = first;
  lastBatch = last;
  firstRow = row;
  firstKey = key;
  rows = count;
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
    Value t = e.add(firstRow, row);
    e.store(mixer.largestBias(firstBatch, t, firstKey, seenBy(t)), rowMaxima, row);
  });
}

void BiasGradient::findKeyMaxima(Value batch, Value seen, Value firstChannel, Value channels) {
  Value none = e.number(vector, -kInfinity);
  auto overColumns = [&](llvm::function_ref<void(Value)> body) {
    e.loop(e.index(0), e.index(blockChannels), e.index(lanes), body);
  };
  overColumns([&](Value i) { e.store(none, keyMaxima, i); });
  e.loop(e.index(0), seen, e.index(1), [&](Value key) {
    Value ahead = e.min(e.add(e.add(firstKey, key), kKeysAhead), e.sub(mixer.keys, e.index(1)));
    overColumns([&](Value i) {
      prefetchAt(e, mixer.k, {batch, ahead, e.add(firstChannel, i)}, /*isWrite=*/false);
      Value k = loadRow(mixer.k, batch, e.add(firstKey, key), e.add(firstChannel, i),
                        e.sub(channels, i), -kInfinity);
      e.store(runningMax(e, e.load(keyMaxima, i, lanes), k), keyMaxima, i);
    });
  });
  overColumns([&](Value i) {
    Value top = e.load(keyMaxima, i, lanes);
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

void BiasGradient::storeUnits(Value first, Value second, Value memory, Value i, Value column) {
  if (form.pairs)
    return e.store(form.unitsOf(e, first, second), memory, {i, column});
  e.store(first, memory, {i, column});
  e.store(second, memory, {i, e.add(column, blockChannels)});
}

/// u and -u R for `channels` channels, 0 beyond.
void BiasGradient::packQuery(LaneEmitter &group, Value row, Value column, Value channels) {
  Value t = e.add(firstRow, row);
  Value ahead = e.min(e.add(t, kAhead), e.sub(mixer.queries, e.index(1)));
  auto some = [&](Value memref, double other) {
    prefetchAt(e, memref, {group.batch, ahead, group.channel}, /*isWrite=*/false);
    return loadRow(memref, group.batch, t, group.channel, channels, other);
  };
  Value logz = some(mixer.logz, kInfinity), none = group.infinity(true);
  Value maximum = e.broadcast(e.load(rowMaxima, row, 0), vector);
  Value x = e.fsub(e.fadd(e.load(keyMaxima, column, lanes), maximum), logz);
  x = e.select(e.equal(logz, none), none, x);
  Value g = e.fmul(some(mixer.dy, 0), mixer.gateOf(group, some(mixer.q, 0)));
  Value u = form.narrow(e, e.select(e.equal(x, none), group.number(0), e.fmul(form.exp(e, x), g)));
  Value minus = e.fsub(group.number(0), e.convert(u, element));
  Value ratio = some(mixer.ratio, 0);
  if (form.pairs)
    ratio = e.fsub(ratio, middle(group.batch, group.channel, channels));
  Value second = form.narrow(e, e.fmul(minus, ratio));
  storeUnits(u, second, queries, row, column);
  Value place[] = {row, e.index(0)};
  e.store(runningMax(e, e.load(exponents, place, lanes), x), exponents, place);
}

/// Rows of exp(k - c) v and of exp(k - c), 0 for keys that are hidden.
void BiasGradient::packKeys(Value batch, Value seen, Value first, Value firstChannel,
                            Value channels) {
  auto overColumns = [&](Value i, llvm::function_ref<std::pair<Value, Value>(Value)> pairOf) {
    e.loop(e.index(0), e.index(blockChannels), e.index(lanes), [&](Value column) {
      auto [weighted, weight] = pairOf(column);
      storeUnits(weighted, weight, keyRows, i, column);
    });
  };
  Value there = e.min(e.sub(seen, first), e.index(panelKeys));
  e.loop(e.index(0), there, e.index(1), [&](Value i) {
    Value key = e.add(firstKey, e.add(first, i));
    // Those of the next panel are fetched meanwhile.
    Value ahead = e.min(e.add(key, panelKeys), e.sub(mixer.keys, e.index(1)));
    overColumns(i, [&](Value column) {
      Value channel = e.add(firstChannel, column), count = e.sub(channels, column);
      for (Value memref : {mixer.k, mixer.v})
        prefetchAt(e, memref, {batch, ahead, channel}, /*isWrite=*/false);
      Value k = loadRow(mixer.k, batch, key, channel, count, -kInfinity);
      Value v = loadRow(mixer.v, batch, key, channel, count, 0);
      if (form.pairs)
        v = e.fsub(v, middle(batch, channel, count));
      Value weight = form.narrow(e, form.exp(e, e.fsub(k, e.load(keyMaxima, column, lanes))));
      return std::pair(form.narrow(e, e.fmul(e.convert(weight, element), v)), weight);
    });
  });
  Value zero = form.narrow(e, e.number(vector, 0));
  e.loop(there, e.index(panelKeys), e.index(1),
         [&](Value i) { overColumns(i, [&](Value) { return std::pair(zero, zero); }); });
}

/// Squares of lanes x lanes are transposed in registers.
void BiasGradient::transposePanel() {
  e.loop(e.index(0), e.index(depth), e.index(lanes), [&](Value step) {
    e.loop(e.index(0), e.index(panelKeys), e.index(lanes), [&](Value key) {
      SmallVector<Value> rows;
      for (int64_t i = 0; i < lanes; ++i)
        rows.push_back(e.load(keyRows, {e.add(key, i), step}, lanes));
      for (auto [i, line] : llvm::enumerate(transposeSquare(e, rows)))
        e.store(line, panel, {e.add(step, i), key});
    });
  });
}

void BiasGradient::multiply(Value first) {
  int64_t bytes = element.getIntOrFloatBitWidth() / 8;
  Value column = e.div(first, panelKeys);
  // Queries above see none of the panel's keys.
  Value above = e.sub(mixer.firstQueryOf(e.add(firstKey, first)), firstRow);
  Value fromRow = e.roundDown(e.max(above, e.index(0)), strip);
  e.loop(fromRow, rows, e.index(strip), [&](Value row) {
    if (form.inTiles()) {
      TileRows to = tileRows(e, tile, {column, row, e.index(0)});
      return emitTileProduct(e, tileRows(e, queries, {row, e.index(0)}),
                             tileRows(e, panel, {e.index(0), e.index(0)}), e.index(depth), to, to,
                             [](Value) {});
    }
    // The tile is needed at the end, and seldom lies in the L1 cache.
    for (int64_t i = 0; i < strip; ++i)
      for (int64_t part = 0; part < panelKeys * bytes; part += 64)
        prefetchAt(e, tile, {column, e.add(row, i), e.index(part / bytes)}, /*isWrite=*/true);
    SmallVector<Value> zeros(2 * strip, e.number(vector, 0));
    Type units = e.typeOf(form.unit, lanes);
    form.freeRegisters(e);
    SmallVector<Value> products = emitStrip(
        e, zeros, 2, e.index(depth),
        [&](int64_t i, Value step) {
          return e.broadcast(e.load(queries, {e.add(row, i), step}, 0), units);
        },
        [&](int64_t part, Value step) {
          return e.load(panel, {step, e.index(part * lanes)}, lanes);
        },
        [&](Value l, Value r, Value sum) { return form.addProduct(e, l, r, sum); });
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
    e.loop(e.index(0), tileKeys, e.index(lanes), [&](Value column) { finishVector(row, column); });
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
  Value zero = e.number(vector, 0), isHidden = e.equal(weight, zero);
  Value scaled = e.select(isHidden, zero, e.fmul(weight, sum));
  auto isAtMost = [&](double range) {
    return e.compare(arith::CmpFPredicate::OLE, e.load(exponents, {row, e.index(0)}, lanes),
                     e.number(vector, range));
  };
  Value areSafe = e.either(isHidden, isAtMost(safeRange(element)));
  Value isSumSound = isSound(e, e.select(isHidden, zero, sum), areSafe);
  Value good = inAllLanes(e, e.both(isAtMost(separableRange(element)), isSumSound));
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
            Value hidden = e.either(e.equal(p, zero), e.equal(logz, group.infinity(true)));
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
  Value keyTiles = e.ceilDiv(mixer.keys, kTileKeys);
  Value wanted = e.div(e.mul(mixer.queries, keyTiles), kWantedTiles);
  Value size = mixer.evenRows(mixer.queries, e.max(wanted, e.index(kFewestRows)));
  Value blocks = mixer.rowBlocks(mixer.queries, size);
  SmallVector<Value> grid = {blocks, keyTiles};
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
    Value row = e.mul(e.sub(e.sub(blocks, e.index(1)), place[0]), size);
    if (mixer.form.inTiles())
      beginTiles(e);
    gradient.run(first, last, row, e.min(e.sub(mixer.queries, row), size),
                 e.mul(place[1], kTileKeys));
    if (mixer.form.inTiles())
      endTiles(e);
  });
}
