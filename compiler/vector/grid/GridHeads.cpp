//===- GridHeads.cpp - conv on a grid with several channels per head ------===//

#include "compiler/vector/grid/GridHeads.h"

#include "compiler/vector/grid/PlainGrid.h"
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
  int64_t bytes = blocks.accumulation.getIntOrFloatBitWidth() / 8 * blocks.heads();
  return PlacePairs::fits(mixer, blocks.accumulation, blocks.lanes) &&
         HeadGrid::numbersOf(mixer, lanesFor(blocks.accumulation, vectorBits)) * bytes <=
             kMostBytes &&
         mixer.taps * bytes <= kMostBytes;
}

GridHeads::GridHeads(const WindowMixer &mixer, const LaneBlocks &blocks, Emitter &e,
                     unsigned vectorBits)
    : mixer(mixer), blocks(blocks), e(e), element(blocks.accumulation), length(lengthOf(mixer)),
      lanes(lanesFor(element, vectorBits)) {
  weights = table(mixer.taps);
  tops = table(1);
  outside = table(1);
  keyBases = table(1);
  queryBases = table(1);
  keyGrid.emplace(mixer, e, element, blocks.heads(), lanes);
}

Value GridHeads::table(int64_t columns) { return e.scratch({blocks.heads(), columns}, element); }

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

Value GridHeads::gather(LaneEmitter &group, llvm::function_ref<Value(Value)> at) {
  return group.gatherHeads([&](Value head) { return at(e.sub(head, firstHead)); });
}

void GridHeads::addToHeads(LaneEmitter &group, Value value, Value memory, Value place) {
  group.reduceHeads(value, [&](Value sum, Value head) {
    Value i = e.sub(head, firstHead);
    put(e.fadd(get(memory, i, place), sum), memory, i, place);
  });
}

/// The place of a lane group in the block.
Value GridHeads::slotOf(LaneEmitter &group) {
  return e.div(e.sub(group.channel, e.mul(block, blocks.size)), blocks.lanes);
}

Value GridHeads::numberOf(Value memref, Value t, Value head) {
  return e.convert(e.load(memref, {batch, t, e.add(firstHead, head)}, 0), element);
}

Value GridHeads::filterOf(Value head, Value tap) {
  return e.convert(e.load(mixer.bias, {e.add(firstHead, head), tap}, 0), element);
}

void GridHeads::choose(llvm::function_ref<void()> fast, llvm::function_ref<void()> exact) {
  Value zero = e.number(element, 0);
  Value range = e.loop(
      e.index(0), e.index(blocks.heads()), e.index(1), zero, [&](Value head, ValueRange carried) {
        Value ofHead =
            filterRange(e, element, mixer.taps, [&](Value tap) { return filterOf(head, tap); });
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

void GridHeads::makeWeights(bool mirrored) {
  Value zero = e.number(element, 0), first = e.index(0);
  forEachHead([&](Value head) {
    Value top =
        e.loop(first, e.index(mixer.taps), e.index(1), zero, [&](Value tap, ValueRange carried) {
          return Emitter::Values{e.fmaxNumber(carried[0], filterOf(head, tap))};
        })[0];
    forEachTap([&](Value tap) {
      // Seen from a key the window is turned around.
      Value place = mirrored ? e.sub(e.index(mixer.taps - 1), tap) : tap;
      put(e.exp(e.fsub(filterOf(head, tap), top)), weights, head, place);
    });
    put(top, tops, head, first);
    put(e.exp(e.fsub(zero, top)), outside, head, first);
  });
}

/// The largest exponent of all places, 0 where there is none.
Value GridHeads::largest(llvm::function_ref<Value(Value)> exponent) {
  Value none = e.number(element, -kInfinity);
  Value top =
      e.loop(e.index(0), e.index(length), e.index(1), none, [&](Value t, ValueRange carried) {
        return Emitter::Values{e.fmaxNumber(carried[0], exponent(t))};
      })[0];
  return e.select(e.equal(top, none), e.number(element, 0), top);
}

/// exp(k) of all keys, 0 for hidden ones.
void GridHeads::fillKeys() {
  Value none = e.number(element, -kInfinity);
  forEachHead([&](Value head) {
    auto exponent = [&](Value t) {
      Value k = numberOf(mixer.k, t, head);
      return mixer.lengths ? e.select(e.less(t, keys), k, none) : k;
    };
    Value base = largest(exponent);
    put(base, keyBases, head, e.index(0));
    forEachPlace([&](Value t) { keyGrid->store(e.exp(e.fsub(exponent(t), base)), head, t); });
  });
}

/// 1 / Z of all queries, 0 for those without a key.
void GridHeads::fillQueries() {
  Value none = e.number(element, -kInfinity), zero = e.number(element, 0);
  forEachHead([&](Value head) {
    auto exponent = [&](Value t) {
      Value logz = numberOf(mixer.logz, t, head);
      return e.select(e.equal(logz, none), none, e.fsub(zero, logz));
    };
    Value base = largest(exponent);
    put(base, queryBases, head, e.index(0));
    forEachPlace([&](Value t) {
      put(e.exp(e.fsub(exponent(t), base)), queryWeights, head, t);
      queryGrid->store(zero, head, t);
    });
  });
}

/// The items exp(k) v of a lane group.
static PlacePairs::Pair keyItem(LaneEmitter &group, Value weight, Value v) {
  Emitter &e = group.e;
  Value zero = group.number(0);
  // A key of weight 0 is hidden: its value, perhaps NaN, must not be seen.
  return {e.select(e.equal(weight, zero), zero, e.fmul(weight, v)), Value()};
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

/// Z of a head, and logz.
void GridHeads::finishHead(Value head) {
  Value first = e.index(0), zero = e.number(element, 0), none = e.number(element, -kInfinity);
  Value scale = e.fadd(get(keyBases, head, first), get(tops, head, first));
  keyGrid->scan(head, /*mirrored=*/false, weights, get(outside, head, first),
                [&](Value t, Value z) {
                  put(z, sums, head, t);
                  if (mixer.inits.size() != 3)
                    return;
                  Value empty = e.equal(z, zero);
                  Value log = e.log(e.select(empty, e.number(element, 1), z));
                  e.store(e.select(empty, none, e.fadd(scale, log)), mixer.inits[2],
                          {batch, t, e.add(firstHead, head)});
                });
}

void GridHeads::forwardGroup(LaneEmitter &group) {
  Value first = e.index(0);
  PlacePairs items(mixer, group, /*parts=*/1);
  PlainGrid grid(mixer, group, /*mirrored=*/false, /*parts=*/1);
  grid.setWeights(
      [&](Value tap) { return gather(group, [&](Value i) { return get(weights, i, tap); }); },
      gather(group, [&](Value i) { return get(outside, i, first); }));
  items.fill([&](Value t) {
    Value weight = gather(group, [&](Value i) { return keyGrid->load(i, t); });
    return keyItem(group, weight, group.load(mixer.v, t));
  });
  grid.scan(items, [&](Value t, Value n, Value) {
    Value z = gather(group, [&](Value i) { return get(sums, i, t); });
    MixState state{group.number(0), n, z};
    group.store(gatedRatio(mixer, group, t, state), mixer.inits[0], t);
    if (mixer.inits.size() == 3)
      group.store(group.ratio(state), mixer.inits[1], t);
  });
}

void GridHeads::emitForward() {
  sums = table(length);
  keyGrid->clear();
  e.grid({e.dim(mixer.q, 0), e.index(blocks.count())}, [&](ArrayRef<Value> index) {
    enter(index[0], index[1]);
    choose(
        [&] {
          makeWeights(/*mirrored=*/false);
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
  Value weight = gather(group, [&](Value i) { return get(queryWeights, i, t); });
  QueryRow row = loadQueryRow(mixer, group, t);
  group.reduceHeads(e.fmul(weight, row.gr), [&](Value sum, Value head) {
    Value i = e.sub(head, firstHead);
    queryGrid->store(e.fadd(queryGrid->load(i, t), sum), i, t);
  });
  return e.fmul(weight, row.g);
}

void GridHeads::keysOfGroup(LaneEmitter &group) {
  Value first = e.index(0);
  PlacePairs items(mixer, group, /*parts=*/1);
  PlainGrid grid(mixer, group, /*mirrored=*/true, /*parts=*/1);
  grid.setWeights(
      [&](Value tap) { return gather(group, [&](Value i) { return get(weights, i, tap); }); },
      gather(group, [&](Value i) { return get(outside, i, first); }));
  items.fill([&](Value t) { return PlacePairs::Pair{queryItem(group, t), Value()}; });
  StoreKey store = [&](Value dk, Value t) { addToHeads(group, dk, sums, t); };
  grid.scan(items, [&](Value t, Value g, Value) {
    Value scale = gather(group, [&](Value i) { return keyGrid->load(i, t); });
    Value dv = e.fmul(scale, g);
    storeKeyGradients(mixer, group, t, dv, e.fmul(dv, group.load(mixer.v, t)), store);
  });
}

/// What dk subtracts, from the sums over the channels of a head.
void GridHeads::storeKeys(Value head) {
  Value zero = e.number(element, 0), none = e.number(element, -kInfinity);
  queryGrid->scan(head, /*mirrored=*/true, weights, get(outside, head, e.index(0)),
                  [&](Value t, Value gr) {
                    Value hidden = e.equal(numberOf(mixer.k, t, head), none);
                    Value part = e.select(hidden, zero, e.fmul(keyGrid->load(head, t), gr));
                    part = e.select(e.less(t, keys), part, zero);
                    put(e.fsub(get(sums, head, t), part), sums, head, t);
                  });
}

void GridHeads::emitKeys() {
  Value first = e.index(0), zero = e.number(element, 0);
  sums = table(length);
  queryWeights = table(length);
  queryGrid.emplace(mixer, e, element, blocks.heads(), lanes);
  queryGrid->clear();
  e.grid({e.dim(mixer.q, 0), e.index(blocks.count())}, [&](ArrayRef<Value> index) {
    enter(index[0], index[1]);
    forEachHead([&](Value head) { forEachPlace([&](Value t) { put(zero, sums, head, t); }); });
    forEachGroup([&](LaneEmitter &group) { emitQueryGradient(mixer, group); });
    choose(
        [&] {
          makeWeights(/*mirrored=*/true);
          fillQueries();
          forEachHead([&](Value head) {
            Value base = e.fadd(get(queryBases, head, first), get(tops, head, first));
            forEachPlace([&](Value t) {
              Value scale = e.exp(e.fadd(numberOf(mixer.k, t, head), base));
              keyGrid->store(scale, head, t);
            });
          });
          forEachGroup([&](LaneEmitter &group) { keysOfGroup(group); });
          forEachHead([&](Value head) { storeKeys(head); });
        },
        [&] {
          forEachGroup([&](LaneEmitter &group) {
            StoreKey store = [&](Value dk, Value t) { addToHeads(group, dk, sums, t); };
            emitGridKeys(mixer, group, store);
          });
        });
    forEachHead([&](Value head) {
      forEachPlace([&](Value t) {
        e.store(get(sums, head, t), mixer.inits[1], {batch, t, e.add(firstHead, head)});
      });
    });
  });
}

//===----------------------------------------------------------------------===//
// The filter
//===----------------------------------------------------------------------===//

void GridHeads::addTaps(LaneEmitter &group) {
  Value first = e.index(0);
  PlacePairs keyItems(mixer, group, /*parts=*/1), queryItems(mixer, group, /*parts=*/1);
  PlainGrid grid(mixer, group, /*mirrored=*/false, /*parts=*/1);
  grid.setWeights(
      [&](Value tap) { return gather(group, [&](Value i) { return get(weights, i, tap); }); },
      Value());
  keyItems.fill([&](Value t) {
    Value weight = gather(group, [&](Value i) { return keyGrid->load(i, t); });
    return keyItem(group, weight, group.load(mixer.v, t));
  });
  queryItems.fill([&](Value t) { return PlacePairs::Pair{queryItem(group, t), Value()}; });
  Value scale = gather(group, [&](Value i) { return get(sums, i, first); });
  grid.correlate(queryItems, keyItems, scale, tapSums, slotOf(group));
}

void GridHeads::storeFilter() {
  forEachGroup([&](LaneEmitter &group) {
    forEachTap([&](Value tap) {
      Value sum = e.load(tapSums, {slotOf(group), tap, e.index(0)}, group.lanes);
      addToHeads(group, sum, headTaps, tap);
    });
  });
  forEachHead([&](Value head) {
    forEachTap([&](Value tap) {
      e.store(get(headTaps, head, tap), mixer.inits[3], {e.add(firstHead, head), tap});
    });
  });
}

void GridHeads::emitFilter() {
  Value first = e.index(0), zero = e.number(element, 0);
  int64_t groups = blocks.size / blocks.lanes;
  tapSums = e.scratch({groups, mixer.taps, blocks.lanes}, element);
  headTaps = table(mixer.taps);
  sums = table(1);
  queryWeights = table(length);
  queryGrid.emplace(mixer, e, element, blocks.heads(), lanes);
  keyGrid->clear();
  queryGrid->clear();
  e.grid({e.index(blocks.count())}, [&](ArrayRef<Value> index) {
    enter(first, index[0]);
    forEachHead(
        [&](Value head) { forEachTap([&](Value tap) { put(zero, headTaps, head, tap); }); });
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
    auto fast = [&] {
      makeWeights(/*mirrored=*/false);
      overBatch([&] {
        fillKeys();
        fillQueries();
        forEachHead([&](Value head) {
          Value scale = e.fadd(e.fadd(get(keyBases, head, first), get(queryBases, head, first)),
                               get(tops, head, first));
          put(e.exp(scale), sums, head, first);
        });
        forEachGroup([&](LaneEmitter &group) { addTaps(group); });
        forEachHead([&](Value head) {
          Value scale = get(sums, head, first);
          queryGrid->correlate(head, *keyGrid, [&](Value tap, Value sum) {
            Value part = e.fmul(e.fmul(sum, get(weights, head, tap)), scale);
            put(e.fsub(get(headTaps, head, tap), part), headTaps, head, tap);
          });
        });
      });
    };
    auto exact = [&] {
      overBatch([&] {
        forEachGroup(
            [&](LaneEmitter &group) { addTapsExactly(mixer, group, tapSums, slotOf(group)); });
      });
    };
    choose(fast, exact);
    enter(first, index[0]);
    storeFilter();
  });
}
