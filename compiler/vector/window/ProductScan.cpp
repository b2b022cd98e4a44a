//===- ProductScan.cpp - Windows without an exponential per tap -----------===//

#include "compiler/vector/window/ProductScan.h"

#include "compiler/vector/RunningSums.h"
#include "compiler/vector/window/WindowWeights.h"

using namespace mlir;
using namespace aft;

static constexpr int64_t kBlock = WindowScan::kBlockRows;
static constexpr int64_t kRows = WindowWeights::kRows;

namespace {

/// Scratch of a block: item 0 is the one that leaves the window of its first
/// output, the window of output r are the items r + 1 to r + taps.
struct BlockMemory {
  Value items;   ///< the two numbers of each item, and its exponent
  Value outside; ///< the sums outside of each output's window
};

/// Emits one block of one lane group.
class BlockEmitter {
public:
  BlockEmitter(const WindowMixer &mixer, const WindowCode &code, WindowWeights &weights,
               const BlockMemory &memory, LaneEmitter &group, WindowScan &scan, Value first)
      : mixer(mixer), code(code), weights(weights), memory(memory), group(group), e(group.e),
        scan(scan), first(first), last(e.min(e.add(first, kBlock), scan.outputs)),
        origin(e.sub(first, e.index(scan.before + 1))), count(kBlock + mixer.taps),
        shared(mixer.causal && !code.mirrored ? mixer.taps + 1 : count) {}

  /// The items that left the windows of the block, added to `older`.
  MixState run(const WindowScan::Memory &states, const MixState &older, Value areModerate);

private:
  using Pair = std::pair<Value, Value>;
  struct Range {
    Value top, width; ///< of the exponents; the width is NaN beside a NaN
    Value hasItems;
  };
  /// What products gave: how many outputs, from the first on, and the items that
  /// left the windows.
  struct Part {
    Value outputs;
    MixState older;
  };
  Range loadItems();
  Part products(const MixState &older, const MixState &later, Value top);
  MixState exactly(const WindowScan::Memory &states, const MixState &older, Value done);
  MixState leave(const MixState &older, const MixState &left, Value isFar);
  Value isModerate(Value number);
  Value scaleItems(Value scale);
  Pair loadPair(Value memref, Value index);
  void storePair(Pair pair, Value memref, Value index);
  Pair sumOutside(const MixState &older, const MixState &later, Value scale);
  void rows(Value row, Value scale);

  const WindowMixer &mixer;
  const WindowCode &code;
  WindowWeights &weights;
  const BlockMemory &memory;
  LaneEmitter &group;
  Emitter &e;
  WindowScan &scan;
  Value first, last, origin;
  int64_t count;
  /// Items that every output of the block sees. Where later ones are hidden from
  /// earlier outputs, these alone decide how an output is computed: so it has
  /// the same bits whatever comes after it.
  int64_t shared;
};

} // namespace

BlockEmitter::Pair BlockEmitter::loadPair(Value memref, Value index) {
  return {e.load(memref, {index, e.index(0), e.index(0)}, group.lanes),
          e.load(memref, {index, e.index(1), e.index(0)}, group.lanes)};
}

void BlockEmitter::storePair(Pair pair, Value memref, Value index) {
  e.store(pair.first, memref, {index, e.index(0), e.index(0)});
  e.store(pair.second, memref, {index, e.index(1), e.index(0)});
}

/// Loads the items and finds the range of the shared ones' exponents.
BlockEmitter::Range BlockEmitter::loadItems() {
  Value none = group.infinity(true), zero = group.number(0);
  auto keep = [&](const WindowCode::Item &item, Value place) {
    storePair({item.first, item.second}, memory.items, place);
    e.store(item.exponent, memory.items, {place, e.index(2), e.index(0)});
  };
  auto load = [&](Value place, ValueRange carried) {
    Value i = e.add(origin, place);
    Value exists = e.below(i, scan.items);
    return e.branch(
        exists, SmallVector<Type>(carried.size(), group.type),
        [&] {
          WindowCode::Item item = code.load(group, i);
          keep(item, place);
          if (carried.empty())
            return Emitter::Values();
          Value negative = e.fsub(zero, item.exponent);
          return Emitter::Values{e.fmax(carried[0], item.exponent), e.fmax(carried[1], negative),
                                 e.fadd(carried[2], oddness(e, item.first, item.second))};
        },
        [&] {
          keep({none, zero, zero}, place);
          return Emitter::Values(carried);
        });
  };
  auto ends = e.loop(e.index(0), e.index(shared), e.index(1), {none, none, zero}, load);
  if (shared < count)
    e.loop(e.index(shared), e.index(count), e.index(1), {}, load);
  Value lower = e.max(origin, e.index(0)), upper = e.min(e.add(origin, shared), scan.items);
  return {ends[0], e.fadd(e.fadd(ends[0], ends[1]), ends[2]), e.less(lower, upper)};
}

Value BlockEmitter::isModerate(Value number) {
  Value most = e.reduce(number, [&](Value a, Value b) { return e.fmax(a, b); });
  return e.compare(arith::CmpFPredicate::OLE, most, e.number(group.element, kModerate));
}

/// Multiplies the items by their weights. Returns the place of the first that is
/// not moderate; from there on the items become 0, so that the outputs before it
/// do not see them.
Value BlockEmitter::scaleItems(Value scale) {
  auto relativeOf = [&](Value place) {
    return e.fsub(e.load(memory.items, {place, e.index(2), e.index(0)}, group.lanes), scale);
  };
  auto weighted = [&](Value place, Value relative) -> Pair {
    Value weight = e.exp(relative);
    auto [one, two] = loadPair(memory.items, place);
    return {e.fmul(weight, one), e.fmul(weight, two)};
  };
  e.loop(e.index(0), e.index(shared), e.index(1),
         [&](Value place) { storePair(weighted(place, relativeOf(place)), memory.items, place); });
  if (shared == count)
    return e.index(count);
  return e.loop(e.index(shared), e.index(count), e.index(1), {e.index(shared)},
                [&](Value place, ValueRange end) {
                  Value relative = relativeOf(place), zero = group.number(0);
                  auto [one, two] = weighted(place, relative);
                  Value own = isModerate(e.fadd(relative, oddness(e, one, two)));
                  Value good = e.both(own, e.same(end[0], place));
                  storePair({e.select(good, one, zero), e.select(good, two, zero)}, memory.items,
                            place);
                  return Emitter::Values{e.select(good, e.add(place, 1), end[0])};
                })[0];
}

/// Sums outside the window of each output; returns those before the next block.
BlockEmitter::Pair BlockEmitter::sumOutside(const MixState &older, const MixState &later,
                                            Value scale) {
  auto relative = [&](const MixState &state) {
    Value factor = e.exp(e.fsub(state.m, scale));
    return Emitter::Values{e.fmul(state.n, factor), e.fmul(state.z, factor)};
  };
  auto plus = [&](ValueRange sums, Value index) {
    auto [one, two] = loadPair(memory.items, index);
    return Emitter::Values{e.fadd(sums[0], one), e.fadd(sums[1], two)};
  };
  Emitter::Values none(2, group.number(0));
  Value rows = e.index(kBlock);
  auto left = e.loop(e.index(0), rows, e.index(1), none, [&](Value row, ValueRange carried) {
    if (!scan.below) {
      storePair({none[0], none[1]}, memory.outside, row);
      return none;
    }
    auto sums = plus(carried, row), old = relative(older);
    storePair({e.fadd(sums[0], old[0]), e.fadd(sums[1], old[1])}, memory.outside, row);
    return sums;
  });
  if (scan.above)
    e.loop(e.index(0), rows, e.index(1), relative(later), [&](Value i, ValueRange carried) {
      Value row = e.sub(e.index(kBlock - 1), i);
      auto [one, two] = loadPair(memory.outside, row);
      storePair({e.fadd(one, carried[0]), e.fadd(two, carried[1])}, memory.outside, row);
      return plus(carried, e.add(row, mixer.taps));
    });
  return {left[0], left[1]};
}

/// A few outputs at once: the items of their windows are loaded once for all, and summed alone,
/// for beside the sums outside each would be rounded to their digits.
void BlockEmitter::rows(Value row, Value scale) {
  Emitter::Values sums(2 * kRows, group.number(0));
  sums = weights.addWindows(group, row, kRows, sums,
                            [&](Value item) { return loadPair(memory.items, item); });
  for (int64_t i = 0; i < kRows; ++i) {
    auto [one, two] = loadPair(memory.outside, e.add(row, i));
    storePair({e.fadd(sums[2 * i], one), e.fadd(sums[2 * i + 1], two)}, memory.outside,
              e.add(row, i));
  }
}

BlockEmitter::Part BlockEmitter::products(const MixState &older, const MixState &later, Value top) {
  Value scale = e.fmaxNumber(top, later.m);
  if (scan.below)
    scale = e.fmaxNumber(scale, older.m);
  Value end = scaleItems(scale);
  auto [n, z] = sumOutside(older, later, scale);
  // Output r sees the items up to r + taps.
  Value outputs = e.sub(last, first);
  if (shared < count)
    outputs = e.min(outputs, e.sub(end, e.index(mixer.taps)));
  e.loop(e.index(0), outputs, e.index(kRows), [&](Value row) { rows(row, scale); });
  e.loop(e.index(0), outputs, e.index(1), [&](Value row) {
    auto [one, two] = loadPair(memory.outside, row);
    code.finish(group, e.add(first, row), {scale, one, two});
  });
  // Where nothing has left, the scale is that of items which a later output may not see.
  Value zero = group.number(0), isEmpty = e.both(e.equal(n, zero), e.equal(z, zero));
  MixState left{e.select(isEmpty, group.infinity(true), scale), n, z};
  if (!scan.above || !scan.below)
    return {outputs, group.merge(older, left)};
  Value above = e.fsub(later.m, e.fmaxNumber(top, older.m));
  Value isFar = anyLane(e, e.compare(arith::CmpFPredicate::OGT, above, group.number(kModerate)));
  return {outputs, leave(older, left, isFar)};
}

/// Adds what left the windows of the block to the older sums. Outputs of later blocks may not see
/// a later item that all of this is nothing beside: then it is summed again without that.
MixState BlockEmitter::leave(const MixState &older, const MixState &left, Value isFar) {
  Type types[] = {group.type, group.type, group.type};
  auto again = [&] {
    MixState run = group.loop(first, last, group.emptyState(), [&](Value i, MixState run) {
      Value item = e.sub(i, e.index(scan.before + 1));
      return group.when(e.below(item, scan.items), run, [&] { return scan.add(run, item); });
    });
    return run.values();
  };
  return group.merge(older,
                     MixState::from(e.branch(isFar, types, again, [&] { return left.values(); })));
}

/// The outputs from number `done` on, for any numbers.
MixState BlockEmitter::exactly(const WindowScan::Memory &states, const MixState &older,
                               Value done) {
  WindowScan rest = scan;
  Value start = e.add(first, done);
  rest.finish = [&](Value i, ArrayRef<MixState> sums) {
    Value isOpen = e.builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::sge, i, start);
    e.when(isOpen, [&] { scan.finish(i, sums); });
  };
  return rest.block(states, first, last, older);
}

MixState BlockEmitter::run(const WindowScan::Memory &states, const MixState &older,
                           Value areModerate) {
  Range exponents = loadItems();
  Value usable = e.both(areModerate, isModerate(exponents.width));
  usable = e.both(usable, exponents.hasItems);
  MixState later = scan.above ? scan.later(states, e.add(first, kBlock)) : group.emptyState();
  SmallVector<Type> types(4, group.type);
  types[0] = e.builder.getIndexType();
  auto part = e.branch(
      usable, types,
      [&] {
        auto [outputs, state] = products(older, later, exponents.top);
        return Emitter::Values{outputs, state.m, state.n, state.z};
      },
      [&] { return Emitter::Values{e.index(0), older.m, older.n, older.z}; });
  return MixState::from(e.branch(
      e.less(part[0], e.sub(last, first)), SmallVector<Type>(3, group.type),
      [&] { return exactly(states, older, part[0]).values(); },
      [&] { return Emitter::Values{part[1], part[2], part[3]}; }));
}

//===----------------------------------------------------------------------===//
// Lane groups
//===----------------------------------------------------------------------===//

int64_t aft::sharedGroups(const WindowMixer &mixer, int64_t lanes) {
  if (mixer.perHeadBias)
    return 1;
  // Some groups must remain for other threads.
  for (int64_t count : {4, 2})
    if (mixer.channels % (lanes * count) == 0 && mixer.channels >= 4 * lanes * count)
      return count;
  return 1;
}

void aft::emitWindows(const WindowMixer &mixer, const WindowCode &code, LaneEmitter &first,
                      int64_t count) {
  Emitter &e = first.e;
  if (!WindowWeights::fits(mixer.taps))
    return code.exact(first, [](WindowScan &scan) { scan.run(); });
  int64_t lanes = std::max<int64_t>(first.lanes, 1);
  WindowWeights weights(mixer, first, code.mirrored, kBlock);
  BlockMemory memory{e.scratch({kBlock + mixer.taps, 3, lanes}, first.element),
                     e.scratch({kBlock, 2, lanes}, first.element)};
  Value older = first.stateMemory(count);
  WindowScan::Memory states;
  code.exact(first, [&](WindowScan &scan) { states = scan.makeMemory(count); });
  auto forEachGroup = [&](llvm::function_ref<void(LaneEmitter &, WindowScan &, Value)> body) {
    e.loop(e.index(0), e.index(count), e.index(1), [&](Value i) {
      LaneEmitter group = first;
      group.channel = e.add(first.channel, e.mul(i, lanes));
      states.number = i;
      code.exact(group, [&](WindowScan &scan) { body(group, scan, i); });
    });
  };
  forEachGroup([&](LaneEmitter &group, WindowScan &scan, Value i) {
    scan.makeCheckpoints(states);
    group.keep(group.emptyState(), older, i);
  });
  auto fill = [&](Value first) { return weights.areModerate(weights.fill(first)); };
  Value isSame = mixer.perHeadBias ? fill(e.index(0)) : Value();
  e.loop(e.index(0), e.dim(mixer.q, 1), e.index(kBlock), [&](Value block) {
    Value areModerate = isSame ? isSame : fill(block);
    forEachGroup([&](LaneEmitter &group, WindowScan &scan, Value i) {
      BlockEmitter emitter(mixer, code, weights, memory, group, scan, block);
      group.keep(emitter.run(states, group.kept(older, i), areModerate), older, i);
    });
  });
}
