//===- WindowWeights.cpp - Exponentials of the biases of a block ----------===//

#include "compiler/vector/window/WindowWeights.h"

#include "compiler/vector/RunningSums.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace aft;

/// Longer windows take exponentials of pairs.
static constexpr int64_t kMostTaps = 1024;
/// Rows between the one that is read and the one that is fetched.
static constexpr int64_t kAhead = 8;
static constexpr int64_t kLineBits = 512;

bool WindowWeights::fits(int64_t taps) { return taps <= kMostTaps; }

/// A filter's weights are the same for all outputs, a vector each; those of a
/// band are numbers, a row for each output. Seen from a key the rows are items:
/// the biases of one query lie side by side.
WindowWeights::WindowWeights(const WindowMixer &mixer, LaneEmitter &group, bool mirrored,
                             int64_t outputs)
    : mixer(mixer), group(group), e(group.e), mirrored(mirrored), outputs(outputs),
      lanes(std::max<int64_t>(group.lanes, 1)) {
  SmallVector<int64_t> shape = {outputs, mixer.taps + 2 * kPadding};
  if (mixer.perHeadBias)
    shape = {mixer.taps + 2 * kPadding, lanes};
  else if (mirrored)
    shape = {outputs + mixer.taps, outputs};
  table = e.scratch(shape, group.element);
  e.loop(e.index(0), e.index(shape[0]), e.index(1), [&](Value i) {
    e.loop(e.index(0), e.index(shape[1]), e.index(1),
           [&](Value j) { e.store(e.number(group.element, 0), table, {i, j}); });
  });
}

Value aft::oddness(Emitter &e, Value one, Value two) {
  Value room = e.number(one.getType(), kRoom), sum = e.fma(two, room, e.fmul(one, room));
  return e.fsub(sum, sum);
}

/// 1 where w is not moderate, else `seen`.
static Value noteLarge(Emitter &e, Value w, Value seen) {
  Value size = e.builder.create<math::AbsFOp>(e.loc, w);
  Value isLarge = e.compare(arith::CmpFPredicate::UGT, size, e.number(w.getType(), kLargestBias));
  return e.select(isLarge, e.number(w.getType(), 1), seen);
}

Value WindowWeights::fillHead() {
  return e.loop(e.index(0), e.index(mixer.taps), e.index(1), group.number(0),
                [&](Value tap, ValueRange seen) {
                  Value w = mixer.weight(group, e.index(0), tap);
                  Value place = mirrored ? e.sub(e.index(mixer.taps - 1), tap) : tap;
                  e.store(e.exp(w), table, {e.add(place, kPadding), e.index(0)});
                  return Emitter::Values{noteLarge(e, w, seen[0])};
                })[0];
}

/// exp of the biases [tap, end) of a query, to `place` on in a row of the table;
/// whole vectors, the last of which may overlap the one before. `seen` becomes 1 on a
/// lane with a large bias.
Value WindowWeights::fillRow(Value query, Value tap, Value end, Value row, Value place,
                             Value seen) {
  auto fill = [&](Value at, int64_t lanes, Value seen) {
    Value w = e.convert(e.load(mixer.bias, {query, at}, lanes), group.element);
    e.store(e.exp(w), table, {row, e.add(place, e.sub(at, tap))});
    return noteLarge(e, e.broadcast(w, seen.getType()), seen);
  };
  auto over = [&](int64_t step, llvm::function_ref<Value(Value, Value)> part) {
    return e.loop(tap, end, e.index(step), seen, [&](Value at, ValueRange carried) {
      return Emitter::Values{part(at, carried[0])};
    });
  };
  auto oneByOne = [&] { return over(1, [&](Value at, Value seen) { return fill(at, 0, seen); }); };
  int64_t wide = group.lanes;
  if (wide <= 1 || mixer.taps < wide)
    return oneByOne()[0];
  Value isShort = e.less(e.sub(end, tap), e.index(wide));
  return e.branch(isShort, {seen.getType()}, oneByOne, [&] {
    Value last = e.sub(end, e.index(wide));
    return over(wide, [&](Value at, Value seen) { return fill(e.min(at, last), wide, seen); });
  })[0];
}

/// Of each row a part is read that lies elsewhere in the next: nothing but the code knows where.
void WindowWeights::fetchRow(Value query, Value tap) {
  Value length = e.dim(mixer.bias, 0),
        ahead = e.min(e.add(query, kAhead), e.sub(length, e.index(1)));
  Value start = e.max(e.sub(tap, e.index(kAhead)), e.index(0)), last = e.index(mixer.taps - 1);
  int64_t line = kLineBits / cast<MemRefType>(mixer.bias.getType()).getElementTypeBitWidth();
  for (int64_t column = 0; column < outputs + line; column += line)
    e.builder.create<memref::PrefetchOp>(
        e.loc, mixer.bias, ValueRange{ahead, e.min(e.add(start, column), last)}, /*isWrite=*/false,
        /*localityHint=*/3, /*isDataCache=*/true);
}

/// Row by row: outputs, or, seen from keys, queries. Each row that has a large bias ends the
/// moderate ones.
Value WindowWeights::fillBand(Value first) {
  Value taps = e.index(mixer.taps), zero = e.index(0), none = e.number(group.element, 0);
  Value length = e.dim(mixer.q, 1);
  int64_t rows = mirrored ? outputs + mixer.taps : outputs;
  int64_t columns = mirrored ? outputs : mixer.taps + 2 * kPadding;
  Value moderate =
      e.loop(zero, e.index(rows), e.index(1), e.index(rows), [&](Value row, ValueRange carried) {
        Value query = e.add(first, row), tap = zero, end = taps, place = e.index(kPadding);
        if (mirrored) {
          // Item `row` is a query; the taps that meet the keys of the block.
          query = e.sub(query, e.index(mixer.after + 1));
          Value shift = e.sub(taps, row);
          tap = e.max(shift, zero);
          end = e.min(e.add(shift, outputs), taps);
          place = e.sub(tap, shift);
        }
        Value exists = e.below(query, length);
        return e.branch(
            exists, {carried[0].getType()},
            [&] {
              if (mirrored)
                fetchRow(query, tap);
              Value isLarge = isAnyLarge(fillRow(query, tap, end, row, place, group.number(0)));
              return Emitter::Values{e.select(isLarge, e.min(carried[0], row), carried[0])};
            },
            [&] {
              // The block before may have left weights here.
              e.loop(zero, e.index(columns), e.index(1),
                     [&](Value column) { e.store(none, table, {row, column}); });
              return Emitter::Values{carried[0]};
            });
      })[0];
  return mirrored ? e.select(e.same(moderate, e.index(rows)), e.index(outputs), zero) : moderate;
}

Value WindowWeights::isAnyLarge(Value seen) {
  return anyLane(e, e.compare(arith::CmpFPredicate::UNE, seen, group.number(0)));
}

Value WindowWeights::fill(Value first) {
  if (!mixer.perHeadBias)
    return fillBand(first);
  return e.select(isAnyLarge(fillHead()), e.index(0), e.index(outputs));
}

Value WindowWeights::at(LaneEmitter &group, Value row, Value item) {
  if (mixer.perHeadBias) {
    Value place = e.add(e.sub(item, row), kPadding - 1);
    return e.load(table, {place, e.index(0)}, group.lanes);
  }
  Value weight = mirrored ? e.load(table, {item, row}, 0)
                          : e.load(table, {row, e.add(e.sub(item, row), kPadding - 1)}, 0);
  return e.broadcast(weight, group.type);
}

Value WindowWeights::run(Value item, Value row, int64_t count) {
  return e.load(table, {item, row}, count);
}

Emitter::Values
WindowWeights::addWindows(LaneEmitter &group, Value row, int64_t rows, Emitter::Values sums,
                          llvm::function_ref<std::pair<Value, Value>(Value item)> load) {
  return e.loop(e.add(row, 1), e.add(row, mixer.taps + rows), e.index(1), sums,
                [&](Value item, ValueRange carried) {
                  auto [one, two] = load(item);
                  Emitter::Values next;
                  for (int64_t i = 0; i < rows; ++i) {
                    Value w = at(group, e.add(row, i), item);
                    next.push_back(e.fma(w, one, carried[2 * i]));
                    next.push_back(e.fma(w, two, carried[2 * i + 1]));
                  }
                  return next;
                });
}
