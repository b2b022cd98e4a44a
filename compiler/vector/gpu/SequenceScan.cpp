//===- SequenceScan.cpp - Sums along a sequence by a block of threads -----===//

#include "compiler/vector/gpu/SequenceScan.h"

#include "compiler/vector/full/FullMixer.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace aft;

static constexpr int64_t kThreads = 128;
/// Of its blocks on a multiprocessor, some load while others compute.
static constexpr int64_t kResident = 3;
/// Vectors of a block next to each other: 64 bytes of each row. Without vectors, numbers.
static constexpr int64_t kLanes = 4, kScalarLanes = 16;
/// Bytes that a thread loads of each operand before it waits.
static constexpr int64_t kOwnBytes = 128;

//===----------------------------------------------------------------------===//
// States
//===----------------------------------------------------------------------===//

int64_t aft::vectorChannels(Value memref, int64_t channels) {
  int64_t bits = cast<MemRefType>(memref.getType()).getElementTypeBitWidth();
  int64_t vector = 128 / bits;
  while (vector > 1 && channels % vector != 0)
    vector /= 2;
  return vector;
}

/// exp(-|a - b|), 1 where both are equal, infinities too.
static Value decay(Emitter &e, Value a, Value b) {
  Value zero = e.number(a.getType(), 0);
  Value distance = e.builder.create<math::AbsFOp>(e.loc, e.fsub(a, b));
  return e.exp(e.select(e.equal(a, b), zero, e.fsub(zero, distance)));
}

MixState aft::mergeStates(Emitter &e, const MixState &a, const MixState &b) {
  // The factor of the state with the larger maximum is 1.
  Value one = e.number(a.m.getType(), 1), factor = decay(e, a.m, b.m);
  Value above = e.compare(arith::CmpFPredicate::OGT, a.m, b.m);
  Value first = e.select(above, one, factor), second = e.select(above, factor, one);
  return {e.fmaxNumber(a.m, b.m), e.fma(a.n, first, e.fmul(b.n, second)),
          e.fma(a.z, first, e.fmul(b.z, second))};
}

/// Adds an item of this weight; of weight 0 it is hidden.
static MixState addWeighted(LaneEmitter &group, const MixState &state, const WindowCode::Item &item,
                            Value weight) {
  Emitter &e = group.e;
  Value hidden = e.equal(weight, group.number(0));
  auto added = [&](Value sum, Value factor) {
    if (matchPattern(factor, m_OneFloat()))
      return e.fadd(sum, weight);
    return e.select(hidden, sum, e.fma(weight, factor, sum));
  };
  return {state.m, added(state.n, item.first), added(state.z, item.second)};
}

MixState aft::addItem(LaneEmitter &group, const MixState &state, const WindowCode::Item &item) {
  Emitter &e = group.e;
  Value x = item.exponent, one = group.number(1), factor = decay(e, state.m, x);
  // A hidden item is not above anything; without another, it would count as equal.
  Value above = e.compare(arith::CmpFPredicate::OGT, x, state.m);
  Value weight = e.select(above, one, factor);
  weight = e.select(e.equal(x, group.infinity(true)), group.number(0), weight);
  Value old = e.select(above, factor, one);
  return addWeighted(group, {e.fmaxNumber(state.m, x), e.fmul(state.n, old), e.fmul(state.z, old)},
                     item, weight);
}

MixState aft::addItems(LaneEmitter &group, const MixState &state,
                       ArrayRef<WindowCode::Item> items) {
  Emitter &e = group.e;
  Value m = state.m;
  for (const WindowCode::Item &item : items)
    m = e.fmaxNumber(m, item.exponent);
  Value base = group.finite(m), old = e.exp(e.fsub(state.m, base));
  MixState sum = {m, group.number(0), group.number(0)};
  for (const WindowCode::Item &item : items)
    sum = addWeighted(group, sum, item, e.exp(e.fsub(item.exponent, base)));
  return {m, e.fma(state.n, old, sum.n), e.fma(state.z, old, sum.z)};
}

//===----------------------------------------------------------------------===//
// A block
//===----------------------------------------------------------------------===//

namespace {

class SequenceBlock {
public:
  SequenceBlock(const SequenceScan &scan, Emitter &e);
  void run(ArrayRef<Value> block);
  int64_t blockChannels() const { return width; }

private:
  struct Place {
    Value lane, row; ///< vector, and which of the block's threads with that vector
  };
  void forEachPlace(llvm::function_ref<void(LaneEmitter &, Value thread, const Place &)> body);
  WindowCode::Item loadItem(LaneEmitter &group, Value i);
  Value positionOf(Value i);
  void finish(LaneEmitter &group, Value i, const MixState &state);

  void sumAll();
  void finishAll();
  void loadTile(Value first);
  void walkTile(Value first);

  void keep(const MixState &state, Value memory, Value row, Value column);
  MixState kept(Value memory, Value row, Value column, int64_t lanes);
  void sumParts();
  void sumClusters();

  const SequenceScan &scan;
  Emitter &e;
  /// Lanes, threads of a lane, channels of the block, rows that a thread holds.
  int64_t lanes, rows, width, own;
  int64_t clusters; ///< of rows whose sums are summed by one thread per channel
  Value parts, totals, carry, loaded;
  Value batch, firstChannel, items;
  bool secondIsOne = false;
};

} // namespace

static int64_t lanesOf(int64_t vector) { return vector > 1 ? vector : 0; }

SequenceBlock::SequenceBlock(const SequenceScan &scan, Emitter &e) : scan(scan), e(e) {
  lanes = scan.vector > 1 ? kLanes : kScalarLanes;
  rows = kThreads / lanes;
  width = lanes * scan.vector;
  own = kOwnBytes / 16;
  // The derivative holds more of each position, bf16 becomes f32.
  int64_t bytes = scan.vector * scan.accumulation.getIntOrFloatBitWidth() / 8;
  if (scan.vector > 1 && bytes > 16)
    own /= 2;
  if (scan.visit)
    own /= 2;
  clusters = std::min(kThreads / width, rows);
  parts = sharedMemory(e, {3, rows, width}, scan.accumulation);
  totals = sharedMemory(e, {3, clusters, width}, scan.accumulation);
  carry = sharedMemory(e, {3, 1, width}, scan.accumulation);
  if (scan.running)
    loaded = threadMemory(e, kThreads, {own, 3, scan.vector}, scan.accumulation);
}

void SequenceBlock::forEachPlace(
    llvm::function_ref<void(LaneEmitter &, Value, const Place &)> body) {
  forEachThread(e, kThreads, [&](Value thread) {
    Value lane = e.mul(e.rest(thread, lanes), scan.vector);
    Value channel = e.add(firstChannel, lane);
    e.when(e.less(channel, e.index(scan.channels)), [&] {
      LaneEmitter group(e, scan.accumulation, lanesOf(scan.vector), batch, channel);
      body(group, thread, {lane, e.div(thread, lanes)});
    });
  });
}

/// The i-th position in the direction of the scan.
Value SequenceBlock::positionOf(Value i) {
  Value last = e.sub(scan.length, e.index(1));
  i = e.min(i, last);
  return scan.downward ? e.sub(last, i) : i;
}

/// Item i; beyond the end a hidden one, so that no thread waits behind a branch.
WindowCode::Item SequenceBlock::loadItem(LaneEmitter &group, Value i) {
  Value t = positionOf(i), exists = e.less(i, scan.length);
  WindowCode::Item item = scan.code.load(group, t);
  Value seen = e.both(exists, e.less(t, items));
  item.exponent = e.select(seen, item.exponent, group.infinity(true));
  if (scan.visit)
    e.when(exists, [&] { scan.visit(group, t); });
  return item;
}

void SequenceBlock::finish(LaneEmitter &group, Value i, const MixState &state) {
  e.when(e.less(i, scan.length), [&] { scan.code.finish(group, positionOf(i), state); });
}

//===----------------------------------------------------------------------===//
// Sums of the threads
//===----------------------------------------------------------------------===//

void SequenceBlock::keep(const MixState &state, Value memory, Value row, Value column) {
  for (auto [i, value] : llvm::enumerate(state.values()))
    e.store(value, memory, {e.index(i), row, column});
}

MixState SequenceBlock::kept(Value memory, Value row, Value column, int64_t lanes) {
  auto part = [&](int64_t i) { return e.load(memory, {e.index(i), row, column}, lanes); };
  return {part(0), part(1), part(2)};
}

/// Makes of the sums of rows those of the rows before them in their cluster, and those of
/// clusters.
void SequenceBlock::sumParts() {
  int64_t each = rows / clusters;
  forEachThread(e, clusters * width, [&](Value thread) {
    Value column = e.rest(thread, width);
    Value cluster = e.div(thread, width);
    LaneEmitter group(e, scan.accumulation, 0, batch, column);
    MixState sum = group.emptyState();
    for (int64_t i = 0; i < each; ++i) {
      Value row = e.add(e.mul(cluster, each), i);
      MixState one = kept(parts, row, column, 0);
      keep(sum, parts, row, column);
      sum = mergeStates(e, sum, one);
    }
    keep(sum, totals, cluster, column);
  });
}

/// The same for clusters, from what was carried here on, and carries on.
void SequenceBlock::sumClusters() {
  forEachThread(e, width, [&](Value column) {
    MixState sum = kept(carry, e.index(0), column, 0);
    for (int64_t i = 0; i < clusters; ++i) {
      MixState one = kept(totals, e.index(i), column, 0);
      keep(sum, totals, e.index(i), column);
      sum = mergeStates(e, sum, one);
    }
    keep(sum, carry, e.index(0), column);
  });
}

//===----------------------------------------------------------------------===//
// One sum for all
//===----------------------------------------------------------------------===//

/// Rows of threads take neighbouring positions.
void SequenceBlock::sumAll() {
  forEachPlace([&](LaneEmitter &group, Value, const Place &place) {
    Value step = e.index(rows * own);
    Emitter::Values sum = e.loop(place.row, scan.length, step, group.emptyState().values(),
                                 [&](Value first, ValueRange carried) {
                                   SmallVector<WindowCode::Item> some;
                                   for (int64_t i = 0; i < own; ++i)
                                     some.push_back(loadItem(group, e.add(first, i * rows)));
                                   return addItems(group, MixState::from(carried), some).values();
                                 });
    keep(MixState::from(sum), parts, place.row, place.lane);
  });
}

void SequenceBlock::finishAll() {
  forEachPlace([&](LaneEmitter &group, Value, const Place &place) {
    MixState sum = kept(carry, e.index(0), place.lane, group.lanes);
    e.loop(place.row, scan.length, e.index(rows * own), [&](Value first) {
      for (int64_t i = 0; i < own; ++i)
        finish(group, e.add(first, i * rows), sum);
    });
  });
}

//===----------------------------------------------------------------------===//
// Running sums
//===----------------------------------------------------------------------===//

/// Each thread its own positions, and their sum.
void SequenceBlock::loadTile(Value first) {
  forEachPlace([&](LaneEmitter &group, Value thread, const Place &place) {
    Value start = e.add(first, e.mul(place.row, own));
    SmallVector<WindowCode::Item> all;
    for (int64_t i = 0; i < own; ++i) {
      WindowCode::Item item = loadItem(group, e.add(start, i));
      secondIsOne = matchPattern(item.second, m_OneFloat());
      SmallVector<Value> values = {item.exponent, item.first};
      if (!secondIsOne)
        values.push_back(item.second);
      for (auto [part, value] : llvm::enumerate(values))
        e.store(value, loaded, {thread, e.index(i), e.index(part), e.index(0)});
      all.push_back(item);
    }
    keep(addItems(group, group.emptyState(), all), parts, place.row, place.lane);
  });
}

void SequenceBlock::walkTile(Value first) {
  forEachPlace([&](LaneEmitter &group, Value thread, const Place &place) {
    Value start = e.add(first, e.mul(place.row, own));
    MixState sum =
        mergeStates(e, kept(totals, e.div(place.row, rows / clusters), place.lane, group.lanes),
                    kept(parts, place.row, place.lane, group.lanes));
    for (int64_t i = 0; i < own; ++i) {
      auto part = [&](int64_t number) {
        return e.load(loaded, {thread, e.index(i), e.index(number), e.index(0)}, group.lanes);
      };
      sum = addItem(group, sum, {part(0), part(1), secondIsOne ? group.number(1) : part(2)});
      finish(group, e.add(start, i), sum);
    }
  });
}

void SequenceBlock::run(ArrayRef<Value> block) {
  batch = block[0];
  firstChannel = e.mul(block[1], width);
  items = scan.items(batch);
  forEachThread(e, width, [&](Value column) {
    LaneEmitter group(e, scan.accumulation, 0, batch, column);
    keep(group.emptyState(), carry, e.index(0), column);
  });
  if (!scan.running) {
    sumAll();
    sumParts();
    sumClusters();
    finishAll();
    return;
  }
  e.loop(e.index(0), scan.length, e.index(rows * own), [&](Value first) {
    loadTile(first);
    sumParts();
    sumClusters();
    walkTile(first);
  });
}

void SequenceScan::run(Emitter &e) const {
  SequenceBlock block(*this, e);
  setResidentBlocks(e, kResident);
  int64_t blocks = (channels + block.blockChannels() - 1) / block.blockChannels();
  forEachBlock(e, {batches, e.index(blocks)}, [&](ArrayRef<Value> index) { block.run(index); });
}
