//===- WindowTiles.cpp - Windows of a sequence, tile by tile --------------===//

#include "compiler/vector/gpu/TileBlock.h"

#include "compiler/vector/full/FullMixer.h"
#include "compiler/vector/gpu/SequenceScan.h"
#include "compiler/vector/window/WindowWeights.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace aft;

/// Channels of a block, if there are so many, and sums of a thread.
static constexpr int64_t kChannels = 32, kOwnSums = 16, kMostRows = 4;
/// Items that are in shared memory for a position at once, and bytes they may take there:
/// the gradient of the bias, in the same kernel, needs some for its sums.
static constexpr int64_t kMostChunk = 64, kSharedBytes = 42 << 10, kWideSharedBytes = 34 << 10;
/// Sums over later items are kept for so many parts of the sequence.
static constexpr int64_t kCheckpoints = 16;
/// Of its blocks on a multiprocessor, some load while others compute; the derivative takes
/// more registers.
static constexpr int64_t kResident = 3, kResidentMirrored = 2;

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

/// Channels of a block: where heads have sums, whole ones, or one in several turns.
void WindowSizes::shareChannels(const WindowTiles &tiles) {
  int64_t most = lanes * tiles.vector, perHead = tiles.perHead;
  owned = most;
  if (tiles.shared && perHead > most) {
    turns = (perHead + most - 1) / most;
    int64_t vectors = (perHead / tiles.vector + turns - 1) / turns;
    owned = vectors * tiles.vector;
  } else if (tiles.shared) {
    owned = std::min(most / perHead * perHead, tiles.channels);
  }
  while (lanes > 1 && lanes / 2 * tiles.vector >= std::min(owned, tiles.channels))
    lanes /= 2;
  width = lanes * tiles.vector;
  owned = std::min(owned, width);
  checkpointCount = tiles.above ? std::max<int64_t>(kCheckpoints / turns, 1) : 0;
}

int64_t WindowSizes::numbers(const WindowTiles &tiles) const {
  int64_t table = tiles.perHeadBias ? (chunk + rows) * width : groups * chunk * rows;
  // Beside what the only turn has, for which some bytes are left.
  int64_t others = turns > 1 ? 6 * (turns - 1) * width + groups * rows : 0;
  return 2 * (chunk + groups * rows) * width + table + 4 * groups * width +
         3 * checkpointCount * turns * width + others;
}

/// As many positions as there is room for; half of everything in f64.
bool WindowSizes::choose(const WindowTiles &tiles) {
  taps = tiles.before + tiles.after + 1;
  int64_t bytes = tiles.accumulation.getIntOrFloatBitWidth() / 8, scale = bytes > 4 ? 2 : 1;
  rows = std::min(kMostRows / scale, kOwnSums / tiles.vector);
  lanes = kChannels / scale / tiles.vector;
  shareChannels(tiles);
  // Turns take registers, too.
  if (turns > 1)
    rows = std::min(rows, std::max<int64_t>(kOwnSums / 4 / tiles.vector, 2));
  groups = kThreads / lanes;
  span = rows - 1 + taps;
  for (int64_t parts = (span + kMostChunk - 1) / kMostChunk;; ++parts) {
    chunk = (span + parts - 1) / parts;
    if (numbers(tiles) * bytes <= (scale > 1 ? kWideSharedBytes : kSharedBytes))
      return true;
    if (chunk < 2 * rows)
      return false;
  }
}

bool WindowTiles::fit() const { return WindowSizes().choose(*this); }

TileBlock::TileBlock(const WindowTiles &tiles, Emitter &e) : tiles(tiles), e(e) {
  choose(tiles);
  Type type = tiles.accumulation;
  int64_t held = chunk + (groups - 1) * rows;
  firsts = sharedMemory(e, {held, width}, type);
  seconds = sharedMemory(e, {held, width}, type);
  weights = tiles.perHeadBias ? sharedMemory(e, {chunk + rows - 1, width}, type)
                              : sharedMemory(e, {groups, chunk, rows}, type);
  parts = sharedMemory(e, {tiles.above ? 4 : 3, groups, width}, type);
  leftTop = sharedMemory(e, {turns * width}, type);
  base = sharedMemory(e, {turns * width}, type);
  carry = sharedMemory(e, {3, turns * width}, type);
  before = sharedMemory(e, {3, width}, type);
  if (tiles.above) {
    later = sharedMemory(e, {3, width}, type);
    checkpoints = sharedMemory(e, {3, checkpointCount, turns * width}, type);
  } else {
    top = sharedMemory(e, {turns * width}, type);
    firstBad = sharedMemory(e, {width}, type);
  }
  if (turns > 1)
    headSums = sharedMemory(e, {groups * rows}, type);
  sums = threadMemory(e, kThreads, {rows, 2, tiles.vector}, type);
}

//===----------------------------------------------------------------------===//
// Threads, items and memory
//===----------------------------------------------------------------------===//

/// Channels beyond the last one stand for the last: they are not stored.
LaneEmitter TileBlock::groupAt(Value lane, int64_t lanes) {
  int64_t each = std::max<int64_t>(lanes, 1);
  Value channel = e.add(firstChannel, lane);
  if (owned != width || turns > 1 || tiles.channels % width != 0)
    channel = e.min(channel, e.index(tiles.channels - each));
  LaneEmitter group(e, tiles.accumulation, lanes, batch, channel);
  group.perHead = tiles.perHead;
  return group;
}

/// Whether a lane has a channel in this turn.
Value TileBlock::isOwn(Value lane) {
  Value own = e.less(e.add(firstChannel, lane), e.index(tiles.channels));
  if (owned != width)
    own = e.both(own, e.less(lane, e.index(owned)));
  if (turns > 1)
    own = e.both(own, e.less(e.add(e.mul(turn, owned), lane), e.index(tiles.perHead)));
  return own;
}

/// The same for all channels of the block.
void TileBlock::forEachTurn(llvm::function_ref<void()> body) {
  firstChannel = blockStart;
  if (turns == 1)
    return body();
  e.loop(e.index(0), e.index(turns), e.index(1), [&](Value number) {
    turn = number;
    firstChannel = e.add(blockStart, e.mul(number, owned));
    body();
  });
}

void TileBlock::forEachPlace(llvm::function_ref<void(LaneEmitter &, Value, const Place &)> body) {
  forEachThread(e, kThreads, [&](Value thread) {
    Value lane = e.mul(e.rest(thread, lanes), tiles.vector);
    LaneEmitter group = groupAt(lane, vectorLanes());
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
  Value seen = e.both(exists(i), e.less(t, items));
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
    return e.compare(predicate, a, b);
  };
  auto magnitude = [&](Value value) { return e.builder.create<math::AbsFOp>(e.loc, value); };
  Value large = is(arith::CmpFPredicate::UGT, e.fsub(item.exponent, base), group.number(kModerate));
  for (Value factor : {item.first, item.second})
    large =
        e.either(large, is(arith::CmpFPredicate::UEQ, magnitude(factor), group.infinity(false)));
  return e.both(large, is(arith::CmpFPredicate::UNE, item.exponent, group.infinity(true)));
}

//===----------------------------------------------------------------------===//
// Items after windows
//===----------------------------------------------------------------------===//

/// The sequence in parts of whole tiles: the sum of the items after the windows of the last
/// tile of each. The base is the largest item of all.
void TileBlock::findCheckpoints() {
  auto end = [&](Value part) {
    return e.min(e.add(e.mul(part, spacing), tiles.after), tiles.length);
  };
  forEachPlace([&](LaneEmitter &group, Value, const Place &place) {
    e.loop(place.row, e.index(checkpointCount), e.index(groups), [&](Value part) {
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
      keep(MixState::from(sum), checkpoints, {part, inTurn(place.lane)});
    });
  });
  forEachColumn([&](LaneEmitter &group, Value column) {
    MixState sum = group.emptyState();
    for (int64_t part = checkpointCount - 1; part >= 0; --part) {
      MixState one = kept(checkpoints, {e.index(part), inTurn(column)}, 0);
      keep(sum, checkpoints, {e.index(part), inTurn(column)});
      sum = mergeStates(e, sum, one);
    }
    // Where windows reach beyond the end, all items are in the first part.
    e.store(sum.m, base, inTurn(column));
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
  Value largest = e.load(leftTop, inTurn(column), 0);
  for (int64_t row = 0; row < groups; ++row)
    largest = e.fmaxNumber(largest, at(parts, {part, row}, column, 0));
  e.store(largest, leftTop, inTurn(column));
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
    MixState sum = kept(checkpoints, {part, inTurn(column)}, 0);
    sum = MixState::from(e.loop(
        e.index(0), e.index(groups), e.index(1), sum.values(), [&](Value row, ValueRange carried) {
          return mergeStates(e, MixState::from(carried), kept(parts, {row, column}, 0)).values();
        }));
    keep(sum, later, column);
    keep(kept(carry, inTurn(column), 0), before, column);
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
    Value chosen = e.fmaxNumber(e.load(top, inTurn(place.lane), group.lanes), start);
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
    Value largest = e.load(top, inTurn(column), 0), bad = group.number(groups * rows);
    e.store(e.fmaxNumber(largest, loadItem(group, first).exponent), base, inTurn(column));
    for (int64_t row = 0; row < groups; ++row) {
      largest = e.fmaxNumber(largest, at(parts, {0, row}, column, 0));
      bad = e.builder.create<arith::MinimumFOp>(e.loc, bad, at(parts, {1, row}, column, 0));
    }
    e.store(largest, top, inTurn(column));
    e.store(bad, firstBad, column);
    keep(kept(carry, inTurn(column), 0), before, column);
  });
}

void TileBlock::addTile(Value first) {
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
  if (tiles.shared)
    finishHeads(first);
}

void TileBlock::run(ArrayRef<Value> block) {
  batch = block[0];
  blockStart = e.mul(block[1], blockChannels());
  items = tiles.items(batch);
  int64_t positions = groups * rows;
  if (tiles.above)
    spacing = e.mul(e.ceilDiv(tiles.length, positions * checkpointCount), positions);
  forEachTurn([&] {
    forEachColumn([&](LaneEmitter &group, Value column) {
      keep(group.emptyState(), carry, inTurn(column));
      e.store(group.infinity(true), leftTop, inTurn(column));
      if (!tiles.above)
        e.store(group.infinity(true), top, inTurn(column));
    });
    if (tiles.above)
      findCheckpoints();
  });
  e.loop(e.index(0), tiles.length, e.index(positions),
         [&](Value first) { forEachTurn([&] { addTile(first); }); });
}

void WindowTiles::run(Emitter &e) const {
  TileBlock block(*this, e);
  setResidentBlocks(e, visit ? kResidentMirrored : kResident);
  int64_t blocks = (channels + block.blockChannels() - 1) / block.blockChannels();
  forEachBlock(e, {batches, e.index(blocks)}, [&](ArrayRef<Value> index) { block.run(index); });
}
