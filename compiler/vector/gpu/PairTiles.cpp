//===- PairTiles.cpp - Sums over all pairs of positions, tile by tile -----===//

#include "compiler/vector/gpu/PairTiles.h"

#include "compiler/vector/full/FullMixer.h"
#include "compiler/vector/gpu/Threads.h"

#include <cmath>

using namespace mlir;
using namespace aft;

/// Outputs and channels of a block, and outputs of a thread.
static constexpr int64_t kTile = 32, kOwn = kTile * kTile / kBlockThreads;
/// Bytes of a tile of numbers: f64 has fewer items.
static constexpr int64_t kTileBytes = kTile * kTile * 4;

namespace {

/// Emits one block.
class PairBlock {
public:
  PairBlock(const PairTiles &tiles, Emitter &e);
  void run(ArrayRef<Value> block);

private:
  struct Place {
    Value lane, row; ///< channel and first output of a thread, in the block
  };
  Place placeOf(Value thread);
  LaneEmitter groupOf(Value channel) { return {e, tiles.element, 0, batch, channel}; }
  void clear(Value thread);
  void loadItems(Value thread, Value first, Value last);
  void loadBiases(Value thread, Value first, Value last);
  void findLargest(Value thread);
  void exponentiate(Value thread);
  void addTile(Value thread);
  SmallVector<Value> separable(const Place &place);
  SmallVector<Value> exact(const Place &place);
  SmallVector<Value> merged(ValueRange a, ValueRange b);
  SmallVector<Value> sumOver(const Place &place, ArrayRef<Value> tops,
                             llvm::function_ref<Value(int64_t own, Value item)> weight);
  void finish(Value thread);

  Value at(Value memory, Value row, Value column) { return e.load(memory, {row, column}, 0); }
  Value number(double value) { return e.number(tiles.element, value); }
  Value finite(Value m) { return e.select(e.equal(m, number(-INFINITY)), number(0), m); }

  const PairTiles &tiles;
  Emitter &e;
  int64_t count; ///< items of a tile
  /// [output][item], [item][channel], [value][item][channel]; the largest of each.
  Value biases, weights, exponents, factors, items, rowTops, columnTops;
  /// Of a thread: [output][m, sum of 1, sums of values].
  Value sums;
  Value batch, firstOutput, firstChannel;
};

} // namespace

SmallVector<Value> PairTiles::itemAt(LaneEmitter &group, Value item) const {
  SmallVector<Value> loaded;
  for (Value source : sources)
    loaded.push_back(group.load(source, item));
  return make(group, loaded);
}

PairBlock::PairBlock(const PairTiles &tiles, Emitter &e)
    : tiles(tiles), e(e), count(kTileBytes / kTile / (tiles.element.getIntOrFloatBitWidth() / 8)) {
  Type type = tiles.element;
  // A column more, so that rows begin in different banks.
  biases = sharedMemory(e, {kTile, count + 1}, type);
  weights = sharedMemory(e, {kTile, count + 1}, type);
  exponents = sharedMemory(e, {count, kTile}, type);
  factors = sharedMemory(e, {count, kTile}, type);
  items = sharedMemory(e, {tiles.values, count, kTile}, type);
  rowTops = sharedMemory(e, {kTile}, type);
  columnTops = sharedMemory(e, {kTile}, type);
  sums = threadMemory(e, kBlockThreads, {kOwn, 2 + tiles.values}, type);
}

PairBlock::Place PairBlock::placeOf(Value thread) {
  return {e.rest(thread, kTile), e.mul(e.div(thread, kTile), kOwn)};
}

void PairBlock::clear(Value thread) {
  for (int64_t own = 0; own < kOwn; ++own)
    for (int64_t i = 0; i < 2 + tiles.values; ++i)
      e.store(number(i == 0 ? -INFINITY : 0), sums, {thread, e.index(own), e.index(i)});
}

/// Exponents and values; where there is no item, an exponent that hides it.
void PairBlock::loadItems(Value thread, Value first, Value last) {
  for (int64_t part = 0; part < count * kTile / kBlockThreads; ++part) {
    SmallVector<Value> place =
        delinearize(e, e.add(thread, part * kBlockThreads), {e.index(count), e.index(kTile)});
    Value item = e.add(first, place[0]), channel = e.add(firstChannel, place[1]);
    Value exists = e.both(e.less(item, last), e.less(channel, e.index(tiles.channels)));
    SmallVector<Type> types(1 + tiles.values, tiles.element);
    auto loaded = e.branch(
        exists, types,
        [&] {
          LaneEmitter group = groupOf(channel);
          SmallVector<Value> all = tiles.itemAt(group, item);
          // What a hidden item holds, perhaps NaN, must not be seen.
          Value hidden = e.equal(all.back(), number(-INFINITY));
          for (Value &value : MutableArrayRef<Value>(all).drop_back())
            value = e.select(hidden, number(0), value);
          return all;
        },
        [&] {
          SmallVector<Value> all(1 + tiles.values, number(0));
          all.back() = number(-INFINITY);
          return all;
        });
    e.store(loaded.back(), exponents, place);
    for (int64_t i = 0; i < tiles.values; ++i)
      e.store(loaded[i], items, {e.index(i), place[0], place[1]});
  }
}

void PairBlock::loadBiases(Value thread, Value first, Value last) {
  for (int64_t part = 0; part < count * kTile / kBlockThreads; ++part) {
    SmallVector<Value> place =
        delinearize(e, e.add(thread, part * kBlockThreads), {e.index(kTile), e.index(count)});
    Value output = e.add(firstOutput, place[0]), item = e.add(first, place[1]);
    Value exists = e.both(e.less(output, tiles.outputs), e.less(item, last));
    Value bias = e.branch(
        exists, {tiles.element}, [&] { return Emitter::Values{tiles.bias(batch, output, item)}; },
        [&] { return Emitter::Values{number(-INFINITY)}; })[0];
    e.store(bias, biases, place);
  }
}

/// Of each output and of each channel.
void PairBlock::findLargest(Value thread) {
  auto largest = [&](Value memory, bool alongRow, Value place) {
    return e.loop(e.index(0), e.index(count), e.index(1), number(-INFINITY),
                  [&](Value i, ValueRange carried) {
                    Value one = alongRow ? at(memory, place, i) : at(memory, i, place);
                    return Emitter::Values{e.fmaxNumber(carried[0], one)};
                  })[0];
  };
  e.when(e.less(thread, e.index(kTile)),
         [&] { e.store(finite(largest(biases, true, thread)), rowTops, thread); });
  Value rest = e.sub(thread, e.index(kTile));
  e.when(e.below(rest, e.index(kTile)),
         [&] { e.store(finite(largest(exponents, false, rest)), columnTops, rest); });
}

void PairBlock::exponentiate(Value thread) {
  for (int64_t part = 0; part < count * kTile / kBlockThreads; ++part) {
    Value number = e.add(thread, part * kBlockThreads);
    SmallVector<Value> pair = delinearize(e, number, {e.index(kTile), e.index(count)});
    Value top = e.load(rowTops, pair[0], 0);
    e.store(e.exp(e.fsub(at(biases, pair[0], pair[1]), top)), weights, pair);
    SmallVector<Value> place = delinearize(e, number, {e.index(count), e.index(kTile)});
    top = e.load(columnTops, place[1], 0);
    e.store(e.exp(e.fsub(at(exponents, place[0], place[1]), top)), factors, place);
  }
}

/// m and sums of a thread's outputs, with the weight of each pair; of weight 0 it is hidden.
SmallVector<Value> PairBlock::sumOver(const Place &place, ArrayRef<Value> tops,
                                      llvm::function_ref<Value(int64_t, Value)> weight) {
  int64_t each = 1 + tiles.values;
  SmallVector<Value> start(kOwn * each, number(0)), result;
  SmallVector<Value> totals =
      e.loop(e.index(0), e.index(count), e.index(1), start, [&](Value item, ValueRange carried) {
        SmallVector<Value> values, next;
        for (int64_t i = 0; i < tiles.values; ++i)
          values.push_back(e.load(items, {e.index(i), item, place.lane}, 0));
        for (int64_t own = 0; own < kOwn; ++own) {
          Value one = weight(own, item), hidden = e.equal(one, number(0));
          next.push_back(e.fadd(carried[own * each], one));
          for (int64_t i = 0; i < tiles.values; ++i) {
            Value sum = carried[own * each + 1 + i];
            next.push_back(e.select(hidden, sum, e.fma(one, values[i], sum)));
          }
        }
        return next;
      });
  for (int64_t own = 0; own < kOwn; ++own) {
    result.push_back(tops[own]);
    result.append(totals.begin() + own * each, totals.begin() + (own + 1) * each);
  }
  return result;
}

/// From products of exponentials.
SmallVector<Value> PairBlock::separable(const Place &place) {
  SmallVector<Value> tops;
  Value columnTop = e.load(columnTops, place.lane, 0);
  for (int64_t own = 0; own < kOwn; ++own)
    tops.push_back(e.fadd(e.load(rowTops, e.add(place.row, own), 0), columnTop));
  return sumOver(place, tops, [&](int64_t own, Value item) {
    Value weight = at(weights, e.add(place.row, own), item);
    Value hidden = e.equal(weight, number(0));
    return e.select(hidden, number(0), e.fmul(weight, at(factors, item, place.lane)));
  });
}

/// Pair by pair, relative to the largest.
SmallVector<Value> PairBlock::exact(const Place &place) {
  LaneEmitter group = groupOf(place.lane);
  auto exponent = [&](int64_t own, Value item) {
    return exponentOf(group, at(exponents, item, place.lane),
                      at(biases, e.add(place.row, own), item));
  };
  SmallVector<Value> none(kOwn, number(-INFINITY));
  SmallVector<Value> tops =
      e.loop(e.index(0), e.index(count), e.index(1), none, [&](Value item, ValueRange carried) {
        SmallVector<Value> next;
        for (int64_t own = 0; own < kOwn; ++own)
          next.push_back(e.fmaxNumber(carried[own], exponent(own, item)));
        return next;
      });
  return sumOver(place, tops, [&](int64_t own, Value item) {
    return e.exp(e.fsub(exponent(own, item), finite(tops[own])));
  });
}

SmallVector<Value> PairBlock::merged(ValueRange a, ValueRange b) {
  Value m = e.fmaxNumber(a[0], b[0]), base = finite(m);
  Value first = e.exp(e.fsub(a[0], base)), second = e.exp(e.fsub(b[0], base));
  SmallVector<Value> result = {m};
  for (auto [x, y] : llvm::zip_equal(a.drop_front(), b.drop_front()))
    result.push_back(e.fma(x, first, e.fmul(y, second)));
  return result;
}

void PairBlock::addTile(Value thread) {
  Place place = placeOf(thread);
  int64_t each = 2 + tiles.values;
  SmallVector<Value> quick = separable(place);
  Value areGood, least = number(std::exp(-separableRange(tiles.element))),
                 safe = number(std::exp(-safeRange(tiles.element)));
  for (int64_t own = 0; own < kOwn; ++own) {
    Value weights = quick[own * each + 1];
    Value areSafe = e.compare(arith::CmpFPredicate::OGE, weights, safe);
    Value good = e.compare(arith::CmpFPredicate::OGE, weights, least);
    for (int64_t value = 0; value < tiles.values; ++value)
      good = e.both(good, isSound(e, quick[own * each + 2 + value], areSafe));
    areGood = own == 0 ? good : e.both(areGood, good);
  }
  SmallVector<Type> types(quick.size(), tiles.element);
  SmallVector<Value> tile =
      e.branch(areGood, types, [&] { return quick; }, [&] { return exact(place); });
  for (int64_t own = 0; own < kOwn; ++own) {
    SmallVector<Value> state;
    for (int64_t i = 0; i < each; ++i)
      state.push_back(e.load(sums, {thread, e.index(own), e.index(i)}, 0));
    SmallVector<Value> sum = merged(state, ArrayRef<Value>(tile).slice(own * each, each));
    for (auto [i, value] : llvm::enumerate(sum))
      e.store(value, sums, {thread, e.index(own), e.index(i)});
  }
}

void PairBlock::finish(Value thread) {
  Place place = placeOf(thread);
  Value channel = e.add(firstChannel, place.lane);
  for (int64_t own = 0; own < kOwn; ++own) {
    Value output = e.add(firstOutput, e.add(place.row, own));
    Value exists = e.both(e.less(output, tiles.outputs), e.less(channel, e.index(tiles.channels)));
    e.when(exists, [&] {
      LaneEmitter group = groupOf(channel);
      SmallVector<Value> state;
      for (int64_t i = 0; i < 2 + tiles.values; ++i)
        state.push_back(e.load(sums, {thread, e.index(own), e.index(i)}, 0));
      tiles.finish(group, output, state[0], ValueRange(state).drop_front());
    });
  }
}

void PairBlock::run(ArrayRef<Value> block) {
  batch = block[0];
  firstOutput = e.mul(block[1], kTile);
  firstChannel = e.mul(block[2], kTile);
  auto threads = [&](llvm::function_ref<void(Value)> body) {
    forEachThread(e, kBlockThreads, body);
  };
  threads([&](Value thread) { clear(thread); });
  Value end = e.min(e.add(firstOutput, kTile), tiles.outputs);
  auto [first, last] = tiles.items(batch, firstOutput, end);
  e.loop(first, last, e.index(count), [&, last = last](Value start) {
    threads([&](Value thread) {
      loadItems(thread, start, last);
      loadBiases(thread, start, last);
    });
    threads([&](Value thread) { findLargest(thread); });
    threads([&](Value thread) { exponentiate(thread); });
    threads([&](Value thread) { addTile(thread); });
  });
  threads([&](Value thread) { finish(thread); });
}

void PairTiles::run(Emitter &e) const {
  PairBlock block(*this, e);
  Value channelBlocks = e.index((channels + kTile - 1) / kTile);
  forEachBlock(e, {batches, e.ceilDiv(outputs, kTile), channelBlocks},
               [&](ArrayRef<Value> index) { block.run(index); });
}
