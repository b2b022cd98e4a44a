//===- WindowScan.cpp - Sums over everything outside a sliding window -----===//
// Sums run over a block before they are folded into the older ones, so that
// rounding errors do not grow with the sequence.

#include "compiler/vector/window/WindowScan.h"

using namespace mlir;
using namespace aft;

/// Stored sums over later items, evenly spaced over the sequence.
static constexpr int64_t kCheckpoints = 256;

static Value isMultiple(Emitter &e, Value a, Value b) { return e.same(e.rest(a, b), e.index(0)); }

static Emitter::Values pairOf(const MixState &a, const MixState &b) {
  Emitter::Values values = a.values();
  values.append(b.values());
  return values;
}

/// States of the items from every multiple of the spacing on, walked from the
/// end. Runs of that length are folded into the later items.
void WindowScan::makeCheckpoints(const Memory &memory) {
  if (!above)
    return;
  Emitter &e = group.e;
  e.loop(e.index(0), e.index(kCheckpoints + 2), e.index(1), [&](Value i) {
    group.keep(group.emptyState(), memory.checkpoints, checkpoint(memory, i));
  });
  Emitter::Values empty = pairOf(group.emptyState(), group.emptyState());
  e.loop(e.index(0), items, e.index(1), empty, [&](Value i, ValueRange carried) {
    Value item = e.sub(e.sub(items, e.index(1)), i);
    MixState older = MixState::from(carried.take_front(3));
    MixState run = add(MixState::from(carried.drop_front(3)), item);
    return e.branch(
        isMultiple(e, item, memory.spacing), SmallVector<Type>(6, group.type),
        [&] {
          MixState merged = group.merge(older, run);
          Value place = e.builder.create<arith::DivUIOp>(e.loc, item, memory.spacing);
          group.keep(merged, memory.checkpoints, checkpoint(memory, place));
          return pairOf(merged, group.emptyState());
        },
        [&] { return pairOf(older, run); });
  });
}

Value WindowScan::checkpoint(const Memory &memory, Value index) {
  Emitter &e = group.e;
  return memory.number ? e.add(e.mul(memory.number, kCheckpoints + 2), index) : index;
}

WindowScan::Memory WindowScan::makeMemory(int64_t groups) {
  if (!above)
    return {};
  Emitter &e = group.e;
  Value spacing = e.max(e.ceilDiv(e.max(items, outputs), kCheckpoints), e.index(kBlockRows));
  return {
      group.stateMemory(groups * (kCheckpoints + 2)), spacing, group.stateMemory(kBlockRows), {}};
}

MixState WindowScan::later(const Memory &memory, Value last) {
  Emitter &e = group.e;
  Value from = e.add(last, after);
  Value index = e.builder.create<arith::CeilDivUIOp>(e.loc, from, memory.spacing);
  // Beyond the last item there is nothing.
  Value end = e.min(e.mul(index, memory.spacing), items);
  MixState state =
      group.kept(memory.checkpoints, checkpoint(memory, e.min(index, e.index(kCheckpoints + 1))));
  Value count = e.max(e.sub(end, from), e.index(0));
  return group.loop(e.index(0), count, state, [&](Value i, MixState state) {
    return add(state, e.sub(e.sub(end, i), e.index(1)));
  });
}

/// The state of the items from i + after + 1 on, for each output i of a block.
void WindowScan::makeSuffixes(const Memory &memory, Value first, Value last) {
  Emitter &e = group.e;
  group.loop(first, last, later(memory, last), [&](Value up, MixState state) {
    Value i = e.sub(e.sub(last, e.index(1)), e.sub(up, first));
    group.keep(state, memory.suffixes, e.sub(i, first));
    Value item = e.add(i, after);
    Value exists = e.below(item, items);
    return group.when(exists, state, [&] { return add(state, item); });
  });
}

MixState WindowScan::block(const Memory &memory, Value first, Value last, const MixState &older) {
  Emitter &e = group.e;
  if (above)
    makeSuffixes(memory, first, last);
  MixState run = group.loop(first, last, group.emptyState(), [&](Value i, MixState run) {
    SmallVector<MixState> sums;
    if (below) {
      // The item that leaves the window with this output.
      Value leaving = e.sub(i, e.index(before + 1));
      Value exists = e.below(leaving, items);
      run = group.when(exists, run, [&] { return add(run, leaving); });
      sums = {older, run};
    }
    if (above)
      sums.push_back(group.kept(memory.suffixes, e.sub(i, first)));
    finish(i, sums);
    return run;
  });
  return group.merge(older, run);
}

void WindowScan::run() {
  Emitter &e = group.e;
  Memory memory = makeMemory(1);
  makeCheckpoints(memory);
  e.loop(e.index(0), outputs, e.index(kBlockRows), group.emptyState().values(),
         [&](Value first, ValueRange older) {
           Value last = e.min(e.add(first, kBlockRows), outputs);
           return block(memory, first, last, MixState::from(older)).values();
         });
}
