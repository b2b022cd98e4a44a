//===- SegmentScan.cpp - Running sums of a sequence by a block of threads -===//

#include "compiler/vector/gpu/SegmentScan.h"

#include "compiler/vector/gpu/Threads.h"

using namespace mlir;
using namespace aft;

/// Channels of a block: those of one 32-byte sector of f32. Segments of the sequence.
static constexpr int64_t kChannels = 8, kSegments = 32;
static constexpr int64_t kThreads = kChannels * kSegments;
/// Items that are added one by one before their sum is added to the others: so rounding
/// errors do not grow with the sequence.
static constexpr int64_t kRun = 32;
/// Of a kernel without sums: channels side by side in memory.
static constexpr int64_t kWideChannels = 32;

namespace {

/// One thread's part.
class Segment {
public:
  Segment(const SegmentScan &scan, Emitter &e, LaneEmitter &group, Value number, Value keptBelow,
          Value keptAbove)
      : scan(scan), e(e), group(group), number(number), keptBelow(keptBelow), keptAbove(keptAbove),
        items(scan.items(group.batch)) {
    // Segments of about the same length.
    Value size = e.ceilDiv(scan.length, kSegments);
    first = e.min(e.mul(number, size), scan.length);
    last = e.min(e.add(first, size), scan.length);
  }
  void sum();
  void walk();

private:
  MixState addBelow(const MixState &state, Value t);
  MixState addAbove(const MixState &state, Value t);
  MixState runs(Value from, Value to, const MixState &start, bool downward,
                llvm::function_ref<MixState(const MixState &, Value)> add,
                llvm::function_ref<void(Value, const MixState &)> use);
  MixState sumAbove(Value t, const MixState &start);
  MixState kept(Value memory, Value segment);
  void keep(const MixState &state, Value memory);
  MixState others(Value memory, Value from, Value to);

  const SegmentScan &scan;
  Emitter &e;
  LaneEmitter &group;
  Value number, keptBelow, keptAbove, items, first, last;
};

} // namespace

/// The item that leaves the window at t downwards, if it exists.
MixState Segment::addBelow(const MixState &state, Value t) {
  Value item = e.sub(t, e.index(scan.before + 1));
  Value exists =
      e.builder.create<arith::AndIOp>(e.loc, e.less(e.index(-1), item), e.less(item, items));
  return group.when(exists, state, [&] { return scan.add(group, state, item); });
}

/// The first item above the window of t, if it exists.
MixState Segment::addAbove(const MixState &state, Value t) {
  Value item = e.add(t, scan.after + 1);
  return group.when(e.less(item, items), state, [&] { return scan.add(group, state, item); });
}

/// Adds something at each position of [from, to), upward or downward, and calls `use` with
/// the sum so far.
MixState Segment::runs(Value from, Value to, const MixState &start, bool downward,
                       llvm::function_ref<MixState(const MixState &, Value)> add,
                       llvm::function_ref<void(Value, const MixState &)> use) {
  auto outer = e.loop(from, to, e.index(kRun), start.values(), [&](Value run, ValueRange carried) {
    MixState total = MixState::from(carried);
    Value end = e.min(e.add(run, kRun), to);
    MixState own = group.loop(run, end, group.emptyState(), [&](Value i, MixState state) {
      Value t = downward ? e.sub(e.add(from, e.sub(to, e.index(1))), i) : i;
      state = add(state, t);
      if (use)
        use(t, group.merge(total, state));
      return state;
    });
    return group.merge(total, own).values();
  });
  return MixState::from(outer);
}

MixState Segment::kept(Value memory, Value segment) {
  Value lane = e.builder.create<arith::RemUIOp>(e.loc, group.channel, e.index(kChannels));
  auto part = [&](int64_t i) { return e.load(memory, {e.index(i), segment, lane}, 0); };
  return {part(0), part(1), part(2)};
}

void Segment::keep(const MixState &state, Value memory) {
  Value lane = e.builder.create<arith::RemUIOp>(e.loc, group.channel, e.index(kChannels));
  for (auto [i, value] : llvm::enumerate(state.values()))
    e.store(value, memory, {e.index(i), number, lane});
}

/// The sum of other segments.
MixState Segment::others(Value memory, Value from, Value to) {
  return group.loop(from, to, group.emptyState(), [&](Value segment, MixState state) {
    return group.merge(state, kept(memory, segment));
  });
}

void Segment::sum() {
  auto below = [&](const MixState &state, Value t) { return addBelow(state, t); };
  auto above = [&](const MixState &state, Value t) { return addAbove(state, t); };
  if (scan.below)
    keep(runs(first, last, group.emptyState(), false, below, {}), keptBelow);
  if (scan.above)
    keep(runs(first, last, group.emptyState(), true, above, {}), keptAbove);
}

/// What is above the window of t, from the sum of the segments above on: summed anew for
/// each position, since only one of the two sums can run along.
MixState Segment::sumAbove(Value t, const MixState &start) {
  return runs(t, last, start, false,
              [&](const MixState &state, Value i) { return addAbove(state, i); }, {});
}

void Segment::walk() {
  Value zero = e.index(0), count = e.index(kSegments);
  MixState below, above;
  if (scan.below)
    below = others(keptBelow, zero, number);
  if (scan.above)
    above = others(keptAbove, e.add(number, 1), count);
  if (!scan.below) {
    runs(
        first, last, above, /*downward=*/true,
        [&](const MixState &state, Value t) { return addAbove(state, t); },
        [&](Value t, const MixState &state) { scan.finish(group, t, {state}); });
    return;
  }
  runs(
      first, last, below, /*downward=*/false,
      [&](const MixState &state, Value t) { return addBelow(state, t); },
      [&](Value t, const MixState &state) {
        SmallVector<MixState> sums = {state};
        if (scan.above)
          sums.push_back(sumAbove(t, above));
        scan.finish(group, t, sums);
      });
}

void SegmentScan::run(Emitter &e) const {
  SmallVector<int64_t> shape = {3, kSegments, kChannels};
  Value keptBelow, keptAbove;
  if (below)
    keptBelow = sharedMemory(e, shape, accumulation);
  if (above)
    keptAbove = sharedMemory(e, shape, accumulation);
  int64_t blocks = (channels + kChannels - 1) / kChannels;
  forEachBlock(e, {batches, e.index(blocks)}, [&](ArrayRef<Value> block) {
    auto threads = [&](void (Segment::*part)()) {
      forEachThread(e, kThreads, [&](Value thread) {
        Value lane = e.builder.create<arith::RemUIOp>(e.loc, thread, e.index(kChannels));
        Value channel = e.add(e.mul(block[1], kChannels), lane);
        e.when(e.less(channel, e.index(channels)), [&] {
          LaneEmitter group(e, accumulation, /*lanes=*/0, block[0], channel);
          group.perHead = perHead;
          (Segment(*this, e, group, e.div(thread, kChannels), keptBelow, keptAbove).*part)();
        });
      });
    };
    threads(&Segment::sum);
    threads(&Segment::walk);
  });
}

void aft::forEachChannelThread(Emitter &e, Type accumulation, Value batches, Value positions,
                               int64_t channels, int64_t perHead,
                               llvm::function_ref<void(LaneEmitter &, Value)> body) {
  constexpr int64_t rows = kBlockThreads / kWideChannels;
  Value channelBlocks = e.index((channels + kWideChannels - 1) / kWideChannels);
  Value grid[] = {batches, e.ceilDiv(positions, rows), channelBlocks};
  forEachBlock(e, grid, [&](ArrayRef<Value> block) {
    forEachThread(e, kBlockThreads, [&](Value thread) {
      Value lane = e.builder.create<arith::RemUIOp>(e.loc, thread, e.index(kWideChannels));
      Value channel = e.add(e.mul(block[2], kWideChannels), lane);
      Value position = e.add(e.mul(block[1], rows), e.div(thread, kWideChannels));
      Value inside = e.builder.create<arith::AndIOp>(e.loc, e.less(channel, e.index(channels)),
                                                     e.less(position, positions));
      e.when(inside, [&] {
        LaneEmitter group(e, accumulation, /*lanes=*/0, block[0], channel);
        group.perHead = perHead;
        body(group, position);
      });
    });
  });
}
