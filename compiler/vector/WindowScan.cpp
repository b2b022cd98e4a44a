//===- WindowScan.cpp - Sums over everything outside a sliding window -----===//

#include "compiler/vector/WindowScan.h"

using namespace mlir;
using namespace aft;

/// Sums run over this many items before they are folded into the older ones, so
/// that rounding errors do not grow with the sequence.
static constexpr int64_t kRunLength = 64;
/// Outputs whose sums over later items are kept at once.
static constexpr int64_t kBlockRows = 32;
/// Stored sums over later items, evenly spaced over the sequence.
static constexpr int64_t kCheckpoints = 256;

static Value isMultiple(Emitter &e, Value a, Value b) {
  Value rest = e.builder.create<arith::RemUIOp>(e.loc, a, b);
  return e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::eq, rest, e.index(0));
}

SmallVector<Value> WindowScan::emptyPair() {
  SmallVector<Value> pair = group.emptyState().values();
  pair.append(group.emptyState().values());
  return pair;
}

/// Outputs [first, last). The items below their windows are carried as two
/// states, an older one and the present run.
SmallVector<Value> WindowScan::rows(Value first, Value last, ValueRange carried,
                                    Value suffixes) {
  Emitter &e = group.e;
  return e.loop(first, last, e.index(1), carried, [&](Value i, ValueRange state) {
    SmallVector<Value> both(state);
    SmallVector<MixState> sums;
    if (below) {
      both = e.branch(
          isMultiple(e, i, e.index(kRunLength)), SmallVector<Type>(6, group.type),
          [&] {
            MixState older = MixState::from(state.take_front(3));
            MixState run = MixState::from(state.drop_front(3));
            SmallVector<Value> values = group.merge(older, run).values();
            values.append(group.emptyState().values());
            return values;
          },
          [&] { return SmallVector<Value>(state); });
      // The item that leaves the window with this output.
      Value leaving = e.sub(i, e.index(before + 1));
      Value exists = e.builder.create<arith::AndIOp>(
          e.loc, e.less(e.index(-1), leaving), e.less(leaving, items));
      MixState run = MixState::from(ValueRange(both).drop_front(3));
      run = group.when(exists, run, [&] { return add(run, leaving); });
      both.truncate(3);
      both.append(run.values());
      sums = {MixState::from(ValueRange(both).take_front(3)), run};
    }
    if (suffixes)
      sums.push_back(group.kept(suffixes, e.sub(i, first)));
    finish(i, sums);
    return both;
  });
}

/// States of the items from every multiple of `spacing` on, walked from the
/// end. Runs of that length are folded into the later items.
Value WindowScan::makeCheckpoints(Value spacing) {
  Emitter &e = group.e;
  Value memory = group.stateMemory(kCheckpoints + 2);
  e.loop(e.index(0), e.index(kCheckpoints + 2), e.index(1),
         [&](Value i) { group.keep(group.emptyState(), memory, i); });
  e.loop(e.index(0), items, e.index(1), emptyPair(), [&](Value i, ValueRange carried) {
    Value item = e.sub(e.sub(items, e.index(1)), i);
    MixState older = MixState::from(carried.take_front(3));
    MixState run = add(MixState::from(carried.drop_front(3)), item);
    return e.branch(
        isMultiple(e, item, spacing), SmallVector<Type>(6, group.type),
        [&] {
          MixState merged = group.merge(older, run);
          group.keep(merged, memory, e.builder.create<arith::DivUIOp>(e.loc, item, spacing));
          SmallVector<Value> values = merged.values();
          values.append(group.emptyState().values());
          return values;
        },
        [&] {
          SmallVector<Value> open = older.values();
          open.append(run.values());
          return open;
        });
  });
  return memory;
}

/// The state of the items from i + after + 1 on, for each output i of a block.
void WindowScan::makeSuffixes(Value checkpoints, Value spacing, Value suffixes, Value first,
                              Value last) {
  Emitter &e = group.e;
  Value from = e.add(last, after);
  Value index = e.builder.create<arith::CeilDivUIOp>(e.loc, from, spacing);
  // Beyond the last item there is nothing.
  Value end = e.min(e.mul(index, spacing), items);
  MixState state = group.kept(checkpoints, e.min(index, e.index(kCheckpoints + 1)));
  Value count = e.max(e.sub(end, from), e.index(0));
  state = group.loop(e.index(0), count, state, [&](Value i, MixState state) {
    return add(state, e.sub(e.sub(end, i), e.index(1)));
  });
  group.loop(first, last, state, [&](Value up, MixState state) {
    Value i = e.sub(e.sub(last, e.index(1)), e.sub(up, first));
    group.keep(state, suffixes, e.sub(i, first));
    Value item = e.add(i, after);
    Value exists = e.builder.create<arith::AndIOp>(e.loc, e.less(e.index(-1), item),
                                                   e.less(item, items));
    return group.when(exists, state, [&] { return add(state, item); });
  });
}

void WindowScan::run() {
  Emitter &e = group.e;
  if (!above) {
    rows(e.index(0), outputs, emptyPair(), Value());
    return;
  }
  Value most = e.max(items, outputs);
  Value spacing = e.max(e.ceilDiv(most, kCheckpoints), e.index(kBlockRows));
  Value checkpoints = makeCheckpoints(spacing), suffixes = group.stateMemory(kBlockRows);
  e.loop(e.index(0), outputs, e.index(kBlockRows), emptyPair(),
         [&](Value first, ValueRange state) {
           Value last = e.min(e.add(first, kBlockRows), outputs);
           makeSuffixes(checkpoints, spacing, suffixes, first, last);
           return rows(first, last, state, suffixes);
         });
}
