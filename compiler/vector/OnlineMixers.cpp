//===- OnlineMixers.cpp - Causal mixers over the next chunk ---------------===//
// The keys that left the window are one state, carried from chunk to chunk; the
// last s - 1 keys are kept as they are. Query t of a chunk sees the state, the
// recent keys from t on and the keys of the chunk up to its own.

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/full/FullProduct.h"
#include "compiler/vector/window/WindowMixers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

/// Keys that leave the window are summed in runs of this length.
static constexpr int64_t kRunLength = 64;
/// How many channels ahead recent keys are asked for.
static constexpr int64_t kAheadLanes = 16;

namespace {

/// The memory of a chunk's past; recentK and recentV are null for simple.
struct Past {
  Value m, n, z, recentK, recentV;
};

/// Emits one chunk of one lane group.
class ChunkEmitter {
public:
  ChunkEmitter(const WindowMixer &mixer, const Past &past, LaneEmitter &group)
      : mixer(mixer), past(past), group(group), e(group.e), length(e.dim(mixer.q, 1)),
        recent(e.index(std::max<int64_t>(mixer.before, 0))) {}
  void run();

private:
  Value loadState(Value memref, bool isPerHead);
  void storeState(Value value, Value memref, bool isPerHead);
  std::pair<Value, Value> keyOfRun(Value i);
  Emitter::Values step(Value t, ValueRange carried);
  void storeRow(Value t, ArrayRef<MixState> sums);
  void prefetchNext(Value key);
  void keepRecent();

  const WindowMixer &mixer;
  const Past &past;
  LaneEmitter &group;
  Emitter &e;
  Value length, recent;
};

} // namespace

Value ChunkEmitter::loadState(Value memref, bool isPerHead) {
  if (!isPerHead || group.perHead == 1)
    return e.load(memref, {group.batch, group.channel}, group.lanes);
  return group.gatherHeads([&](Value head) { return e.load(memref, {group.batch, head}, 0); });
}

/// A head's numbers are the same in all of its lane groups: one stores them.
void ChunkEmitter::storeState(Value value, Value memref, bool isPerHead) {
  if (!isPerHead || group.perHead == 1)
    return e.store(value, memref, {group.batch, group.channel});
  group.scatterHeads(
      value, [&](Value number, Value head) { e.store(number, memref, {group.batch, head}); });
}

/// Key and value i of the recent ones followed by the chunk's.
std::pair<Value, Value> ChunkEmitter::keyOfRun(Value i) {
  auto loadFrom = [&](Value k, Value v, Value index) {
    return Emitter::Values{group.loadPerHead(k, index), group.load(v, index)};
  };
  if (!past.recentK) {
    auto pair = loadFrom(mixer.k, mixer.v, i);
    return {pair[0], pair[1]};
  }
  auto pair = e.branch(
      e.less(i, recent), {group.type, group.type},
      [&] { return loadFrom(past.recentK, past.recentV, i); },
      [&] { return loadFrom(mixer.k, mixer.v, e.sub(i, recent)); });
  return {pair[0], pair[1]};
}

/// Recent keys of one lane group are far apart in memory: those of the next group are
/// asked for meanwhile.
void ChunkEmitter::prefetchNext(Value key) {
  for (Value memref : {past.recentK, past.recentV})
    prefetchAt(e, memref, {group.batch, key, e.add(group.channel, kAheadLanes)},
               /*isWrite=*/false);
}

void ChunkEmitter::storeRow(Value t, ArrayRef<MixState> sums) {
  auto window = [&](ValueRange carried, WindowBody body) {
    Emitter::Values values(carried);
    if (past.recentK)
      values = e.loop(t, recent, e.index(1), values, [&](Value key, ValueRange carried) {
        prefetchNext(key);
        return body({past.recentK, past.recentV, key, e.sub(key, t)}, carried);
      });
    Value first = e.max(e.sub(t, recent), e.index(0));
    return e.loop(first, e.add(t, 1), e.index(1), values, [&](Value key, ValueRange carried) {
      return body({mixer.k, mixer.v, key, e.sub(e.add(key, recent), t)}, carried);
    });
  };
  MixState state = foldWindow(mixer, group, t, sums, window);
  group.store(gatedRatio(mixer, group, t, state), mixer.inits[0], t);
}

/// `carried`: the older sums and the present run.
Emitter::Values ChunkEmitter::step(Value t, ValueRange carried) {
  MixState older = MixState::from(carried.take_front(3));
  MixState run = MixState::from(carried.drop_front(3));
  auto [k, v] = keyOfRun(t);
  // simple has no window: a query's own key is among the sums.
  if (mixer.taps > 0)
    storeRow(t, {older, run});
  run = group.add(run, k, v);
  if (mixer.taps == 0)
    storeRow(t, {older, run});
  Value isFull = e.same(e.rest(e.add(t, 1), kRunLength), e.index(0));
  auto join = [](const MixState &a, const MixState &b) {
    Emitter::Values values = a.values();
    values.append(b.values());
    return values;
  };
  return e.branch(
      isFull, SmallVector<Type>(6, group.type),
      [&] { return join(group.merge(older, run), group.emptyState()); },
      [&] { return join(older, run); });
}

/// The last s - 1 keys and values of the run.
void ChunkEmitter::keepRecent() {
  Value ringK = mixer.inits[4], ringV = mixer.inits[5];
  Value kept = e.max(e.sub(recent, length), e.index(0));
  auto copy = [&](Value from, Value to, Value shift, Value lower, Value upper) {
    e.loop(lower, upper, e.index(1), [&](Value i) {
      Value source = e.add(i, shift);
      bool isKey = to == ringK;
      Value value = isKey ? group.loadPerHead(from, source) : group.load(from, source);
      isKey ? group.storePerHead(value, to, i) : group.store(value, to, i);
    });
  };
  Value older = length, newer = e.sub(length, recent);
  for (auto [old, chunk, ring] :
       {std::tuple(past.recentK, mixer.k, ringK), std::tuple(past.recentV, mixer.v, ringV)}) {
    copy(old, ring, older, e.index(0), kept);
    copy(chunk, ring, newer, kept, recent);
  }
}

void ChunkEmitter::run() {
  MixState start{loadState(past.m, true), loadState(past.n, false), loadState(past.z, true)};
  Emitter::Values carried = start.values();
  carried.append(group.emptyState().values());
  Emitter::Values last = e.loop(e.index(0), length, e.index(1), carried,
                                [&](Value t, ValueRange carried) { return step(t, carried); });
  MixState end = group.merge(MixState::from(ValueRange(last).take_front(3)),
                             MixState::from(ValueRange(last).drop_front(3)));
  storeState(end.m, mixer.inits[1], true);
  storeState(end.n, mixer.inits[2], false);
  storeState(end.z, mixer.inits[3], true);
  if (past.recentK)
    keepRecent();
}

template <typename OpT> static Past pastOf(OpT op) {
  Past past{op.getM(), op.getN(), op.getZ(), {}, {}};
  if constexpr (!std::is_same_v<OpT, SimpleOnlineOp>) {
    past.recentK = op.getRecentK();
    past.recentV = op.getRecentV();
  }
  return past;
}

void aft::emitOnlineMixer(Operation *op, OpBuilder &builder, unsigned vectorBits) {
  WindowMixer mixer(op, builder);
  Past past =
      llvm::TypeSwitch<Operation *, Past>(op).Case<SimpleOnlineOp, LocalOnlineOp, ConvOnlineOp>(
          [](auto online) { return pastOf(online); });
  Emitter e(builder, op->getLoc());
  forEachLaneGroup(e, accumulationOf(mixer.q), vectorBits, e.dim(mixer.q, 0), mixer.channels,
                   mixer.perHead(),
                   [&](LaneEmitter &group) { ChunkEmitter(mixer, past, group).run(); });
}
