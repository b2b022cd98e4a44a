//===- GridMixers.cpp - conv on a grid, forward and derivative ------------===//
// A lane group whose filter is moderate takes the plain sums of PlainGrid, any
// other one exponentials of every pair in a window (WindowMixers).

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/grid/GridHeads.h"
#include "compiler/vector/grid/PlainGrid.h"
#include "compiler/vector/window/BiasGradient.h"

using namespace mlir;
using namespace aft;

/// Calls `fast` where the filter is moderate and the grid fits, else `exact`.
static void choose(const WindowMixer &mixer, LaneEmitter &group, bool mirrored,
                   llvm::function_ref<void(PlainGrid &)> fast, llvm::function_ref<void()> exact) {
  if (!PlacePairs::fits(mixer, group.element, std::max<int64_t>(group.lanes, 1)))
    return exact();
  PlainGrid grid(mixer, group, mirrored);
  group.e.branch(
      grid.readFilter(), {},
      [&] {
        fast(grid);
        return Emitter::Values{};
      },
      [&] {
        exact();
        return Emitter::Values{};
      });
}

//===----------------------------------------------------------------------===//
// Keys and queries relative to their largest
//===----------------------------------------------------------------------===//

/// The largest exponent of the first `count` places, finite in any case.
static Value largest(LaneEmitter &group, Value count, llvm::function_ref<Value(Value)> exponent) {
  Emitter &e = group.e;
  // Places take turns at a few maxima, which would wait for each other.
  constexpr int64_t turns = 4;
  Value whole = e.roundDown(count, turns);
  Emitter::Values none(turns, group.infinity(true));
  auto tops = e.loop(e.index(0), whole, e.index(turns), none, [&](Value t, ValueRange carried) {
    Emitter::Values next;
    for (int64_t i = 0; i < turns; ++i)
      next.push_back(e.fmaxNumber(carried[i], exponent(e.add(t, i))));
    return next;
  });
  Value top = e.loop(whole, count, e.index(1), tops[0], [&](Value t, ValueRange carried) {
    return Emitter::Values{e.fmaxNumber(carried[0], exponent(t))};
  })[0];
  for (int64_t i = 1; i < turns; ++i)
    top = e.fmaxNumber(top, tops[i]);
  return group.finite(top);
}

/// exp(k) v and exp(k) of all keys, hidden ones 0; returns the logarithm of
/// their scale.
static Value fillKeys(const WindowMixer &mixer, LaneEmitter &group, PlacePairs &pairs) {
  Emitter &e = group.e;
  Value keys = visibleKeys(e, mixer.lengths, group.batch, e.dim(mixer.q, 1));
  auto key = [&](Value t) { return group.loadPerHead(mixer.k, t); };
  Value zero = group.number(0), base = largest(group, keys, [&](Value t) {
                                  group.prefetch(mixer.v, t, /*next=*/false);
                                  return key(t);
                                });
  pairs.fill([&](Value t) -> PlacePairs::Pair {
    group.prefetch(mixer.q, t, /*next=*/false);
    Value weight = e.exp(e.fsub(key(t), base));
    if (mixer.lengths)
      weight = e.select(e.less(t, keys), weight, zero);
    Value hidden = e.equal(weight, zero);
    return {e.select(hidden, zero, e.fmul(weight, group.load(mixer.v, t))), weight};
  });
  return base;
}

/// G / Z and G R / Z of all queries; returns the logarithm of their scale.
static Value fillQueries(const WindowMixer &mixer, LaneEmitter &group, PlacePairs &pairs) {
  Emitter &e = group.e;
  Value base = largest(group, e.dim(mixer.q, 1), [&](Value t) {
    group.prefetch({mixer.q, mixer.dy, mixer.ratio}, t, /*next=*/false);
    return loadQueryRow(mixer, group, t).exponent;
  });
  pairs.fill([&](Value t) -> PlacePairs::Pair {
    QueryRow row = loadQueryRow(mixer, group, t);
    Value weight = e.exp(e.fsub(row.exponent, base));
    return {e.fmul(weight, row.g), e.fmul(weight, row.gr)};
  });
  return base;
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

static void plainRows(const WindowMixer &mixer, LaneEmitter &group, PlainGrid &grid) {
  PlacePairs keys(mixer, group);
  Value base = fillKeys(mixer, group, keys);
  Value scale = group.e.fadd(base, grid.makeWeights());
  grid.scan(keys, [&](Value t, Value n, Value z) {
    group.prefetch(mixer.k, t, /*next=*/true);
    storeRow(mixer, group, t, {scale, n, z});
  });
}

void aft::emitGridMixer(Operation *op, OpBuilder &builder, unsigned vectorBits) {
  WindowMixer mixer(op, builder);
  Emitter e(builder, op->getLoc());
  LaneBlocks blocks(accumulationOf(mixer.q), vectorBits, mixer.channels, mixer.perHead());
  if (GridHeads::fits(mixer, blocks, vectorBits))
    return GridHeads(mixer, blocks, e, vectorBits).emitForward();
  forEachLaneGroup(e, accumulationOf(mixer.q), vectorBits, e.dim(mixer.q, 0), mixer.channels,
                   mixer.perHead(), [&](LaneEmitter &group) {
                     choose(
                         mixer, group, /*mirrored=*/false,
                         [&](PlainGrid &grid) { plainRows(mixer, group, grid); },
                         [&] { emitGridRows(mixer, group); });
                   });
}

//===----------------------------------------------------------------------===//
// Queries, keys and values
//===----------------------------------------------------------------------===//

static void plainKeys(const WindowMixer &mixer, LaneEmitter &group, PlainGrid &grid,
                      const StoreKey &store) {
  Emitter &e = group.e;
  PlacePairs queries(mixer, group);
  Value base = fillQueries(mixer, group, queries), top = grid.makeWeights();
  grid.scan(queries, [&](Value t, Value g, Value gr) {
    Value k = group.loadPerHead(mixer.k, t), v = group.load(mixer.v, t);
    Value scale = e.exp(e.fadd(e.fadd(k, base), top));
    storeKeyGradients(mixer, group, t, e.fmul(scale, g), e.fmul(scale, e.fsub(e.fmul(v, g), gr)),
                      store);
  });
}

namespace {
/// dk of a block's heads, summed over their channels: in scratch, and in the
/// destination where a large grid would need too much of it.
class HeadSums {
public:
  HeadSums(const WindowMixer &mixer, const LaneBlocks &blocks, Emitter &e, Value batch, Value block)
      : mixer(mixer), e(e), element(blocks.accumulation), heads(blocks.heads()), batch(batch),
        firstHead(e.mul(block, heads)) {
    int64_t length = mixer.grid[0].extent * mixer.grid[1].extent * mixer.grid[2].extent;
    if (length * heads * element.getIntOrFloatBitWidth() / 8 <= kMostBytes)
      memory = e.scratch({length, heads}, element);
  }
  void clear() {
    forEach([&](Value t, Value i) { put(e.number(element, 0), t, i); });
  }
  void add(LaneEmitter &group, Value value, Value t) {
    group.reduceHeads(value, [&](Value sum, Value head) {
      Value i = e.sub(head, firstHead);
      put(e.fadd(get(t, i), sum), t, i);
    });
  }
  void store() {
    if (memory)
      forEach([&](Value t, Value i) { e.store(get(t, i), mixer.inits[1], place(t, i)); });
  }

private:
  static constexpr int64_t kMostBytes = 1 << 19;
  SmallVector<Value> place(Value t, Value i) { return {batch, t, e.add(firstHead, i)}; }
  Value get(Value t, Value i) {
    return memory ? e.load(memory, {t, i}, 0) : e.load(mixer.inits[1], place(t, i), 0);
  }
  void put(Value value, Value t, Value i) {
    memory ? e.store(value, memory, {t, i}) : e.store(value, mixer.inits[1], place(t, i));
  }
  void forEach(llvm::function_ref<void(Value t, Value i)> body) {
    e.loop(e.index(0), e.dim(mixer.q, 1), e.index(1), [&](Value t) {
      e.loop(e.index(0), e.index(heads), e.index(1), [&](Value i) { body(t, i); });
    });
  }

  const WindowMixer &mixer;
  Emitter &e;
  Type element;
  int64_t heads;
  Value batch, firstHead, memory;
};
} // namespace

/// dq, dk and dv: a work group per batch entry and block of channels.
static void emitKeysOfGrid(const WindowMixer &mixer, const LaneBlocks &blocks, Emitter &e) {
  e.grid({e.dim(mixer.q, 0), e.index(blocks.count())}, [&](ArrayRef<Value> index) {
    std::optional<HeadSums> sums;
    if (blocks.perHead > 1) {
      sums.emplace(mixer, blocks, e, index[0], index[1]);
      sums->clear();
    }
    blocks.forEachGroup(e, index[0], index[1], [&](LaneEmitter &group) {
      StoreKey store = [&](Value value, Value t) {
        sums ? sums->add(group, value, t) : group.store(value, mixer.inits[1], t);
      };
      emitQueryGradient(mixer, group);
      choose(
          mixer, group, /*mirrored=*/true,
          [&](PlainGrid &grid) { plainKeys(mixer, group, grid, store); },
          [&] { emitGridKeys(mixer, group, store); });
    });
    if (sums)
      sums->store();
  });
}

//===----------------------------------------------------------------------===//
// The filter
//===----------------------------------------------------------------------===//

/// Adds one batch entry's part to sums[tap], with a number per lane.
static void addTapsPlain(const WindowMixer &mixer, LaneEmitter &group, PlainGrid &grid,
                         Value sums) {
  Emitter &e = group.e;
  PlacePairs keys(mixer, group), queries(mixer, group);
  Value scale = e.fadd(fillKeys(mixer, group, keys), fillQueries(mixer, group, queries));
  scale = e.fadd(scale, grid.makeWeights());
  grid.correlate(queries, keys, e.exp(scale), sums);
}

void aft::emitGridMixerGrad(Operation *op, OpBuilder &builder, unsigned vectorBits) {
  WindowMixer mixer(op, builder);
  Emitter e(builder, op->getLoc());
  LaneBlocks blocks(accumulationOf(mixer.q), vectorBits, mixer.channels, mixer.perHead());
  if (GridHeads::fits(mixer, blocks, vectorBits)) {
    GridHeads heads(mixer, blocks, e, vectorBits);
    heads.emitFilter();
    return heads.emitKeys();
  }
  // The largest groups first, so that threads end at the same time.
  emitFilterSums(mixer, blocks, e, [&](LaneEmitter &group, Value sums) {
    choose(
        mixer, group, /*mirrored=*/false,
        [&](PlainGrid &grid) { addTapsPlain(mixer, group, grid, sums); },
        [&] { addTapsExactly(mixer, group, sums); });
  });
  emitKeysOfGrid(mixer, blocks, e);
}
