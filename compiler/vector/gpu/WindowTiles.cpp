//===- WindowTiles.cpp - Windows of a sequence, tile by tile --------------===//

#include "compiler/vector/gpu/WindowTiles.h"

#include "compiler/vector/full/FullMixer.h"
#include "compiler/vector/gpu/SequenceScan.h"
#include "compiler/vector/gpu/Threads.h"
#include "compiler/vector/window/WindowWeights.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace aft;

static constexpr int64_t kThreads = 128;
/// Channels of a block, if there are so many, and sums of a thread.
static constexpr int64_t kChannels = 32, kOwnSums = 16, kMostRows = 4;
/// Items that are in shared memory for a position at once, and bytes they may take there:
/// the gradient of the bias, in the same kernel, needs some for its sums.
static constexpr int64_t kMostChunk = 64, kSharedBytes = 42 << 10, kWideSharedBytes = 34 << 10;
/// Exponents of items below which their sum is not kept relative to the base.
static constexpr double kFarBelow = 50;
/// Sums over later items are kept for so many parts of the sequence.
static constexpr int64_t kCheckpoints = 16;
/// Of its blocks on a multiprocessor, some load while others compute; the derivative takes
/// more registers.
static constexpr int64_t kResident = 3, kResidentMirrored = 2;
/// Items that a thread loads before it stores the first.
static constexpr int64_t kAtOnce = 3;

namespace {

class TileBlock {
public:
  TileBlock(const WindowTiles &tiles, Emitter &e);
  void run(ArrayRef<Value> block);
  int64_t blockChannels() const { return width; }

private:
  struct Place {
    Value lane, row; ///< first channel in the block, and group of positions
  };
  void chooseSizes();
  void forEachPlace(llvm::function_ref<void(LaneEmitter &, Value thread, const Place &)> body);
  void forEachColumn(llvm::function_ref<void(LaneEmitter &, Value column)> body);
  LaneEmitter groupAt(Value lane, int64_t lanes);
  Value conjunction(Value a, Value b) { return e.builder.create<arith::AndIOp>(e.loc, a, b); }
  Value exists(Value i) {
    return e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::ult, i, tiles.length);
  }
  Value positionOf(Value i);
  WindowCode::Item loadItem(LaneEmitter &group, Value i);
  MixState addRange(LaneEmitter &group, Value from, Value to, Value step, const MixState &state);
  Value tooLarge(LaneEmitter &group, const WindowCode::Item &item, Value base);

  void findCheckpoints();
  void keepLargestLeft(LaneEmitter &group, const Place &place, Value first, int64_t part);
  void sumLargestLeft(Value column, int64_t part);
  void sumLater(Value first);
  void rebase(Value first);
  void fillItems(Value first, Value start);
  void fillBiases(Value first, Value start);
  void fillHeadBiases(Value start);
  Value weightOf(Value j, llvm::function_ref<Value(Value safe)> load);
  void multiply(Value start);
  SmallVector<Value> sumItems(Value lane, Value from);
  void sumParts(Value first);
  void finish(Value first);
  void finishExactly(LaneEmitter &group, Value first, const Place &place, Value redo);

  Value at(Value memory, ArrayRef<int64_t> numbers, ValueRange rest, int64_t lanes);
  void keep(Value value, Value memory, ArrayRef<int64_t> numbers, ValueRange rest);
  MixState kept(Value memory, ValueRange place, int64_t lanes);
  void keep(const MixState &state, Value memory, ValueRange place);

  const WindowTiles &tiles;
  Emitter &e;
  /// Lanes of a block, groups of positions, positions of a group, channels of the block,
  /// places of a window and of those of a group, items at once.
  int64_t lanes, groups, rows, width, taps, span, chunk;
  /// [item][channel] twice; exp(bias); sums of items by group; per channel; checkpoints.
  Value firsts, seconds, weights, parts, base, top, firstBad, carry, before, leftTop, later,
      checkpoints;
  Value sums; ///< of a thread: [row][2][channel]
  Value batch, firstChannel, items, spacing;
};

} // namespace

static int64_t lanesOf(int64_t vector) { return vector > 1 ? vector : 0; }

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// As many positions as there is room for; half of everything in f64.
void TileBlock::chooseSizes() {
  taps = tiles.before + tiles.after + 1;
  int64_t bytes = tiles.accumulation.getIntOrFloatBitWidth() / 8, scale = bytes > 4 ? 2 : 1;
  rows = std::min(kMostRows / scale, kOwnSums / tiles.vector);
  lanes = kChannels / scale / tiles.vector;
  while (lanes > 1 && lanes / 2 * tiles.vector >= tiles.channels)
    lanes /= 2;
  width = lanes * tiles.vector;
  groups = kThreads / lanes;
  span = rows - 1 + taps;
  auto fits = [&] {
    int64_t table = tiles.perHeadBias ? (chunk + rows) * width : groups * chunk * rows;
    int64_t numbers = 2 * (chunk + groups * rows) * width + table + 4 * groups * width;
    return (numbers + (tiles.above ? 3 * kCheckpoints : 0) * width) * bytes <=
           (scale > 1 ? kWideSharedBytes : kSharedBytes);
  };
  for (int64_t parts = (span + kMostChunk - 1) / kMostChunk;; ++parts) {
    chunk = (span + parts - 1) / parts;
    if (fits())
      return;
    if (chunk < 2 * rows)
      break;
  }
}

TileBlock::TileBlock(const WindowTiles &tiles, Emitter &e) : tiles(tiles), e(e) {
  chooseSizes();
  Type type = tiles.accumulation;
  int64_t held = chunk + (groups - 1) * rows;
  firsts = sharedMemory(e, {held, width}, type);
  seconds = sharedMemory(e, {held, width}, type);
  weights = tiles.perHeadBias ? sharedMemory(e, {chunk + rows - 1, width}, type)
                              : sharedMemory(e, {groups, chunk, rows}, type);
  parts = sharedMemory(e, {tiles.above ? 4 : 3, groups, width}, type);
  leftTop = sharedMemory(e, {width}, type);
  base = sharedMemory(e, {width}, type);
  carry = sharedMemory(e, {3, width}, type);
  before = sharedMemory(e, {3, width}, type);
  if (tiles.above) {
    later = sharedMemory(e, {3, width}, type);
    checkpoints = sharedMemory(e, {3, kCheckpoints, width}, type);
  } else {
    top = sharedMemory(e, {width}, type);
    firstBad = sharedMemory(e, {width}, type);
  }
  sums = threadMemory(e, kThreads, {rows, 2, tiles.vector}, type);
}

//===----------------------------------------------------------------------===//
// Threads, items and memory
//===----------------------------------------------------------------------===//

/// Channels beyond the last one stand for the last: they are not stored.
LaneEmitter TileBlock::groupAt(Value lane, int64_t lanes) {
  int64_t each = std::max<int64_t>(lanes, 1);
  Value channel = e.add(firstChannel, lane);
  if (tiles.channels % width != 0)
    channel = e.min(channel, e.index(tiles.channels - each));
  LaneEmitter group(e, tiles.accumulation, lanes, batch, channel);
  group.perHead = tiles.perHead;
  return group;
}

void TileBlock::forEachPlace(llvm::function_ref<void(LaneEmitter &, Value, const Place &)> body) {
  forEachThread(e, kThreads, [&](Value thread) {
    Value lane =
        e.mul(e.builder.create<arith::RemUIOp>(e.loc, thread, e.index(lanes)), tiles.vector);
    LaneEmitter group = groupAt(lane, lanesOf(tiles.vector));
    body(group, thread, {lane, e.div(thread, lanes)});
  });
}

void TileBlock::forEachColumn(llvm::function_ref<void(LaneEmitter &, Value)> body) {
  forEachThread(e, width, [&](Value column) {
    LaneEmitter group = groupAt(column, 0);
    body(group, column);
  });
}

Value TileBlock::at(Value memory, ArrayRef<int64_t> numbers, ValueRange rest, int64_t lanes) {
  SmallVector<Value> place;
  for (int64_t number : numbers)
    place.push_back(e.index(number));
  llvm::append_range(place, rest);
  return e.load(memory, place, lanes);
}

void TileBlock::keep(Value value, Value memory, ArrayRef<int64_t> numbers, ValueRange rest) {
  SmallVector<Value> place;
  for (int64_t number : numbers)
    place.push_back(e.index(number));
  llvm::append_range(place, rest);
  e.store(value, memory, place);
}

MixState TileBlock::kept(Value memory, ValueRange place, int64_t lanes) {
  return {at(memory, {0}, place, lanes), at(memory, {1}, place, lanes),
          at(memory, {2}, place, lanes)};
}

void TileBlock::keep(const MixState &state, Value memory, ValueRange place) {
  for (auto [i, value] : llvm::enumerate(state.values()))
    keep(value, memory, {static_cast<int64_t>(i)}, place);
}

/// The i-th position in the direction of the scan, or the nearest that exists.
Value TileBlock::positionOf(Value i) {
  Value last = e.sub(tiles.length, e.index(1));
  i = e.max(e.min(i, last), e.index(0));
  return tiles.downward ? e.sub(last, i) : i;
}

/// Item i, a hidden one where there is none.
WindowCode::Item TileBlock::loadItem(LaneEmitter &group, Value i) {
  Value t = positionOf(i);
  WindowCode::Item item = tiles.code.load(group, t);
  Value seen = conjunction(exists(i), e.less(t, items));
  item.exponent = e.select(seen, item.exponent, group.infinity(true));
  return item;
}

MixState TileBlock::addRange(LaneEmitter &group, Value from, Value to, Value step,
                             const MixState &state) {
  return MixState::from(e.loop(from, to, step, state.values(), [&](Value i, ValueRange carried) {
    return addItem(group, MixState::from(carried), loadItem(group, i)).values();
  }));
}

/// Whether an item is visible, and far above the base or no number.
Value TileBlock::tooLarge(LaneEmitter &group, const WindowCode::Item &item, Value base) {
  auto is = [&](arith::CmpFPredicate predicate, Value a, Value b) {
    return compare(e, predicate, a, b);
  };
  auto magnitude = [&](Value value) { return e.builder.create<math::AbsFOp>(e.loc, value); };
  Value large = is(arith::CmpFPredicate::UGT, e.fsub(item.exponent, base), group.number(kModerate));
  for (Value factor : {item.first, item.second})
    large = e.builder.create<arith::OrIOp>(
        e.loc, large, is(arith::CmpFPredicate::UEQ, magnitude(factor), group.infinity(false)));
  return conjunction(large, is(arith::CmpFPredicate::UNE, item.exponent, group.infinity(true)));
}

//===----------------------------------------------------------------------===//
// Items after windows
//===----------------------------------------------------------------------===//

/// The sequence in parts of whole tiles: the sum of the items after the windows of the last
/// tile of each. The base is the largest item of all.
void TileBlock::findCheckpoints() {
  int64_t positions = groups * rows;
  spacing = e.mul(e.ceilDiv(tiles.length, positions * kCheckpoints), positions);
  auto end = [&](Value part) {
    return e.min(e.add(e.mul(part, spacing), tiles.after), tiles.length);
  };
  forEachPlace([&](LaneEmitter &group, Value, const Place &place) {
    e.loop(place.row, e.index(kCheckpoints), e.index(groups), [&](Value part) {
      Value first = e.select(e.less(e.index(0), part), end(part), e.index(0));
      Value last = end(e.add(part, 1));
      auto sum = e.loop(first, last, e.index(kAtOnce), group.emptyState().values(),
                        [&](Value i, ValueRange carried) {
                          SmallVector<WindowCode::Item> some;
                          for (int64_t next = 0; next < kAtOnce; ++next) {
                            some.push_back(loadItem(group, e.add(i, next)));
                            Value inside = e.less(e.add(i, next), last);
                            some.back().exponent =
                                e.select(inside, some.back().exponent, group.infinity(true));
                          }
                          return addItems(group, MixState::from(carried), some).values();
                        });
      keep(MixState::from(sum), checkpoints, {part, place.lane});
    });
  });
  forEachColumn([&](LaneEmitter &group, Value column) {
    MixState sum = group.emptyState();
    for (int64_t part = kCheckpoints - 1; part >= 0; --part) {
      MixState one = kept(checkpoints, {e.index(part), column}, 0);
      keep(sum, checkpoints, {e.index(part), column});
      sum = mergeStates(e, sum, one);
    }
    // Where windows reach beyond the end, all items are in the first part.
    e.store(sum.m, base, column);
  });
}

/// The largest of the items that leave the windows in a tile, by group.
void TileBlock::keepLargestLeft(LaneEmitter &group, const Place &place, Value first, int64_t part) {
  Value start = e.sub(e.add(first, e.mul(place.row, rows)), e.index(tiles.before));
  Value largest = group.infinity(true);
  for (int64_t row = 0; row < rows; ++row)
    largest = e.fmaxNumber(largest, loadItem(group, e.add(start, row)).exponent);
  keep(largest, parts, {part}, {place.row, place.lane});
}

void TileBlock::sumLargestLeft(Value column, int64_t part) {
  Value largest = e.load(leftTop, column, 0);
  for (int64_t row = 0; row < groups; ++row)
    largest = e.fmaxNumber(largest, at(parts, {part, row}, column, 0));
  e.store(largest, leftTop, column);
}

/// The items after the windows of a tile: what is left of its part, and later parts.
void TileBlock::sumLater(Value first) {
  int64_t positions = groups * rows;
  Value part = e.builder.createOrFold<arith::DivUIOp>(e.loc, first, spacing);
  Value start = e.add(first, positions + tiles.after);
  Value end = e.add(e.mul(e.add(part, 1), spacing), tiles.after);
  forEachPlace([&](LaneEmitter &group, Value, const Place &place) {
    MixState sum = addRange(group, e.add(start, place.row), e.min(end, tiles.length),
                            e.index(groups), group.emptyState());
    keep(sum, parts, {place.row, place.lane});
    keepLargestLeft(group, place, first, 3);
  });
  forEachColumn([&](LaneEmitter &, Value column) {
    sumLargestLeft(column, 3);
    MixState sum = kept(checkpoints, {part, column}, 0);
    sum = MixState::from(e.loop(
        e.index(0), e.index(groups), e.index(1), sum.values(), [&](Value row, ValueRange carried) {
          return mergeStates(e, MixState::from(carried), kept(parts, {row, column}, 0)).values();
        }));
    keep(sum, later, column);
    keep(kept(carry, column, 0), before, column);
  });
}

//===----------------------------------------------------------------------===//
// The base
//===----------------------------------------------------------------------===//

/// Without later items, the base is the largest item up to the first of the tile; from the
/// first item on that is far above it, positions are computed exactly.
void TileBlock::rebase(Value first) {
  forEachPlace([&](LaneEmitter &group, Value, const Place &place) {
    Value start = loadItem(group, first).exponent;
    Value chosen = e.fmaxNumber(e.load(top, place.lane, group.lanes), start);
    Value largest = group.infinity(true), bad = group.number(groups * rows);
    for (int64_t row = rows - 1; row >= 0; --row) {
      Value number = e.add(e.mul(place.row, rows), row);
      WindowCode::Item item = loadItem(group, e.add(first, number));
      largest = e.fmaxNumber(largest, item.exponent);
      Value integer = e.builder.create<arith::IndexCastOp>(e.loc, e.builder.getI32Type(), number);
      Value here = e.builder.create<arith::SIToFPOp>(e.loc, group.element, integer);
      bad = e.select(tooLarge(group, item, chosen), e.broadcast(here, group.type), bad);
    }
    keep(largest, parts, {0}, {place.row, place.lane});
    keep(bad, parts, {1}, {place.row, place.lane});
    keepLargestLeft(group, place, first, 2);
  });
  forEachColumn([&](LaneEmitter &group, Value column) {
    sumLargestLeft(column, 2);
    Value largest = e.load(top, column, 0), bad = group.number(groups * rows);
    e.store(e.fmaxNumber(largest, loadItem(group, first).exponent), base, column);
    for (int64_t row = 0; row < groups; ++row) {
      largest = e.fmaxNumber(largest, at(parts, {0, row}, column, 0));
      bad = e.builder.create<arith::MinimumFOp>(e.loc, bad, at(parts, {1, row}, column, 0));
    }
    e.store(largest, top, column);
    e.store(bad, firstBad, column);
    keep(kept(carry, column, 0), before, column);
  });
}

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// Items start - before and following of the tile that begins at `first`.
void TileBlock::fillItems(Value first, Value start) {
  int64_t held = chunk + (groups - 1) * rows, step = kThreads / lanes;
  forEachPlace([&](LaneEmitter &group, Value, const Place &place) {
    Value chosen = e.load(base, place.lane, group.lanes), zero = group.number(0);
    Value offset = e.sub(e.add(first, start), e.index(tiles.before));
    e.loop(place.row, e.index(held), e.index(kAtOnce * step), [&](Value row) {
      SmallVector<std::pair<Value, Value>> pairs;
      for (int64_t next = 0; next < kAtOnce; ++next) {
        Value i = e.add(offset, e.add(row, next * step));
        WindowCode::Item item = loadItem(group, i);
        Value weight = e.exp(e.fsub(item.exponent, group.finite(chosen)));
        Value hidden = e.equal(item.exponent, group.infinity(true));
        if (!tiles.above) {
          // Positions before it must not notice.
          Value bad = tooLarge(group, item, chosen), ahead = e.less(e.sub(first, e.index(1)), i);
          bad = conjunction(bad, e.broadcast(ahead, bad.getType()));
          hidden = e.builder.create<arith::OrIOp>(e.loc, hidden, bad);
        }
        pairs.push_back({e.select(hidden, zero, e.fmul(weight, item.first)),
                         e.select(hidden, zero, e.fmul(weight, item.second))});
      }
      for (auto [next, pair] : llvm::enumerate(pairs)) {
        Value target = e.add(row, static_cast<int64_t>(next) * step);
        e.when(e.less(target, e.index(held)), [&, pair = pair] {
          e.store(pair.first, firsts, {target, place.lane});
          e.store(pair.second, seconds, {target, place.lane});
        });
      }
    });
  });
}

/// The weight of place j of a window: 1 before it and, if those count, after it; NaN, which
/// makes a position exact, where the bias is not moderate.
Value TileBlock::weightOf(Value j, llvm::function_ref<Value(Value)> load) {
  Type type = tiles.accumulation;
  Value inside =
      e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::ult, j, e.index(taps));
  Value bias = load(e.select(inside, j, e.index(0)));
  Value size = e.builder.create<math::AbsFOp>(e.loc, bias);
  Value moderate = compare(e, arith::CmpFPredicate::OLE, size, e.number(type, kModerate));
  Value weight = e.select(moderate, e.exp(bias), e.number(type, NAN));
  Value counts = e.less(j, e.index(0));
  if (tiles.above)
    counts = e.builder.create<arith::OrIOp>(e.loc, counts, e.less(e.index(taps - 1), j));
  return e.select(inside, weight, e.select(counts, e.number(type, 1), e.number(type, 0)));
}

/// Of each position; neighbouring threads take neighbours in memory.
void TileBlock::fillBiases(Value first, Value start) {
  forEachThread(e, kThreads, [&](Value thread) {
    e.loop(thread, e.index(groups * rows * chunk), e.index(kThreads), [&](Value number) {
      SmallVector<Value> place =
          delinearize(e, number, {e.index(groups), e.index(rows), e.index(chunk)});
      Value position = e.add(first, e.add(e.mul(place[0], rows), place[1]));
      Value j = e.sub(e.add(start, place[2]), place[1]);
      Value item = e.add(e.sub(position, e.index(tiles.before)), j);
      Value weight = weightOf(
          j, [&](Value safe) { return tiles.bias(positionOf(position), positionOf(item), safe); });
      // Of an item that does not exist the bias means nothing.
      Value isItem = conjunction(exists(item), exists(position));
      e.store(e.select(isItem, weight, e.number(tiles.accumulation, 0)), weights,
              {place[0], place[2], place[1]});
    });
  });
}

/// Of each channel, for place u - row at u - row + rows - 1.
void TileBlock::fillHeadBiases(Value start) {
  forEachThread(e, kThreads, [&](Value thread) {
    e.loop(thread, e.index((chunk + rows - 1) * width), e.index(kThreads), [&](Value number) {
      SmallVector<Value> place =
          delinearize(e, number, {e.index(chunk + rows - 1), e.index(width)});
      LaneEmitter group = groupAt(place[1], 0);
      Value j = e.sub(e.add(start, place[0]), e.index(rows - 1));
      Value head = e.div(group.channel, tiles.perHead);
      Value weight = weightOf(j, [&](Value safe) { return tiles.headBias(head, safe); });
      e.store(weight, weights, place);
    });
  });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// The sum of as many items as a group has positions.
SmallVector<Value> TileBlock::sumItems(Value lane, Value from) {
  SmallVector<Value> result;
  for (Value memory : {firsts, seconds}) {
    Value sum = e.load(memory, {from, lane}, lanesOf(tiles.vector));
    for (int64_t row = 1; row < rows; ++row)
      sum = e.fadd(sum, e.load(memory, {e.add(from, row), lane}, lanesOf(tiles.vector)));
    result.push_back(sum);
  }
  return result;
}

/// A chunk of the windows of each group.
void TileBlock::multiply(Value start) {
  auto is = [&](Value a, int64_t b) {
    return e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::eq, a, e.index(b));
  };
  forEachPlace([&](LaneEmitter &group, Value thread, const Place &place) {
    Value from = e.mul(place.row, rows);
    auto sumOf = [&](int64_t row, int64_t part) -> SmallVector<Value> {
      return {thread, e.index(row), e.index(part), e.index(0)};
    };
    SmallVector<Value> carried;
    for (int64_t i = 0; i < 2 * rows; ++i)
      carried.push_back(e.load(sums, sumOf(i / 2, i % 2), group.lanes));
    // The weights of places u - row of a window move on from row to row.
    auto tableRow = [&](Value u) { return e.load(weights, {u, place.lane}, group.lanes); };
    if (tiles.perHeadBias)
      for (int64_t row = 1; row < rows; ++row)
        carried.push_back(tableRow(e.index(rows - 1 - row)));
    // Past the places of a group, items are among those after it.
    Value count = e.index(chunk);
    if (span % chunk != 0)
      count = e.min(count, e.sub(e.index(span), start));
    carried = e.loop(e.index(0), count, e.index(1), carried, [&](Value u, ValueRange values) {
      Value item = e.add(from, u), first = e.load(firsts, {item, place.lane}, group.lanes);
      Value second = e.load(seconds, {item, place.lane}, group.lanes);
      SmallVector<Value> own, next;
      if (tiles.perHeadBias) {
        own.push_back(tableRow(e.add(u, rows - 1)));
        llvm::append_range(own, values.drop_front(2 * rows));
      } else {
        Value all = e.load(weights, {place.row, u, e.index(0)}, lanesOf(rows));
        for (int64_t row = 0; row < rows; ++row)
          own.push_back(e.broadcast(
              rows > 1 ? Value(e.builder.create<vector::ExtractOp>(e.loc, all, row)) : all,
              group.type));
      }
      for (int64_t row = 0; row < rows; ++row) {
        next.push_back(e.fma(own[row], first, values[2 * row]));
        next.push_back(e.fma(own[row], second, values[2 * row + 1]));
      }
      if (tiles.perHeadBias)
        next.append(own.begin(), own.end() - 1);
      return next;
    });
    for (int64_t i = 0; i < 2 * rows; ++i)
      e.store(carried[i], sums, sumOf(i / 2, i % 2));
    auto keepParts = [&](int64_t side, Value first) {
      for (auto [part, sum] : llvm::enumerate(sumItems(place.lane, first)))
        keep(sum, parts, {2 * side + static_cast<int64_t>(part)}, {place.row, place.lane});
    };
    e.when(is(start, 0), [&] { keepParts(0, from); });
    int64_t lastStart = (span - 1) / chunk * chunk;
    if (tiles.above)
      e.when(conjunction(is(start, lastStart), e.less(place.row, e.index(groups - 1))),
             [&] { keepParts(1, e.add(from, span - lastStart)); });
  });
}

/// Makes of the sums of groups those before, and after, a group's windows.
void TileBlock::sumParts(Value first) {
  forEachColumn([&](LaneEmitter &group, Value column) {
    Value raw = e.load(base, column, 0), chosen = group.finite(raw);
    auto scaled = [&](const MixState &state, int64_t part) {
      return e.fmul(part == 0 ? state.n : state.z, e.exp(e.fsub(state.m, chosen)));
    };
    SmallVector<Value> end;
    for (int64_t part = 0; part < 2; ++part) {
      Value sum = scaled(kept(carry, column, 0), part);
      for (int64_t row = 0; row < groups; ++row) {
        Value one = at(parts, {part, row}, column, 0);
        keep(sum, parts, {part, row}, column);
        sum = e.fadd(sum, one);
      }
      end.push_back(sum);
      if (!tiles.above)
        continue;
      sum = scaled(kept(later, column, 0), part);
      for (int64_t row = groups - 1; row >= 0; --row) {
        if (row < groups - 1)
          sum = e.fadd(sum, at(parts, {2 + part, row}, column, 0));
        keep(sum, parts, {2 + part, row}, column);
      }
    }
    // Sums far below the base have no digits, and a window may hide what is at the base.
    Value good = compare(e, arith::CmpFPredicate::OGE, e.load(leftTop, column, 0),
                         e.fsub(chosen, group.number(kFarBelow)));
    if (!tiles.above)
      good = conjunction(good, e.equal(e.load(firstBad, column, 0), group.number(groups * rows)));
    Value start = e.sub(first, e.index(tiles.before));
    MixState next = MixState::from(e.branch(
        good, {group.type, group.type, group.type},
        [&] { return MixState{raw, end[0], end[1]}.values(); },
        [&] {
          return addRange(group, e.max(start, e.index(0)),
                          e.max(e.add(start, groups * rows), e.index(0)), e.index(1),
                          kept(carry, column, 0))
              .values();
        }));
    keep(next, carry, column);
  });
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

void TileBlock::finish(Value first) {
  forEachPlace([&](LaneEmitter &group, Value thread, const Place &place) {
    Value raw = e.load(base, place.lane, group.lanes), limit, redo = e.index(0);
    if (!tiles.above)
      limit = e.reduce(e.load(firstBad, place.lane, group.lanes), [&](Value a, Value b) -> Value {
        return e.builder.create<arith::MinimumFOp>(e.loc, a, b);
      });
    Value isOwn = e.less(e.add(firstChannel, place.lane), e.index(tiles.channels));
    for (int64_t row = 0; row < rows; ++row) {
      Value number = e.add(e.mul(place.row, rows), row), i = e.add(first, number);
      MixState state{raw, {}, {}};
      for (int64_t part = 0; part < 2; ++part) {
        Value sum = e.load(sums, {thread, e.index(row), e.index(part), e.index(0)}, group.lanes);
        for (int64_t side = 0; side < (tiles.above ? 2 : 1); ++side)
          sum = e.fadd(sum, at(parts, {2 * side + part}, {place.row, place.lane}, group.lanes));
        (part == 0 ? state.n : state.z) = sum;
      }
      // 0 unless a channel has a NaN or an infinity.
      Value both = e.fadd(state.n, state.z), check = e.fsub(both, both);
      check = e.reduce(check, [&](Value a, Value b) { return e.fadd(a, b); });
      Value good = e.equal(check, e.number(tiles.accumulation, 0));
      if (limit) {
        Value integer = e.builder.create<arith::IndexCastOp>(e.loc, e.builder.getI32Type(), number);
        Value here = e.builder.create<arith::SIToFPOp>(e.loc, group.element, integer);
        good = conjunction(good, compare(e, arith::CmpFPredicate::OLT, here, limit));
      }
      Value wanted = conjunction(isOwn, e.less(i, tiles.length)), t = positionOf(i);
      e.when(wanted, [&] {
        if (tiles.visit)
          tiles.visit(group, t);
        e.when(good, [&] { tiles.code.finish(group, t, state); });
      });
      Value bad = e.select(good, e.index(0), e.index(int64_t(1) << row));
      redo = e.add(redo, e.select(wanted, bad, e.index(0)));
    }
    finishExactly(group, first, place, redo);
  });
}

/// The positions of a group whose bits are set.
void TileBlock::finishExactly(LaneEmitter &group, Value first, const Place &place, Value redo) {
  Value one = e.index(1), column = place.lane;
  e.when(e.less(e.index(0), redo), [&] {
    e.loop(e.index(0), e.index(rows), one, [&](Value own) {
      Value bit = e.builder.create<arith::AndIOp>(
          e.loc, e.builder.create<arith::ShRUIOp>(e.loc, redo, own), one);
      e.when(e.less(e.index(0), bit), [&] {
        Value i = e.add(first, e.add(e.mul(place.row, rows), own)), zero = e.index(0);
        Value start = e.sub(first, e.index(tiles.before));
        Value end = e.max(e.sub(i, e.index(tiles.before)), zero);
        SmallVector<MixState> outside = {
            addRange(group, e.max(start, zero), end, one, kept(before, column, group.lanes))};
        if (tiles.above)
          outside.push_back(addRange(group, e.add(i, tiles.after + 1),
                                     e.min(e.add(first, groups * rows + tiles.after), tiles.length),
                                     one, kept(later, column, group.lanes)));
        tiles.exact(group, positionOf(i), outside);
      });
    });
  });
}

void TileBlock::run(ArrayRef<Value> block) {
  batch = block[0];
  firstChannel = e.mul(block[1], width);
  items = tiles.items(batch);
  forEachColumn([&](LaneEmitter &group, Value column) {
    keep(group.emptyState(), carry, column);
    e.store(group.infinity(true), leftTop, column);
    if (!tiles.above)
      e.store(group.infinity(true), top, column);
  });
  if (tiles.above)
    findCheckpoints();
  e.loop(e.index(0), tiles.length, e.index(groups * rows), [&](Value first) {
    tiles.above ? sumLater(first) : rebase(first);
    forEachPlace([&](LaneEmitter &group, Value thread, const Place &) {
      for (int64_t i = 0; i < 2 * rows; ++i)
        e.store(group.number(0), sums, {thread, e.index(i / 2), e.index(i % 2), e.index(0)});
    });
    e.loop(e.index(0), e.index(span), e.index(chunk), [&](Value start) {
      fillItems(first, start);
      tiles.perHeadBias ? fillHeadBiases(start) : fillBiases(first, start);
      multiply(start);
    });
    sumParts(first);
    finish(first);
  });
}

void WindowTiles::run(Emitter &e) const {
  TileBlock block(*this, e);
  setResidentBlocks(e, visit ? kResidentMirrored : kResident);
  int64_t blocks = (channels + block.blockChannels() - 1) / block.blockChannels();
  forEachBlock(e, {batches, e.index(blocks)}, [&](ArrayRef<Value> index) { block.run(index); });
}
