//===- GridHeads.cpp - conv on a grid with several channels per head ------===//

#include "compiler/vector/grid/GridHeads.h"

#include "compiler/vector/window/BiasGradient.h"

#include <limits>

using namespace mlir;
using namespace aft;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Most scratch of one kind for the heads of a block.
static constexpr int64_t kMostBytes = 1 << 18;

static int64_t lengthOf(const WindowMixer &mixer) {
  return mixer.grid[0].extent * mixer.grid[1].extent * mixer.grid[2].extent;
}

bool GridHeads::fits(const WindowMixer &mixer, const LaneBlocks &blocks, unsigned vectorBits) {
  if (mixer.perHead() == 1)
    return false;
  int64_t bytes = blocks.accumulation.getIntOrFloatBitWidth() / 8, heads = blocks.heads();
  return PlacePairs::fits(mixer, blocks.accumulation, blocks.lanes) &&
         HeadGrid::numbersOf(mixer, lanesFor(blocks.accumulation, vectorBits)) * heads * bytes <=
             kMostBytes &&
         HeadLanes::numbersOf(blocks, lengthOf(mixer)) * bytes <= kMostBytes &&
         mixer.taps * heads * bytes <= kMostBytes;
}

GridHeads::GridHeads(const WindowMixer &mixer, const LaneBlocks &blocks, Emitter &e,
                     unsigned vectorBits)
    : mixer(mixer), blocks(blocks), e(e), element(blocks.accumulation), length(lengthOf(mixer)),
      lanes(lanesFor(element, vectorBits)), weights(table(mixer.taps)), keyWeights(table(length)),
      queryWeights(table(length)), sums(table(length)), tops(table(1)), outside(table(1)),
      keyBases(table(1)), queryBases(table(1)), scales(table(1)), headTaps(table(mixer.taps)),
      keyGrid(mixer, e, element, blocks.heads(), lanes),
      queryGrid(mixer, e, element, blocks.heads(), lanes), queryLanes(e, blocks, length),
      keyLanes(e, blocks, length),
      tapSums(e.scratch({blocks.size / blocks.lanes, mixer.taps, blocks.lanes}, element)) {}

HeadNumbers GridHeads::table(int64_t count) {
  return HeadNumbers(e, element, blocks.heads(), count, lanes);
}

//===----------------------------------------------------------------------===//
// A block
//===----------------------------------------------------------------------===//

void GridHeads::enter(Value batchIndex, Value blockIndex) {
  batch = batchIndex;
  block = blockIndex;
  firstHead = e.mul(block, blocks.heads());
  keys = visibleKeys(e, mixer.lengths, batch, e.index(length));
}

void GridHeads::forEachHead(llvm::function_ref<void(Value)> body) {
  e.loop(e.index(0), e.index(blocks.heads()), e.index(1), body);
}

void GridHeads::forEachGroup(llvm::function_ref<void(LaneEmitter &)> body) {
  blocks.forEachGroup(e, batch, block, body);
}

void GridHeads::forEachPlace(llvm::function_ref<void(Value)> body) {
  e.loop(e.index(0), e.index(length), e.index(1), body);
}

void GridHeads::forEachTap(llvm::function_ref<void(Value)> body) {
  e.loop(e.index(0), e.index(mixer.taps), e.index(1), body);
}

Value GridHeads::gather(LaneEmitter &group, HeadNumbers &numbers, Value i) {
  return group.gatherHeads([&](Value head) { return numbers.get(e.sub(head, firstHead), i); });
}

/// The place of a lane group in the block.
Value GridHeads::slotOf(LaneEmitter &group) {
  return e.div(e.sub(group.channel, e.mul(block, blocks.size)), blocks.lanes);
}

Value GridHeads::numberOf(Value memref, Value t, Value head) {
  return e.convert(e.load(memref, {batch, t, e.add(firstHead, head)}, 0), element);
}

void GridHeads::choose(bool mirrored, llvm::function_ref<void()> fast,
                       llvm::function_ref<void()> exact) {
  Value zero = e.number(element, 0);
  Value range = e.loop(
      e.index(0), e.index(blocks.heads()), e.index(1), zero, [&](Value head, ValueRange carried) {
        weights.fill(head, /*rest=*/0, [&](Value tap) {
          // Seen from a key the window is turned around.
          Value place = mirrored ? e.sub(e.index(mixer.taps - 1), tap) : tap;
          return e.convert(e.load(mixer.bias, {e.add(firstHead, head), place}, 0), element);
        });
        // NaN where one is NaN.
        auto most = [&](Value a, Value b) { return e.fmax(a, b); };
        auto least = [&](Value a, Value b) {
          return e.builder.create<arith::MinimumFOp>(e.loc, a, b).getResult();
        };
        Value ofHead =
            e.fsub(weights.combine(head, zero, most), weights.combine(head, zero, least));
        return Emitter::Values{e.fmax(carried[0], ofHead)};
      })[0];
  auto without = [](llvm::function_ref<void()> body) {
    return [=] {
      body();
      return Emitter::Values{};
    };
  };
  e.branch(isModerateRange(e, range), {}, without(fast), without(exact));
}

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

void GridHeads::makeWeights() {
  Value zero = e.number(element, 0), first = e.index(0);
  forEachHead([&](Value head) {
    Value top = weights.combine(head, zero, [&](Value a, Value b) { return e.fmaxNumber(a, b); });
    weights.map(head, [&](Value w) { return e.exp(e.fsub(w, e.broadcast(top, w.getType()))); });
    tops.put(top, head, first);
    outside.put(e.exp(e.fsub(zero, top)), head, first);
  });
}

/// Makes numbers of their exponents, relative to the largest; returns it.
Value GridHeads::exponentiate(HeadNumbers &numbers, Value head) {
  Value base = numbers.largest(head);
  numbers.map(head, [&](Value x) { return e.exp(e.fsub(x, e.broadcast(base, x.getType()))); });
  return base;
}

/// exp(k) of all keys, 0 for hidden ones.
void GridHeads::fillKeys() {
  Value none = e.number(element, -kInfinity);
  forEachHead([&](Value head) {
    keyWeights.fill(head, -kInfinity, [&](Value t) {
      Value k = numberOf(mixer.k, t, head);
      return mixer.lengths ? e.select(e.less(t, keys), k, none) : k;
    });
    keyBases.put(exponentiate(keyWeights, head), head, e.index(0));
    keyGrid.fill(head, [&](Value t) { return keyWeights.get(head, t); });
  });
}

/// 1 / Z of all queries, 0 for those without a key.
void GridHeads::fillQueries() {
  Value none = e.number(element, -kInfinity), zero = e.number(element, 0);
  forEachHead([&](Value head) {
    queryWeights.fill(head, -kInfinity, [&](Value t) {
      Value logz = numberOf(mixer.logz, t, head);
      return e.select(e.equal(logz, none), none, e.fsub(zero, logz));
    });
    queryBases.put(exponentiate(queryWeights, head), head, e.index(0));
  });
}

/// The items exp(k) v of a lane group.
static PlacePairs::Pair keyItem(LaneEmitter &group, Value weight, Value v) {
  Emitter &e = group.e;
  Value zero = group.number(0);
  // A key of weight 0 is hidden: its value, perhaps NaN, must not be seen.
  return {e.select(e.equal(weight, zero), zero, e.fmul(weight, v)), Value()};
}

PlainGrid GridHeads::gridOf(LaneEmitter &group, bool mirrored) {
  PlainGrid grid(mixer, group, mirrored, /*parts=*/1);
  grid.setWeights([&](Value tap) { return gather(group, weights, tap); },
                  gather(group, outside, e.index(0)));
  return grid;
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

/// Z of a head, and logz.
void GridHeads::finishHead(Value head) {
  Value first = e.index(0);
  keyGrid.scan(head, /*mirrored=*/false, weights, outside.get(head, first),
               [&](Value t, Value z) { sums.put(z, head, t); });
  if (mixer.inits.size() != 3)
    return;
  Value scale = e.fadd(keyBases.get(head, first), tops.get(head, first));
  HeadNumbers logs = table(length);
  logs.fill(head, /*rest=*/1, [&](Value t) { return sums.get(head, t); });
  logs.map(head, [&](Value z) {
    Type type = z.getType();
    Value empty = e.equal(z, e.number(type, 0));
    Value log = e.log(e.select(empty, e.number(type, 1), z));
    return e.select(empty, e.number(type, -kInfinity), e.fadd(e.broadcast(scale, type), log));
  });
  forEachPlace([&](Value t) {
    e.store(logs.get(head, t), mixer.inits[2], {batch, t, e.add(firstHead, head)});
  });
}

void GridHeads::forwardGroup(LaneEmitter &group) {
  PlacePairs items(mixer, group, /*parts=*/1);
  PlainGrid grid = gridOf(group, /*mirrored=*/false);
  items.fill([&](Value t) {
    group.prefetch(mixer.q, t, /*next=*/false);
    return keyItem(group, gather(group, keyWeights, t), group.load(mixer.v, t));
  });
  grid.scan(items, [&](Value t, Value n, Value) {
    group.prefetch(mixer.v, t, /*next=*/true);
    MixState state{group.number(0), n, gather(group, sums, t)};
    group.store(gatedRatio(mixer, group, t, state), mixer.inits[0], t);
    if (mixer.inits.size() == 3)
      group.store(group.ratio(state), mixer.inits[1], t);
  });
}

void GridHeads::emitForward() {
  keyGrid.clear();
  e.grid({e.dim(mixer.q, 0), e.index(blocks.count())}, [&](ArrayRef<Value> index) {
    enter(index[0], index[1]);
    choose(
        /*mirrored=*/false,
        [&] {
          makeWeights();
          fillKeys();
          forEachHead([&](Value head) { finishHead(head); });
          forEachGroup([&](LaneEmitter &group) { forwardGroup(group); });
        },
        [&] { forEachGroup([&](LaneEmitter &group) { emitGridRows(mixer, group); }); });
  });
}

//===----------------------------------------------------------------------===//
// Queries, keys and values
//===----------------------------------------------------------------------===//

Value GridHeads::queryItem(LaneEmitter &group, Value t) {
  Value weight = gather(group, queryWeights, t);
  QueryRow row = loadQueryRow(mixer, group, t);
  queryLanes.add(group, e.fmul(weight, row.gr), firstHead, t);
  return e.fmul(weight, row.g);
}

void GridHeads::fillQueryGrid() {
  forEachHead(
      [&](Value head) { queryGrid.fill(head, [&](Value t) { return queryLanes.sum(head, t); }); });
}

/// dq and dv, and per head the sums over its channels of the first part of dk and of
/// G R / Z.
void GridHeads::keysOfGroup(LaneEmitter &group) {
  PlacePairs items(mixer, group, /*parts=*/1);
  PlainGrid grid = gridOf(group, /*mirrored=*/true);
  items.fill([&](Value t) {
    group.prefetch(mixer.v, t, /*next=*/false);
    Value item = queryItem(group, t);
    storeQueryGradient(mixer, group, t);
    return PlacePairs::Pair{item, Value()};
  });
  StoreKey store = [&](Value dk, Value t) { keyLanes.add(group, dk, firstHead, t); };
  grid.scan(items, [&](Value t, Value g, Value) {
    group.prefetch({mixer.q, mixer.dy, mixer.ratio}, t, /*next=*/true);
    Value dv = e.fmul(gather(group, keyWeights, t), g);
    storeKeyGradients(mixer, group, t, dv, e.fmul(dv, group.load(mixer.v, t)), store);
  });
}

/// What dk subtracts, from the sums over the channels of a head.
void GridHeads::subtractKeys(Value head) {
  Value zero = e.number(element, 0), none = e.number(element, -kInfinity);
  queryGrid.scan(head, /*mirrored=*/true, weights, outside.get(head, e.index(0)),
                 [&](Value t, Value gr) {
                   Value hidden = e.equal(numberOf(mixer.k, t, head), none);
                   Value part = e.select(hidden, zero, e.fmul(keyWeights.get(head, t), gr));
                   part = e.select(e.less(t, keys), part, zero);
                   sums.put(e.fsub(sums.get(head, t), part), head, t);
                 });
}

void GridHeads::fastKeys() {
  Value first = e.index(0);
  makeWeights();
  fillQueries();
  forEachHead([&](Value head) {
    Value base = e.fadd(queryBases.get(head, first), tops.get(head, first));
    keyWeights.fill(head, -kInfinity, [&](Value t) { return numberOf(mixer.k, t, head); });
    keyWeights.map(head, [&](Value k) { return e.exp(e.fadd(k, e.broadcast(base, k.getType()))); });
  });
  queryLanes.clear();
  forEachGroup([&](LaneEmitter &group) { keysOfGroup(group); });
  fillQueryGrid();
}

void GridHeads::exactKeys() {
  forEachGroup([&](LaneEmitter &group) {
    emitQueryGradient(mixer, group);
    StoreKey store = [&](Value dk, Value t) { keyLanes.add(group, dk, firstHead, t); };
    emitGridKeys(mixer, group, store);
  });
}

void GridHeads::emitKeys() {
  queryGrid.clear();
  e.grid({e.dim(mixer.q, 0), e.index(blocks.count())}, [&](ArrayRef<Value> index) {
    enter(index[0], index[1]);
    keyLanes.clear();
    auto sumKeys = [&](Value head) {
      forEachPlace([&](Value t) { sums.put(keyLanes.sum(head, t), head, t); });
    };
    choose(
        /*mirrored=*/true,
        [&] {
          fastKeys();
          forEachHead([&](Value head) {
            sumKeys(head);
            subtractKeys(head);
          });
        },
        [&] {
          exactKeys();
          forEachHead(sumKeys);
        });
    forEachHead([&](Value head) {
      forEachPlace([&](Value t) {
        e.store(sums.get(head, t), mixer.inits[1], {batch, t, e.add(firstHead, head)});
      });
    });
  });
}

//===----------------------------------------------------------------------===//
// The filter
//===----------------------------------------------------------------------===//

void GridHeads::addTaps(LaneEmitter &group) {
  PlacePairs keyItems(mixer, group, /*parts=*/1), queryItems(mixer, group, /*parts=*/1);
  PlainGrid grid = gridOf(group, /*mirrored=*/false);
  keyItems.fill([&](Value t) {
    group.prefetch({mixer.q, mixer.dy, mixer.ratio}, t, /*next=*/false);
    return keyItem(group, gather(group, keyWeights, t), group.load(mixer.v, t));
  });
  queryItems.fill([&](Value t) {
    group.prefetch(mixer.v, t, /*next=*/true);
    return PlacePairs::Pair{queryItem(group, t), Value()};
  });
  grid.correlate(queryItems, keyItems, gather(group, scales, e.index(0)), tapSums, slotOf(group));
}

/// Adds one batch entry to the filter's gradient.
void GridHeads::addEntry() {
  Value first = e.index(0);
  fillKeys();
  fillQueries();
  queryLanes.clear();
  forEachHead([&](Value head) {
    Value scale = e.fadd(keyBases.get(head, first), queryBases.get(head, first));
    scales.put(e.exp(e.fadd(scale, tops.get(head, first))), head, first);
  });
  forEachGroup([&](LaneEmitter &group) { addTaps(group); });
  fillQueryGrid();
  forEachHead([&](Value head) {
    Value scale = scales.get(head, first);
    queryGrid.correlate(head, keyGrid, [&](Value tap, Value sum) {
      Value part = e.fmul(e.fmul(sum, weights.get(head, tap)), scale);
      headTaps.put(e.fsub(headTaps.get(head, tap), part), head, tap);
    });
  });
}

void GridHeads::storeFilter() {
  forEachGroup([&](LaneEmitter &group) {
    forEachTap([&](Value tap) {
      Value sums = e.load(tapSums, {slotOf(group), tap, e.index(0)}, group.lanes);
      group.reduceHeads(sums, [&](Value sum, Value head) {
        Value i = e.sub(head, firstHead);
        headTaps.put(e.fadd(headTaps.get(i, tap), sum), i, tap);
      });
    });
  });
  forEachHead([&](Value head) {
    forEachTap([&](Value tap) {
      e.store(headTaps.get(head, tap), mixer.inits[3], {e.add(firstHead, head), tap});
    });
  });
}

void GridHeads::emitFilter() {
  Value first = e.index(0), zero = e.number(element, 0);
  keyGrid.clear();
  queryGrid.clear();
  e.grid({e.index(blocks.count())}, [&](ArrayRef<Value> index) {
    enter(first, index[0]);
    forEachHead([&](Value head) { headTaps.fill(head, 0, [&](Value) { return zero; }); });
    forEachGroup([&](LaneEmitter &group) {
      forEachTap(
          [&](Value tap) { e.store(group.number(0), tapSums, {slotOf(group), tap, first}); });
    });
    auto overBatch = [&](llvm::function_ref<void()> body) {
      e.loop(first, e.dim(mixer.q, 0), e.index(1), [&](Value batch) {
        enter(batch, index[0]);
        body();
      });
    };
    choose(
        /*mirrored=*/false,
        [&] {
          makeWeights();
          overBatch([&] { addEntry(); });
        },
        [&] {
          overBatch([&] {
            forEachGroup(
                [&](LaneEmitter &group) { addTapsExactly(mixer, group, tapSums, slotOf(group)); });
          });
        });
    enter(first, index[0]);
    storeFilter();
  });
}
