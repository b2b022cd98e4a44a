//===- PairWarps.cpp - Sums over all pairs of positions by tensor cores ---===//
// The sums of a block are a product: exp(w - a) of outputs and items in bf16 or TF32 times, for
// each channel, exp(x - c) and exp(x - c) times values. a and c are the largest w of an output and
// x of a channel so far; where a tile of items has larger ones, the sums are made smaller. Eight
// columns of each value and eight of ones take turns, so that a thread has all sums of its
// channels. Sums that turn out so small that underflow, or an item that is hidden from the output,
// may have spoilt them are made again item by item.
//
// What a tile consists of is loaded to registers while the tile before it is multiplied; what items
// are made of is copied to shared memory in the background, where there is room, and stands in no
// registers.

#include "compiler/tile/WarpTile.h"
#include "compiler/vector/full/FullMixer.h"
#include "compiler/vector/gpu/Chunks.h"
#include "compiler/vector/gpu/Fragment.h"
#include "compiler/vector/gpu/GpuOps.h"
#include "compiler/vector/gpu/PairTiles.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace aft;

/// Outputs of a block, and its channels where there are so many.
static constexpr int64_t kOutputs = 64, kMostChannels = 64;
/// Items of a tile: what a thread has of the next one is in registers, and so are its sums. Few
/// where these are many, or where factors of 32 bits fill shared memory.
static constexpr int64_t kItems = 64, kFewItems = 32;
/// Channels of a warp.
static constexpr int64_t kWarpChannels = 16;
/// Threads that share the biases of an output.
static constexpr int64_t kRowParts = kBlockThreads / kOutputs;

namespace {

/// Emits one block.
class WarpPairs {
public:
  WarpPairs(const PairTiles &tiles, Emitter &e, Type factor);
  void run(ArrayRef<Value> block);
  int64_t channels() const { return width; }

private:
  /// The largest numbers so far of outputs or of channels: [parity of the tile][place]; those
  /// of a tile, found by several threads each; and how much smaller sums become.
  struct Tops {
    Value all, parts, scales;
    int64_t count;
    bool partsLast; ///< [place][part]
  };
  Tops makeTops(int64_t places, int64_t parts, bool partsLast);
  Value newTop(Value thread, const Tops &tops, Value place, Value isFirst, Value parity);
  void startBlock(Value thread);
  void loadBiases(Value thread, Value first);
  void loadItems(Value thread, Value first);
  void copyItems(Value thread, Value first);
  SmallVector<Value> ownItem(Value thread, int64_t i);
  bool canCopy();
  Value largestOf(int64_t numbers, llvm::function_ref<Value(int64_t)> at);
  void findBiasParts(Value thread);
  void findItemParts(Value thread);
  void exponentiate(Value thread, Value tile);
  void addTile(Value thread);
  void addTiles(Value first, Value steps);
  void copyAndAddTiles(Value first, Value steps);
  void finish(Value thread, Value parity);
  void finishExactly(LaneEmitter &group, Value output);

  /// Row and channel in the block of a thread's number: the first of the thread, or any.
  std::pair<Value, Value> cornerOf(Value thread);
  std::pair<Value, Value> placeOf(Value thread, Value number);
  std::pair<int64_t, int64_t> offsetOf(int64_t number) const;
  void whenThere(Value row, Value channel, llvm::function_ref<void(LaneEmitter &, Value)> body);

  int64_t down() const { return warpRows / kFragmentRows; }
  /// Fragments of each eight channels: those of values, then that of ones.
  int64_t each() const { return tiles.values + 1; }
  int64_t groups() const { return warpColumns / (each() * kFragmentColumns); }
  int64_t warpsAcross() const { return each() * width / warpColumns; }
  /// Numbers that a thread has of each sum.
  int64_t numbers() const { return down() * groups() * kFragmentNumbers; }
  int64_t columnParts() const { return kBlockThreads / width; }
  int64_t ownItems() const { return count / columnParts(); }
  int64_t ownBiases() const { return count / kRowParts; }
  Value number(double value) { return e.number(tiles.element, value); }
  Value finite(Value m) { return e.select(e.equal(m, number(-INFINITY)), number(0), m); }
  bool copies() const { return !copied.empty(); }
  /// Directly inside a block.
  void threads(llvm::function_ref<void(Value)> body) { forEachThread(e, kBlockThreads, body); }
  Value own(Value memory, Value thread, int64_t i) {
    return e.load(memory, {thread, e.index(i)}, 0);
  }

  const PairTiles &tiles;
  Emitter &e;
  int64_t width; ///< channels of a block
  int64_t count; ///< items of a tile
  int64_t warpRows, warpColumns;
  Type narrow;               ///< of factors; f32 are rounded as they are multiplied
  Value weights, items;      ///< [output][item], [item][column]
  SmallVector<Value> copied; ///< [item][channel] of each source, if it is copied
  Value biases, values;      ///< of a tile, in registers; items with their x
  Value sums;                ///< in fragments
  Tops rows, columns;
  Value batch, firstOutput, firstChannel, last, tileFirst;
};

} // namespace

WarpPairs::WarpPairs(const PairTiles &tiles, Emitter &e, Type factor)
    : tiles(tiles), e(e), count(tiles.values == 1 && !factor.isF32() ? kItems : kFewItems),
      narrow(factor) {
  width = tiles.channels > kMostChannels / 2 ? kMostChannels : kMostChannels / 2;
  warpColumns = each() * kWarpChannels;
  warpRows = kOutputs / (kBlockThreads / kWarpThreads / warpsAcross());
  Type type = tiles.element;
  int64_t bits = narrow.getIntOrFloatBitWidth();
  weights = sharedMemory(e, {kOutputs, count + warpTilePadding(bits, /*alongSteps=*/true)}, narrow);
  items = sharedMemory(e, {count, each() * width + warpTilePadding(bits, /*alongSteps=*/false)},
                       narrow);
  rows = makeTops(kOutputs, kRowParts, /*partsLast=*/true);
  columns = makeTops(width, columnParts(), /*partsLast=*/false);
  if (canCopy())
    for (Value source : tiles.sources)
      copied.push_back(sharedMemory(e, {count, width}, getElementTypeOrSelf(source)));
  biases = threadMemory(e, kBlockThreads, {ownBiases()}, type);
  values = threadMemory(e, kBlockThreads, {ownItems() * each()}, type);
  sums = threadMemory(e, kBlockThreads, {each() * numbers()}, type);
  // One works while the other waits for what it loads; more sums do not fit into registers.
  if (tiles.values == 1)
    setResidentBlocks(e, 2);
}

/// Whether rows consist of chunks, for which there is room.
bool WarpPairs::canCopy() {
  SmallVector<int64_t> bytes;
  for (Value source : tiles.sources) {
    if (!consistsOfChunks(source, chunkOf(source)))
      return false;
    bytes.push_back(count * width * getElementTypeOrSelf(source).getIntOrFloatBitWidth() / 8);
  }
  return fitBesideGrids(e, bytes);
}

WarpPairs::Tops WarpPairs::makeTops(int64_t places, int64_t parts, bool partsLast) {
  Type type = tiles.element;
  int64_t outer = partsLast ? places : parts, inner = partsLast ? parts : places;
  return {sharedMemory(e, {2, places}, type), sharedMemory(e, {outer, inner}, type),
          sharedMemory(e, {places}, type), parts, partsLast};
}

//===----------------------------------------------------------------------===//
// A tile of items
//===----------------------------------------------------------------------===//

void WarpPairs::startBlock(Value thread) {
  for (int64_t i = 0; i < each() * numbers(); i += kFragmentNumbers)
    e.store(e.number(VectorType::get({kFragmentNumbers}, tiles.element), 0), sums,
            {thread, e.index(i)});
  e.when(e.less(thread, e.index(kOutputs)),
         [&] { e.store(number(-INFINITY), rows.all, {e.index(0), thread}); });
  e.when(e.less(thread, e.index(width)),
         [&] { e.store(number(-INFINITY), columns.all, {e.index(0), thread}); });
}

/// Numbers of a tile that are not there are those of a hidden item.
void WarpPairs::loadBiases(Value thread, Value first) {
  Value output = e.add(firstOutput, e.div(thread, kRowParts)), part = e.rest(thread, kRowParts);
  Value exists = e.less(output, tiles.outputs);
  for (int64_t i = 0; i < ownBiases(); ++i) {
    Value item = e.add(first, e.add(part, i * kRowParts));
    Value bias = e.branch(
        e.both(exists, e.less(item, last)), {tiles.element},
        [&] { return Emitter::Values{tiles.bias(batch, output, item)}; },
        [&] { return Emitter::Values{number(-INFINITY)}; })[0];
    e.store(bias, biases, {thread, e.index(i)});
  }
}

void WarpPairs::loadItems(Value thread, Value first) {
  Value channel = e.add(firstChannel, e.rest(thread, width));
  Value from = e.add(first, e.mul(e.div(thread, width), ownItems()));
  Value exists = e.less(channel, e.index(tiles.channels));
  for (int64_t i = 0; i < ownItems(); ++i) {
    Value item = e.add(from, i);
    SmallVector<Type> types(each(), tiles.element);
    auto loaded = e.branch(
        e.both(exists, e.less(item, last)), types,
        [&] {
          LaneEmitter group(e, tiles.element, 0, batch, channel);
          return tiles.itemAt(group, item);
        },
        [&] {
          Emitter::Values all(each(), number(0));
          all.back() = number(-INFINITY);
          return all;
        });
    for (int64_t part = 0; part < each(); ++part)
      e.store(loaded[part], values, {thread, e.index(i * each() + part)});
  }
}

/// The values of a thread's item and its x, from registers or of what has been copied. Where there
/// is no item, or no channel, values may be anything.
SmallVector<Value> WarpPairs::ownItem(Value thread, int64_t i) {
  SmallVector<Value> all;
  if (!copies()) {
    for (int64_t part = 0; part < each(); ++part)
      all.push_back(own(values, thread, i * each() + part));
    return all;
  }
  Value inTile = e.add(e.mul(e.div(thread, width), ownItems()), i), inBlock = e.rest(thread, width);
  Value channel = e.add(firstChannel, inBlock), end = e.index(tiles.channels);
  Value exists = e.both(e.less(e.add(tileFirst, inTile), last), e.less(channel, end));
  for (Value source : copied)
    all.push_back(e.load(source, {inTile, inBlock}, 0));
  LaneEmitter group(e, tiles.element, 0, batch, e.min(channel, e.sub(end, e.index(1))));
  all = tiles.make(group, all);
  all.back() = e.select(exists, all.back(), number(-INFINITY));
  return all;
}

/// All threads together, what exists of a tile.
void WarpPairs::copyItems(Value thread, Value first) {
  for (auto [from, to] : llvm::zip_equal(tiles.sources, copied)) {
    int64_t chunk = chunkOf(from), across = width / chunk;
    shareOut(e, thread, kBlockThreads, e.index(count * across), [&, from = from, to = to](Value i) {
      Value inTile = e.div(i, across), inBlock = e.mul(e.rest(i, across), chunk);
      Value item = e.add(first, inTile), channel = e.add(firstChannel, inBlock);
      e.when(e.both(e.less(item, last), e.less(channel, e.index(tiles.channels))), [&] {
        e.builder.create<CopyChunkOp>(e.loc, from, ValueRange{batch, item, channel}, to,
                                      ValueRange{inTile, inBlock});
      });
    });
  }
  e.builder.create<CopyFenceOp>(e.loc);
}

/// The largest of a thread's numbers. A NaN is passed over.
Value WarpPairs::largestOf(int64_t numbers, llvm::function_ref<Value(int64_t)> at) {
  Value top = number(-INFINITY);
  for (int64_t i = 0; i < numbers; ++i)
    top = e.fmaxNumber(top, at(i));
  return top;
}

void WarpPairs::findBiasParts(Value thread) {
  Value top = largestOf(ownBiases(), [&](int64_t i) { return own(biases, thread, i); });
  e.store(top, rows.parts, {e.div(thread, kRowParts), e.rest(thread, kRowParts)});
}

void WarpPairs::findItemParts(Value thread) {
  Value top = largestOf(ownItems(), [&](int64_t i) { return ownItem(thread, i).back(); });
  e.store(top, columns.parts, {e.div(thread, width), e.rest(thread, width)});
}

/// The largest number with this tile, which all threads of a place find, and one keeps.
Value WarpPairs::newTop(Value thread, const Tops &tops, Value place, Value isFirst, Value parity) {
  Value before = e.load(tops.all, {parity, place}, 0), top = before;
  for (int64_t i = 0; i < tops.count; ++i) {
    Value part = e.index(i);
    SmallVector<Value> at =
        tops.partsLast ? SmallVector<Value>{place, part} : SmallVector<Value>{part, place};
    top = e.fmaxNumber(top, e.load(tops.parts, at, 0));
  }
  Value base = finite(top);
  e.when(isFirst, [&] {
    e.store(top, tops.all, {e.sub(e.index(1), parity), place});
    e.store(e.exp(e.fsub(before, base)), tops.scales, place);
  });
  return base;
}

/// Weights and items, the sums of values and of ones from the same numbers rounded to bf16.
void WarpPairs::exponentiate(Value thread, Value tile) {
  Value parity = e.rest(tile, 2), none = number(0);
  Value row = e.div(thread, kRowParts), part = e.rest(thread, kRowParts);
  Value top = newTop(thread, rows, row, e.less(part, e.index(1)), parity);
  for (int64_t i = 0; i < ownBiases(); ++i)
    e.store(e.exp(e.fsub(own(biases, thread, i), top)), weights, {row, e.add(part, i * kRowParts)});
  Value channel = e.rest(thread, width), first = e.mul(e.div(thread, width), ownItems());
  top = newTop(thread, columns, channel, e.less(thread, e.index(width)), parity);
  Value column = e.add(e.mul(e.div(channel, kFragmentColumns), each() * kFragmentColumns),
                       e.rest(channel, kFragmentColumns));
  auto placeOf = [&](int64_t i, int64_t part) {
    return SmallVector<Value>{e.add(first, i), e.add(column, part * kFragmentColumns)};
  };
  for (int64_t i = 0; i < ownItems(); ++i) {
    SmallVector<Value> item = ownItem(thread, i);
    Value factor = e.convert(e.exp(e.fsub(item.back(), top)), narrow);
    Value wide = e.convert(factor, tiles.element), hidden = e.equal(wide, none);
    // What a hidden item holds, perhaps NaN, must not be seen.
    for (int64_t part = 0; part < tiles.values; ++part) {
      Value product = e.fmul(wide, item[part]);
      e.store(e.select(hidden, none, product), items, placeOf(i, part));
    }
    e.builder.create<memref::StoreOp>(e.loc, factor, items, placeOf(i, tiles.values));
  }
}

/// Adds the tile to sums that are relative to its largest numbers, as they are now.
void WarpPairs::addTile(Value thread) {
  auto type = VectorType::get({kFragmentNumbers}, tiles.element);
  auto [row, channel] = cornerOf(thread);
  auto scalesAt = [&](const Tops &tops, Value first, bool ofRows) {
    SmallVector<Value> scales;
    for (int64_t i = 0; i < kFragmentNumbers; ++i)
      scales.push_back(
          e.load(tops.scales,
                 e.add(first, ofRows ? FragmentPlace::rowOf(i) : FragmentPlace::columnOf(i)), 0));
    return Value(e.builder.create<vector::FromElementsOp>(e.loc, type, scales));
  };
  SmallVector<Value> down, across, scaled;
  for (int64_t i = 0; i < this->down(); ++i)
    down.push_back(scalesAt(rows, e.add(row, i * kFragmentRows), /*ofRows=*/true));
  for (int64_t j = 0; j < groups(); ++j)
    across.push_back(scalesAt(columns, e.add(channel, j * kFragmentColumns), /*ofRows=*/false));
  auto placeOf = [&](size_t fragment) {
    return SmallVector<Value>{thread, e.index(fragment * kFragmentNumbers)};
  };
  for (int64_t i = 0; i < this->down(); ++i)
    for (int64_t j = 0; j < groups() * each(); ++j) {
      Value sum = e.builder.create<vector::LoadOp>(e.loc, type, sums, placeOf(scaled.size()));
      scaled.push_back(e.fmul(sum, e.fmul(down[i], across[j / each()])));
    }
  Value warp = e.div(thread, kWarpThreads), zero = e.index(0);
  Value firstRow = e.mul(e.div(warp, warpsAcross()), warpRows);
  Value firstColumn = e.mul(e.rest(warp, warpsAcross()), warpColumns);
  auto product = e.builder.create<WarpProductOp>(
      e.loc, thread, weights, ValueRange{firstRow, zero}, items, ValueRange{zero, firstColumn},
      scaled, warpRows, warpColumns, count, /*transposedA=*/false, /*transposedB=*/false);
  for (auto [i, sum] : llvm::enumerate(product.getResults()))
    e.builder.create<vector::StoreOp>(e.loc, sum, sums, placeOf(i));
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

std::pair<Value, Value> WarpPairs::cornerOf(Value thread) {
  Value warp = e.div(thread, kWarpThreads);
  FragmentPlace place(e, e.rest(thread, kWarpThreads));
  return {e.add(e.mul(e.div(warp, warpsAcross()), warpRows), place.row),
          e.add(e.mul(e.rest(warp, warpsAcross()), groups() * kFragmentColumns), place.column)};
}

/// Rows and channels from the corner to number i of each sum.
std::pair<int64_t, int64_t> WarpPairs::offsetOf(int64_t i) const {
  int64_t fragment = i / kFragmentNumbers, inside = i % kFragmentNumbers;
  return {fragment / groups() * kFragmentRows + FragmentPlace::rowOf(inside),
          fragment % groups() * kFragmentColumns + FragmentPlace::columnOf(inside)};
}

/// The same for a number that is known at run time.
std::pair<Value, Value> WarpPairs::placeOf(Value thread, Value i) {
  auto [row, channel] = cornerOf(thread);
  Value fragment = e.div(i, kFragmentNumbers), inside = e.rest(i, kFragmentNumbers);
  Value below = e.add(e.mul(e.div(fragment, groups()), kFragmentRows),
                      e.mul(e.div(inside, kFragmentPair), kFragmentRows / 2));
  Value beside =
      e.add(e.mul(e.rest(fragment, groups()), kFragmentColumns), e.rest(inside, kFragmentPair));
  return {e.add(row, below), e.add(channel, beside)};
}

void WarpPairs::whenThere(Value row, Value channel,
                          llvm::function_ref<void(LaneEmitter &, Value)> body) {
  Value output = e.add(firstOutput, row), at = e.add(firstChannel, channel);
  e.when(e.both(e.less(output, tiles.outputs), e.less(at, e.index(tiles.channels))), [&] {
    LaneEmitter group(e, tiles.element, 0, batch, at);
    body(group, output);
  });
}

/// Sums that are good; then, one after the other, those that are not.
void WarpPairs::finish(Value thread, Value parity) {
  Value least = number(std::exp(-separableRange(tiles.element)));
  Value safe = number(std::exp(-safeRange(tiles.element)));
  auto [row, channel] = cornerOf(thread);
  Value yes = e.builder.create<arith::ConstantIntOp>(e.loc, 1, 1);
  SmallVector<Value> bad;
  for (int64_t i = 0; i < numbers(); ++i) {
    int64_t first = i / kFragmentNumbers * each() * kFragmentNumbers + i % kFragmentNumbers;
    // That of ones first.
    SmallVector<Value> all = {own(sums, thread, first + tiles.values * kFragmentNumbers)};
    Value good = e.compare(arith::CmpFPredicate::OGE, all[0], least);
    Value areSafe = e.compare(arith::CmpFPredicate::OGE, all[0], safe);
    for (int64_t part = 0; part < tiles.values; ++part) {
      all.push_back(own(sums, thread, first + part * kFragmentNumbers));
      good = e.both(good, isSound(e, all.back(), areSafe));
    }
    auto [below, beside] = offsetOf(i);
    Value r = e.add(row, below), c = e.add(channel, beside);
    e.when(good, [&] {
      whenThere(r, c, [&](LaneEmitter &group, Value output) {
        Value m = e.fadd(e.load(rows.all, {parity, r}, 0), e.load(columns.all, {parity, c}, 0));
        tiles.finish(group, output, m, all);
      });
    });
    bad.push_back(e.builder.create<arith::XOrIOp>(e.loc, good, yes));
  }
  forEachTrue(e, bad, [&](Value i) {
    auto [r, c] = placeOf(thread, i);
    whenThere(r, c, [&](LaneEmitter &group, Value output) { finishExactly(group, output); });
  });
}

/// All items that the output sees, one by one.
void WarpPairs::finishExactly(LaneEmitter &group, Value output) {
  auto [first, end] = tiles.items(batch, output, e.add(output, 1));
  auto exponent = [&](Value item) {
    return exponentOf(group, tiles.itemAt(group, item).back(), tiles.bias(batch, output, item));
  };
  SmallVector<Value> all;
  Value m;
  for (int64_t part = 0; part < tiles.values; ++part) {
    MixState state = addExactly(group, first, end, group.emptyState(), exponent,
                                [&](Value item) { return tiles.itemAt(group, item)[part]; });
    m = state.m;
    if (part == 0)
      all.push_back(state.z);
    all.push_back(state.n);
  }
  tiles.finish(group, output, m, all);
}

/// The next tile is loaded to registers while one is multiplied.
void WarpPairs::addTiles(Value first, Value steps) {
  auto load = [&](Value thread, Value from) {
    loadBiases(thread, from);
    loadItems(thread, from);
  };
  auto findParts = [&](Value thread) {
    findBiasParts(thread);
    findItemParts(thread);
  };
  threads([&](Value thread) {
    startBlock(thread);
    load(thread, first);
    findParts(thread);
  });
  e.loop(e.index(0), steps, e.index(1), [&](Value tile) {
    threads([&](Value thread) { exponentiate(thread, tile); });
    threads([&](Value thread) {
      load(thread, e.add(first, e.mul(e.add(tile, 1), count)));
      addTile(thread);
      findParts(thread);
    });
  });
}

/// Items of the next tile are copied while one is multiplied.
void WarpPairs::copyAndAddTiles(Value first, Value steps) {
  auto load = [&](Value thread, Value from, llvm::function_ref<void()> meanwhile) {
    copyItems(thread, from);
    loadBiases(thread, from);
    meanwhile();
    findBiasParts(thread);
    e.builder.create<CopyWaitOp>(e.loc, 0);
  };
  threads([&](Value thread) { load(thread, first, [&] { startBlock(thread); }); });
  e.loop(e.index(0), steps, e.index(1), [&](Value tile) {
    tileFirst = e.add(first, e.mul(tile, count));
    threads([&](Value thread) { findItemParts(thread); });
    threads([&](Value thread) { exponentiate(thread, tile); });
    threads([&](Value thread) { load(thread, e.add(tileFirst, count), [&] { addTile(thread); }); });
  });
}

void WarpPairs::run(ArrayRef<Value> block) {
  batch = block[0];
  firstOutput = e.mul(block[1], kOutputs);
  firstChannel = e.mul(block[2], width);
  Value end = e.min(e.add(firstOutput, kOutputs), tiles.outputs);
  auto [first, seen] = tiles.items(batch, firstOutput, end);
  last = seen;
  Value steps = e.ceilDiv(e.max(e.sub(last, first), e.index(0)), count);
  copies() ? copyAndAddTiles(first, steps) : addTiles(first, steps);
  threads([&](Value thread) { finish(thread, e.rest(steps, 2)); });
}

void PairTiles::runByWarps(Emitter &e, Type factor) const {
  WarpPairs block(*this, e, factor);
  int64_t width = block.channels();
  forEachBlock(e, {batches, e.ceilDiv(outputs, kOutputs), e.index((channels + width - 1) / width)},
               [&](ArrayRef<Value> index) { block.run(index); });
}
