//===- BiasGradient.cpp - Gradients of biases in a window -----------------===//

#include "compiler/vector/window/BiasGradient.h"

#include "compiler/vector/RunningSums.h"
#include "compiler/vector/window/WindowWeights.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace aft;

/// Queries whose keys are made ready together; less for very long windows.
static int64_t rowsFor(const WindowMixer &mixer) { return mixer.taps <= 1024 ? 8 : 1; }

namespace {

/// Sums of a filter's taps, with a number per lane: `plain` without the factor exp(w), `exact`
/// with it.
class FilterSums {
public:
  FilterSums(const WindowMixer &mixer, Emitter &e, Type element, int64_t lanes);

  /// Sums queries [start, end) anew. Large numbers may leave sums that are not finite.
  void sum(LaneEmitter &group, Value start, Value end, Value areModerate);
  /// The same pair by pair, for any numbers.
  void sumExactly(LaneEmitter &group, Value start, Value end);
  /// The sum of a tap: plain * weight + exact.
  Value total(Value tap, Value weight);

private:
  using Pair = std::pair<Value, Value>;
  Value at(Value memref, ArrayRef<Value> place) {
    return e.load(memref, SmallVector<Value>(place), lanes);
  }
  Pair loadPair(Value memref, Value index) {
    return {at(memref, {index, e.index(0), e.index(0)}),
            at(memref, {index, e.index(1), e.index(0)})};
  }
  void clear();
  void add(LaneEmitter &group, Value first, Value areModerate);
  void addProducts(LaneEmitter &group, Value first, Value keys, Value top);
  void addExactly(LaneEmitter &group, Value first, Value last, Value keys);
  void fillKeys(LaneEmitter &group, Value origin, Value keys, Value top);
  Pair query(LaneEmitter &group, Value t, Value top);

  const WindowMixer &mixer;
  Emitter &e;
  Type element;
  int64_t lanes, rows;
  Value plain, exact, items;
};

} // namespace

FilterSums::FilterSums(const WindowMixer &mixer, Emitter &e, Type element, int64_t lanes)
    : mixer(mixer), e(e), element(element), lanes(lanes), rows(rowsFor(mixer)) {
  int64_t width = std::max<int64_t>(lanes, 1);
  plain = e.scratch({mixer.taps, width}, element);
  exact = e.scratch({mixer.taps, width}, element);
  items = e.scratch({rows + mixer.taps, 2, width}, element);
}

void FilterSums::clear() {
  Value zero = e.number(e.typeOf(element, lanes), 0);
  e.loop(e.index(0), e.index(mixer.taps), e.index(1), [&](Value tap) {
    e.store(zero, plain, {tap, e.index(0)});
    e.store(zero, exact, {tap, e.index(0)});
  });
}

Value FilterSums::total(Value tap, Value weight) {
  Value place[] = {tap, e.index(0)};
  return e.fma(at(plain, place), weight, at(exact, place));
}

void FilterSums::fillKeys(LaneEmitter &group, Value origin, Value keys, Value top) {
  Value zero = group.number(0);
  e.loop(e.index(0), e.index(rows + mixer.taps), e.index(1), [&](Value place) {
    Value t = e.add(origin, place);
    Value exists = e.below(t, keys);
    auto pair = e.branch(
        exists, {group.type, group.type},
        [&] {
          Value weight = e.exp(e.fsub(group.loadPerHead(mixer.k, t), top));
          return Emitter::Values{e.fmul(weight, group.load(mixer.v, t)), weight};
        },
        [&] { return Emitter::Values{zero, zero}; });
    e.store(pair[0], items, {place, e.index(0), e.index(0)});
    e.store(pair[1], items, {place, e.index(1), e.index(0)});
  });
}

/// G / Z and -G R / Z, to be multiplied with keys relative to `top`.
FilterSums::Pair FilterSums::query(LaneEmitter &group, Value t, Value top) {
  Value zero = group.number(0);
  auto pair = e.branch(
      e.less(t, e.dim(mixer.q, 1)), {group.type, group.type},
      [&] {
        QueryRow row = loadQueryRow(mixer, group, t);
        Value weight = e.exp(e.fadd(row.exponent, top));
        return Emitter::Values{e.fmul(weight, row.g), e.fsub(zero, e.fmul(weight, row.gr))};
      },
      [&] { return Emitter::Values{zero, zero}; });
  return {pair[0], pair[1]};
}

void FilterSums::addProducts(LaneEmitter &group, Value first, Value keys, Value top) {
  fillKeys(group, e.sub(first, e.index(mixer.before)), keys, top);
  SmallVector<Pair> queries;
  for (int64_t i = 0; i < rows; ++i)
    queries.push_back(query(group, e.add(first, i), top));
  e.loop(e.index(0), e.index(mixer.taps), e.index(1), [&](Value tap) {
    Value sums[2] = {group.number(0), group.number(0)}, place[] = {tap, e.index(0)};
    for (auto [i, query] : llvm::enumerate(queries)) {
      auto [kv, k] = loadPair(items, e.add(tap, i));
      Value &sum = sums[i % 2];
      sum = e.fma(query.second, k, e.fma(query.first, kv, sum));
    }
    e.store(e.fadd(at(plain, place), e.fadd(sums[0], sums[1])), plain, place);
  });
}

void FilterSums::addExactly(LaneEmitter &group, Value first, Value last, Value keys) {
  e.loop(first, last, e.index(1), [&](Value t) {
    mixer.keysOf(e, t, keys, {}, [&](Value key, Value tap, ValueRange) {
      Value place[] = {tap, e.index(0)};
      e.store(e.fadd(at(exact, place), biasTerm(mixer, group, t, key, tap)), exact, place);
      return Emitter::Values{};
    });
  });
}

/// Adds the queries of a block from `first` on.
void FilterSums::add(LaneEmitter &group, Value first, Value areModerate) {
  Value keys = visibleKeys(e, mixer.lengths, group.batch, e.dim(mixer.q, 1));
  Value origin = e.sub(first, e.index(mixer.before));
  Value lower = e.max(origin, e.index(0));
  Value upper = e.min(e.add(origin, rows + mixer.taps - 1), keys);
  Value none = group.infinity(true), zero = group.number(0);
  auto ends =
      e.loop(lower, upper, e.index(1), {none, none, zero}, [&](Value t, ValueRange carried) {
        Value k = group.loadPerHead(mixer.k, t), v = group.load(mixer.v, t);
        // NaN for what is no number.
        Value odd = e.fadd(carried[2], e.fsub(v, v));
        return Emitter::Values{e.fmax(carried[0], k), e.fmax(carried[1], e.fsub(zero, k)), odd};
      });
  Value width = e.fadd(e.fadd(ends[0], ends[1]), ends[2]);
  width = e.reduce(width, [&](Value a, Value b) { return e.fmax(a, b); });
  Value isNarrow = e.compare(arith::CmpFPredicate::OLE, width, e.number(element, kModerate));
  Value usable = e.both(areModerate, isNarrow);
  usable = e.both(usable, e.less(lower, upper));
  e.branch(
      usable, {},
      [&] {
        addProducts(group, first, keys, ends[0]);
        return Emitter::Values{};
      },
      [&] {
        addExactly(group, first, e.min(e.add(first, rows), e.dim(mixer.q, 1)), keys);
        return Emitter::Values{};
      });
}

void FilterSums::sum(LaneEmitter &group, Value start, Value end, Value areModerate) {
  clear();
  e.loop(start, end, e.index(rows), [&](Value first) { add(group, first, areModerate); });
}

void FilterSums::sumExactly(LaneEmitter &group, Value start, Value end) {
  clear();
  addExactly(group, start, end, visibleKeys(e, mixer.lengths, group.batch, e.dim(mixer.q, 1)));
}

static Value fabs(Emitter &e, Value value) { return e.builder.create<math::AbsFOp>(e.loc, value); }

//===----------------------------------------------------------------------===//
// Filters
//===----------------------------------------------------------------------===//

static void forEachTap(const WindowMixer &mixer, Emitter &e, llvm::function_ref<void(Value)> body) {
  e.loop(e.index(0), e.index(mixer.taps), e.index(1), body);
}

/// Sums of a lane group's channels over the batch: the filter of each channel,
/// or added to `ofHeads`.
static void addGroup(const WindowMixer &mixer, LaneEmitter &first, Value firstHead, Value ofHeads,
                     llvm::function_ref<void(LaneEmitter &, Value)> addEntry) {
  Emitter &e = first.e;
  SmallVector<int64_t> shape = {mixer.taps, std::max<int64_t>(first.lanes, 1)};
  Value sums = e.scratch(shape, first.element), zero = first.number(0);
  forEachTap(mixer, e, [&](Value tap) { e.store(zero, sums, {tap, e.index(0)}); });
  e.loop(e.index(0), e.dim(mixer.q, 0), e.index(1), [&](Value batch) {
    LaneEmitter group = first;
    group.batch = batch;
    addEntry(group, sums);
  });
  forEachTap(mixer, e, [&](Value tap) {
    Value total = e.load(sums, {tap, e.index(0)}, first.lanes);
    if (!ofHeads)
      return first.scatterHeads(
          total, [&](Value number, Value head) { e.store(number, mixer.inits[3], {head, tap}); });
    first.reduceHeads(total, [&](Value sum, Value head) {
      Value place[] = {e.sub(head, firstHead), tap};
      e.store(e.fadd(e.load(ofHeads, place, 0), sum), ofHeads, place);
    });
  });
}

void aft::emitFilterSums(const WindowMixer &mixer, const LaneBlocks &blocks, Emitter &e,
                         llvm::function_ref<void(LaneEmitter &, Value)> addEntry) {
  e.grid({e.index(blocks.count())}, [&](ArrayRef<Value> block) {
    Value firstHead = e.mul(block[0], blocks.heads()), sums;
    auto forEach = [&](llvm::function_ref<void(Value head, Value tap)> body) {
      e.loop(e.index(0), e.index(blocks.heads()), e.index(1),
             [&](Value head) { forEachTap(mixer, e, [&](Value tap) { body(head, tap); }); });
    };
    if (blocks.perHead > 1) {
      sums = e.scratch({blocks.heads(), mixer.taps}, blocks.accumulation);
      forEach([&](Value head, Value tap) {
        e.store(e.number(blocks.accumulation, 0), sums, {head, tap});
      });
    }
    blocks.forEachGroup(e, e.index(0), block[0], [&](LaneEmitter &group) {
      addGroup(mixer, group, firstHead, sums, addEntry);
    });
    if (sums)
      forEach([&](Value head, Value tap) {
        Value place[] = {e.add(firstHead, head), tap};
        e.store(e.load(sums, {head, tap}, 0), mixer.inits[3], place);
      });
  });
}

/// Whether a lane group's filter is moderate.
static Value isFilterModerate(const WindowMixer &mixer, LaneEmitter &group) {
  Emitter &e = group.e;
  Value largest = e.loop(e.index(0), e.index(mixer.taps), e.index(1), group.number(0),
                         [&](Value tap, ValueRange carried) {
                           Value w = mixer.weight(group, e.index(0), tap);
                           return Emitter::Values{e.fmax(carried[0], fabs(e, w))};
                         })[0];
  largest = e.reduce(largest, [&](Value a, Value b) { return e.fmax(a, b); });
  return e.compare(arith::CmpFPredicate::OLE, largest, e.number(group.element, kModerate));
}

void aft::addTapsExactly(const WindowMixer &mixer, LaneEmitter &group, Value sums, Value slot) {
  Emitter &e = group.e;
  Value length = e.dim(mixer.q, 1);
  Value keys = visibleKeys(e, mixer.lengths, group.batch, length);
  e.loop(e.index(0), length, e.index(1), [&](Value t) {
    mixer.keysOf(e, t, keys, {}, [&](Value key, Value tap, ValueRange) {
      SmallVector<Value> place = {tap, e.index(0)};
      if (slot)
        place.insert(place.begin(), slot);
      Value term = biasTerm(mixer, group, t, key, tap);
      e.store(e.fadd(e.load(sums, place, group.lanes), term), sums, place);
      return Emitter::Values{};
    });
  });
}

void aft::emitFilterGradient(const WindowMixer &mixer, Emitter &e, unsigned vectorBits) {
  LaneBlocks blocks(accumulationOf(mixer.q), vectorBits, mixer.channels, mixer.perHead());
  emitFilterSums(mixer, blocks, e, [&](LaneEmitter &group, Value sums) {
    FilterSums chunkSums(mixer, e, group.element, group.lanes);
    Value areModerate = isFilterModerate(mixer, group);
    auto totalOf = [&](Value tap) {
      Value w = e.select(areModerate, e.exp(mixer.weight(group, e.index(0), tap)), group.number(0));
      return chunkSums.total(tap, w);
    };
    // A chunk of the sequence at a time, so that rounding errors stay small.
    Value length = e.dim(mixer.q, 1), chunk = e.index(512);
    e.loop(e.index(0), length, chunk, [&](Value start) {
      Value end = e.min(e.add(start, chunk), length), zero = group.number(0);
      chunkSums.sum(group, start, end, areModerate);
      Value odd = e.loop(e.index(0), e.index(mixer.taps), e.index(1), zero,
                         [&](Value tap, ValueRange seen) {
                           return Emitter::Values{e.fma(totalOf(tap), zero, seen[0])};
                         })[0];
      e.when(anyLane(e, e.compare(arith::CmpFPredicate::UNE, odd, zero)),
             [&] { chunkSums.sumExactly(group, start, end); });
      forEachTap(mixer, e, [&](Value tap) {
        Value place[] = {tap, e.index(0)};
        e.store(e.fadd(e.load(sums, place, group.lanes), totalOf(tap)), sums, place);
      });
    });
  });
}
