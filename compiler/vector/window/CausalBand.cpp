//===- CausalBand.cpp - The gradient of a band beside that of its keys ----===//

#include "compiler/vector/window/CausalBand.h"

#include "compiler/vector/RunningSums.h"
#include "compiler/vector/product/ProductPacking.h"

using namespace mlir;
using namespace aft;

/// Keys that share registers, and lie side by side in a tile's sums.
static constexpr int64_t kKeys = 4;

/// The sums of a tile, summed over their lanes, fill a vector.
static int64_t queriesOfTile(int64_t lanes) { return std::max<int64_t>(lanes / kKeys, 1); }

CausalBand::CausalBand(const WindowMixer &mixer, const WindowCode &code, const Panel &panel,
                       WindowWeights &weights, Value queries, Value parts, int64_t block)
    : mixer(mixer), code(code), panel(panel), weights(weights), e(panel.e), queries(queries),
      parts(parts), block(block), queriesAtOnce(queriesOfTile(panel.lanes)) {
  keys = e.scratch({block / kKeys, panel.most, kKeys, 2, panel.width()}, panel.element);
  sums = e.scratch({block + mixer.taps + 1, block}, panel.element);
}

void CausalBand::clear(Value panels) {
  Value zero = e.number(panel.element, 0), length = e.dim(mixer.q, 1),
        last = e.index(mixer.taps - 1);
  auto clearRow = [&](Value part, Value t, Value taps) {
    e.loop(e.index(0), taps, e.index(1), [&](Value tap) { e.store(zero, parts, {part, t, tap}); });
  };
  e.loop(e.index(0), e.min(last, length), e.index(1),
         [&](Value t) { clearRow(panel.number, t, e.sub(last, t)); });
  e.loop(e.add(panels, panel.number), e.dim(parts, 0), panels, [&](Value unused) {
    e.loop(e.index(0), length, e.index(1),
           [&](Value t) { clearRow(unused, t, e.index(mixer.taps)); });
  });
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

Emitter::Values CausalBand::keyPlace(Value number, Value row, int64_t which) {
  Value tile = e.div(row, kKeys);
  return {tile, number, e.sub(row, e.mul(tile, kKeys)), e.index(which), e.index(0)};
}

/// Whether sums of 0 and NaN are 0.
static Value areNumbers(Emitter &e, Value odd) {
  Value zero = e.number(odd.getType(), 0);
  Value yes = e.builder.create<arith::ConstantIntOp>(e.loc, 1, 1);
  return e.builder.create<arith::XOrIOp>(
      e.loc, anyLane(e, e.compare(arith::CmpFPredicate::UNE, odd, zero)), yes);
}

/// Returns a number that is 0 if those of the key are finite. A hidden key is 0.
Value CausalBand::loadKey(LaneEmitter &group, Value number, Value row, Value key, Value base) {
  Value zero = group.number(0), k = group.load(mixer.k, key);
  Value weight = code.weigh(group, key, base);
  Value isHidden = e.equal(k, group.infinity(true));
  Value weighted = e.select(isHidden, zero, e.fmul(weight, group.load(mixer.v, key)));
  e.store(weighted, keys, keyPlace(number, row, 0));
  e.store(weight, keys, keyPlace(number, row, 1));
  return e.fma(weighted, zero, e.fmul(weight, zero));
}

Value CausalBand::loadKeys(Value first, BaseOf baseOf, llvm::function_ref<Value(Value)> aheadOf) {
  Value length = e.dim(mixer.q, 1);
  Value visible = visibleKeys(e, mixer.lengths, panel.batch, length);
  Value zero = panel.group(e.index(0)).number(0);
  Value odd = e.loop(e.index(0), e.index(block), e.index(1), zero, [&](Value row, ValueRange seen) {
    Value key = e.add(first, row);
    return e.branch(
        e.less(key, visible), zero.getType(),
        [&] {
          Value ahead = aheadOf(key);
          return e.loop(e.index(0), panel.groups, e.index(1), seen[0],
                        [&](Value number, ValueRange seen) {
                          LaneEmitter group = panel.group(number);
                          panel.prefetch(code.beside, ahead, number, /*forWriting=*/false);
                          Value own = loadKey(group, number, row, key, baseOf(group, number));
                          return Emitter::Values{e.fadd(seen[0], own)};
                        });
        },
        [&] {
          panel.forEachGroup([&](LaneEmitter &group, Value number) {
            for (int64_t which : {0, 1})
              e.store(zero, keys, keyPlace(number, row, which));
          });
          return Emitter::Values{seen[0]};
        });
  })[0];
  return areNumbers(e, odd);
}

Value CausalBand::weight(Value number, Value row) {
  return e.load(keys, keyPlace(number, row, 1), panel.lanes);
}

//===----------------------------------------------------------------------===//
// Products
//===----------------------------------------------------------------------===//

/// Contracts a few keys with a few queries over the channels: a number per lane.
Emitter::Values CausalBand::contract(Value row, Value place) {
  Emitter::Values zeros(queriesAtOnce * kKeys, panel.group(e.index(0)).number(0));
  Value tile = e.div(row, kKeys);
  return e.loop(e.index(0), panel.groups, e.index(1), zeros, [&](Value number, ValueRange carried) {
    Emitter::Values next(carried), weighted, weight;
    auto key = [&](int64_t j, int64_t which) {
      return e.load(keys, {tile, number, e.index(j), e.index(which), e.index(0)}, panel.lanes);
    };
    for (int64_t j = 0; j < kKeys; ++j) {
      weighted.push_back(key(j, 0));
      weight.push_back(e.builder.create<arith::NegFOp>(e.loc, key(j, 1)));
    }
    for (int64_t i = 0; i < queriesAtOnce; ++i) {
      Value g = queryAt(number, e.add(place, i), 0), gr = queryAt(number, e.add(place, i), 1);
      for (int64_t j = 0; j < kKeys; ++j) {
        Value &sum = next[i * kKeys + j];
        sum = e.fma(gr, weight[j], e.fma(g, weighted[j], sum));
      }
    }
    return next;
  });
}

/// The sums of a tile over their lanes, times exp(w) of each pair. `odd`, as many numbers as are
/// stored at once, becomes NaN where one of them is not finite.
Value CausalBand::tile(Value row, Value place, Value odd) {
  Emitter::Values totals = contract(row, place);
  auto plus = [&](Value a, Value b) { return e.fadd(a, b); };
  auto store = [&](Value sum, int64_t query, int64_t key, int64_t count) {
    Value item = e.add(place, query), column = e.add(row, key);
    Value weighted = e.fmul(sum, weights.run(item, column, count));
    e.store(weighted, sums, {item, column});
    odd = e.fma(weighted, e.number(weighted.getType(), 0), odd);
  };
  if (panel.lanes < kKeys) {
    for (int64_t i = 0; i < queriesAtOnce; ++i)
      for (int64_t j = 0; j < kKeys; ++j)
        store(e.reduce(totals[i * kKeys + j], plus), i, j, 0);
    return odd;
  }
  Emitter::Values lines = transposeSquare(e, totals);
  for (; lines.size() > 1; lines.resize(lines.size() / 2))
    for (size_t i = 0, half = lines.size() / 2; i < half; ++i)
      lines[i] = plus(lines[i], lines[i + half]);
  for (int64_t i = 0; i < queriesAtOnce; ++i)
    store(e.builder.create<vector::ExtractStridedSliceOp>(
              e.loc, lines[0], ArrayRef<int64_t>{i * kKeys}, ArrayRef<int64_t>{kKeys},
              ArrayRef<int64_t>{1}),
          i, 0, kKeys);
  return odd;
}

/// Writes the sums of a query and the keys [from, to) of the block to the query's taps.
void CausalBand::storeRun(Value from, Value to, Value query, Value place) {
  Value shift = e.sub(e.index(mixer.taps), place);
  auto copy = [&](Value row, int64_t lanes) {
    e.store(e.load(sums, {place, row}, lanes), parts, {panel.number, query, e.add(row, shift)});
  };
  int64_t lanes = panel.lanes;
  Value whole = e.add(from, e.roundDown(e.sub(to, from), lanes));
  e.loop(from, whole, e.index(lanes), [&](Value row) { copy(row, lanes); });
  e.loop(whole, to, e.index(1), [&](Value row) { copy(row, 0); });
}

Value CausalBand::products(Value first, Value rows) {
  Value last = e.index(block + mixer.taps - queriesAtOnce);
  Value zero = e.number(e.typeOf(panel.element, panel.lanes < kKeys ? 0 : kKeys), 0);
  Value odd = e.loop(e.index(0), rows, e.index(kKeys), zero, [&](Value row, ValueRange seen) {
    return e.loop(e.add(row, 1), e.add(row, kKeys + mixer.taps), e.index(queriesAtOnce), seen,
                  [&](Value place, ValueRange seen) {
                    return Emitter::Values{tile(row, e.min(place, last), seen[0])};
                  });
  })[0];
  // Place p is query first - 1 + p.
  Value length = e.dim(mixer.q, 1), taps = e.index(mixer.taps);
  Value end = e.min(e.add(rows, mixer.taps), e.add(e.sub(length, first), 1));
  e.loop(e.index(1), end, e.index(1), [&](Value place) {
    Value query = e.sub(e.add(first, place), e.index(1));
    storeRun(e.max(e.sub(place, taps), e.index(0)), e.min(place, rows), query, place);
  });
  return areNumbers(e, odd);
}

/// Pair by pair, for any numbers.
void CausalBand::exactly(Value first, Value rows) {
  Value length = e.dim(mixer.q, 1);
  Value visible = visibleKeys(e, mixer.lengths, panel.batch, length);
  e.loop(e.index(0), rows, e.index(1), [&](Value row) {
    Value key = e.add(first, row), isVisible = e.less(key, visible);
    mixer.queriesOf(e, key, length, {}, [&](Value t, Value tap, ValueRange) {
      auto none = [&] { return Emitter::Values{e.number(panel.element, 0)}; };
      Value sum = e.branch(
          isVisible, panel.element,
          [&] {
            Value zero = panel.group(e.index(0)).number(0);
            Value total = e.loop(e.index(0), panel.groups, e.index(1), zero,
                                 [&](Value number, ValueRange carried) {
                                   LaneEmitter group = panel.group(number);
                                   Value term = biasTerm(mixer, group, t, key, tap);
                                   return Emitter::Values{e.fadd(carried[0], term)};
                                 })[0];
            return Emitter::Values{e.reduce(total, [&](Value a, Value b) { return e.fadd(a, b); })};
          },
          none)[0];
      e.store(sum, parts, {panel.number, t, tap});
      return Emitter::Values{};
    });
  });
}
