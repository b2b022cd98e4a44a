//===- TileSums.cpp - Sums over the windows of a tile ---------------------===//

#include "compiler/vector/full/FullMixer.h"
#include "compiler/vector/gpu/TileBlock.h"
#include "compiler/vector/window/WindowWeights.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace aft;

/// Exponents of items below which their sum is not kept relative to the base.
static constexpr double kFarBelow = 50;

//===----------------------------------------------------------------------===//
// Shared memory
//===----------------------------------------------------------------------===//

/// Items start - before and following of the tile that begins at `first`.
void TileBlock::fillItems(Value first, Value start) {
  int64_t held = chunk + (groups - 1) * rows, step = kThreads / lanes;
  forEachPlace([&](LaneEmitter &group, Value, const Place &place) {
    Value chosen = e.load(base, inTurn(place.lane), group.lanes), zero = group.number(0);
    Value offset = e.sub(e.add(first, start), e.index(tiles.before));
    e.loop(place.row, e.index(held), e.index(kAtOnce * step), [&](Value row) {
      SmallVector<std::pair<Value, Value>> pairs;
      for (int64_t next = 0; next < kAtOnce; ++next) {
        Value i = e.add(offset, e.add(row, next * step));
        WindowCode::Item item = loadItem(group, i);
        Value weight = e.exp(e.fsub(item.exponent, group.finite(chosen)));
        Value hidden = e.equal(item.exponent, group.infinity(true));
        if (!tiles.above) {
          // Positions before it must not notice.
          Value bad = tooLarge(group, item, chosen), ahead = e.less(e.sub(first, e.index(1)), i);
          bad = e.both(bad, e.broadcast(ahead, bad.getType()));
          hidden = e.either(hidden, bad);
        }
        pairs.push_back({e.select(hidden, zero, e.fmul(weight, item.first)),
                         e.select(hidden, zero, e.fmul(weight, item.second))});
      }
      for (auto [next, pair] : llvm::enumerate(pairs)) {
        Value target = e.add(row, static_cast<int64_t>(next) * step);
        e.when(e.less(target, e.index(held)), [&, pair = pair] {
          e.store(pair.first, firsts, {target, place.lane});
          e.store(pair.second, seconds, {target, place.lane});
        });
      }
    });
  });
}

/// The weight of place j of a window: 1 before it and, if those count, after it; NaN, which
/// makes a position exact, where the bias is not moderate.
Value TileBlock::weightOf(Value j, llvm::function_ref<Value(Value)> load) {
  Type type = tiles.accumulation;
  Value inside = e.below(j, e.index(taps));
  Value bias = load(e.select(inside, j, e.index(0)));
  Value size = e.builder.create<math::AbsFOp>(e.loc, bias);
  Value moderate = e.compare(arith::CmpFPredicate::OLE, size, e.number(type, kModerate));
  Value weight = e.select(moderate, e.exp(bias), e.number(type, NAN));
  Value counts = e.less(j, e.index(0));
  if (tiles.above)
    counts = e.either(counts, e.less(e.index(taps - 1), j));
  return e.select(inside, weight, e.select(counts, e.number(type, 1), e.number(type, 0)));
}

/// Of each position; neighbouring threads take neighbours in memory.
void TileBlock::fillBiases(Value first, Value start) {
  forEachThread(e, kThreads, [&](Value thread) {
    e.loop(thread, e.index(groups * rows * chunk), e.index(kThreads), [&](Value number) {
      SmallVector<Value> place =
          delinearize(e, number, {e.index(groups), e.index(rows), e.index(chunk)});
      Value position = e.add(first, e.add(e.mul(place[0], rows), place[1]));
      Value j = e.sub(e.add(start, place[2]), place[1]);
      Value item = e.add(e.sub(position, e.index(tiles.before)), j);
      Value weight = weightOf(
          j, [&](Value safe) { return tiles.bias(positionOf(position), positionOf(item), safe); });
      // Of an item that does not exist the bias means nothing.
      Value isItem = e.both(exists(item), exists(position));
      e.store(e.select(isItem, weight, e.number(tiles.accumulation, 0)), weights,
              {place[0], place[2], place[1]});
    });
  });
}

/// Of each channel, for place u - row at u - row + rows - 1.
void TileBlock::fillHeadBiases(Value start) {
  forEachThread(e, kThreads, [&](Value thread) {
    e.loop(thread, e.index((chunk + rows - 1) * width), e.index(kThreads), [&](Value number) {
      SmallVector<Value> place =
          delinearize(e, number, {e.index(chunk + rows - 1), e.index(width)});
      LaneEmitter group = groupAt(place[1], 0);
      Value j = e.sub(e.add(start, place[0]), e.index(rows - 1));
      Value head = e.div(group.channel, tiles.perHead);
      Value weight = weightOf(j, [&](Value safe) { return tiles.headBias(head, safe); });
      e.store(weight, weights, place);
    });
  });
}

//===----------------------------------------------------------------------===//
// Sums
//===----------------------------------------------------------------------===//

/// The sum of as many items as a group has positions.
SmallVector<Value> TileBlock::sumItems(Value lane, Value from) {
  SmallVector<Value> result;
  for (Value memory : {firsts, seconds}) {
    Value sum = e.load(memory, {from, lane}, vectorLanes());
    for (int64_t row = 1; row < rows; ++row)
      sum = e.fadd(sum, e.load(memory, {e.add(from, row), lane}, vectorLanes()));
    result.push_back(sum);
  }
  return result;
}

/// A chunk of the windows of each group.
void TileBlock::multiply(Value start) {
  forEachPlace([&](LaneEmitter &group, Value thread, const Place &place) {
    Value from = e.mul(place.row, rows);
    auto sumOf = [&](int64_t row, int64_t part) -> SmallVector<Value> {
      return {thread, e.index(row), e.index(part), e.index(0)};
    };
    SmallVector<Value> carried;
    for (int64_t i = 0; i < 2 * rows; ++i)
      carried.push_back(e.load(sums, sumOf(i / 2, i % 2), group.lanes));
    // The weights of places u - row of a window move on from row to row.
    auto tableRow = [&](Value u) { return e.load(weights, {u, place.lane}, group.lanes); };
    if (tiles.perHeadBias)
      for (int64_t row = 1; row < rows; ++row)
        carried.push_back(tableRow(e.index(rows - 1 - row)));
    // Past the places of a group, items are among those after it.
    Value count = e.index(chunk);
    if (span % chunk != 0)
      count = e.min(count, e.sub(e.index(span), start));
    carried = e.loop(e.index(0), count, e.index(1), carried, [&](Value u, ValueRange values) {
      Value item = e.add(from, u), first = e.load(firsts, {item, place.lane}, group.lanes);
      Value second = e.load(seconds, {item, place.lane}, group.lanes);
      SmallVector<Value> own, next;
      if (tiles.perHeadBias) {
        own.push_back(tableRow(e.add(u, rows - 1)));
        llvm::append_range(own, values.drop_front(2 * rows));
      } else {
        Value all = e.load(weights, {place.row, u, e.index(0)}, rows > 1 ? rows : 0);
        for (int64_t row = 0; row < rows; ++row)
          own.push_back(e.broadcast(
              rows > 1 ? Value(e.builder.create<vector::ExtractOp>(e.loc, all, row)) : all,
              group.type));
      }
      for (int64_t row = 0; row < rows; ++row) {
        next.push_back(e.fma(own[row], first, values[2 * row]));
        next.push_back(e.fma(own[row], second, values[2 * row + 1]));
      }
      if (tiles.perHeadBias)
        next.append(own.begin(), own.end() - 1);
      return next;
    });
    for (int64_t i = 0; i < 2 * rows; ++i)
      e.store(carried[i], sums, sumOf(i / 2, i % 2));
    auto keepParts = [&](int64_t side, Value first) {
      for (auto [part, sum] : llvm::enumerate(sumItems(place.lane, first)))
        keep(sum, parts, {2 * side + static_cast<int64_t>(part)}, {place.row, place.lane});
    };
    e.when(e.same(start, e.index(0)), [&] { keepParts(0, from); });
    int64_t lastStart = (span - 1) / chunk * chunk;
    if (tiles.above)
      e.when(e.both(e.same(start, e.index(lastStart)), e.less(place.row, e.index(groups - 1))),
             [&] { keepParts(1, e.add(from, span - lastStart)); });
  });
}

/// Makes of the sums of groups those before, and after, a group's windows.
void TileBlock::sumParts(Value first) {
  forEachColumn([&](LaneEmitter &group, Value column) {
    Value raw = e.load(base, inTurn(column), 0), chosen = group.finite(raw);
    auto scaled = [&](const MixState &state, int64_t part) {
      return e.fmul(part == 0 ? state.n : state.z, e.exp(e.fsub(state.m, chosen)));
    };
    SmallVector<Value> end;
    for (int64_t part = 0; part < 2; ++part) {
      Value sum = scaled(kept(carry, inTurn(column), 0), part);
      for (int64_t row = 0; row < groups; ++row) {
        Value one = at(parts, {part, row}, column, 0);
        keep(sum, parts, {part, row}, column);
        sum = e.fadd(sum, one);
      }
      end.push_back(sum);
      if (!tiles.above)
        continue;
      sum = scaled(kept(later, column, 0), part);
      for (int64_t row = groups - 1; row >= 0; --row) {
        if (row < groups - 1)
          sum = e.fadd(sum, at(parts, {2 + part, row}, column, 0));
        keep(sum, parts, {2 + part, row}, column);
      }
    }
    // Sums far below the base have no digits, and a window may hide what is at the base.
    Value good = e.compare(arith::CmpFPredicate::OGE, e.load(leftTop, inTurn(column), 0),
                           e.fsub(chosen, group.number(kFarBelow)));
    good = e.both(good, e.isFinite(e.fadd(end[0], end[1])));
    if (!tiles.above)
      good = e.both(good, e.equal(e.load(firstBad, column, 0), group.number(groups * rows)));
    Value start = e.sub(first, e.index(tiles.before));
    MixState next = MixState::from(e.branch(
        good, {group.type, group.type, group.type},
        [&] { return MixState{raw, end[0], end[1]}.values(); },
        [&] {
          return addRange(group, e.max(start, e.index(0)),
                          e.max(e.add(start, groups * rows), e.index(0)), e.index(1),
                          kept(carry, inTurn(column), 0))
              .values();
        }));
    keep(next, carry, inTurn(column));
  });
}

//===----------------------------------------------------------------------===//
// Positions
//===----------------------------------------------------------------------===//

void TileBlock::finish(Value first) {
  forEachPlace([&](LaneEmitter &group, Value thread, const Place &place) {
    Value raw = e.load(base, inTurn(place.lane), group.lanes), limit, redo = e.index(0);
    if (!tiles.above)
      limit = e.reduce(e.load(firstBad, place.lane, group.lanes), [&](Value a, Value b) -> Value {
        return e.builder.create<arith::MinimumFOp>(e.loc, a, b);
      });
    Value isOwn = this->isOwn(place.lane);
    for (int64_t row = 0; row < rows; ++row) {
      Value number = e.add(e.mul(place.row, rows), row), i = e.add(first, number);
      MixState state{raw, {}, {}};
      for (int64_t part = 0; part < 2; ++part) {
        Value sum = e.load(sums, {thread, e.index(row), e.index(part), e.index(0)}, group.lanes);
        for (int64_t side = 0; side < (tiles.above ? 2 : 1); ++side)
          sum = e.fadd(sum, at(parts, {2 * side + part}, {place.row, place.lane}, group.lanes));
        (part == 0 ? state.n : state.z) = sum;
      }
      // 0 unless a channel has a NaN or an infinity.
      Value both = e.fadd(state.n, state.z), check = e.fsub(both, both);
      check = e.reduce(check, [&](Value a, Value b) { return e.fadd(a, b); });
      Value good = e.equal(check, e.number(tiles.accumulation, 0));
      if (limit) {
        Value integer = e.builder.create<arith::IndexCastOp>(e.loc, e.builder.getI32Type(), number);
        Value here = e.builder.create<arith::SIToFPOp>(e.loc, group.element, integer);
        good = e.both(good, e.compare(arith::CmpFPredicate::OLT, here, limit));
      }
      Value wanted = e.both(isOwn, e.less(i, tiles.length)), t = positionOf(i);
      e.when(wanted, [&] {
        if (tiles.visit)
          tiles.visit(group, t);
        e.when(good, [&] {
          tiles.code.finish(group, t, state);
          keepShared(number, place.lane);
        });
      });
      Value bad = e.select(good, e.index(0), e.index(int64_t(1) << row));
      redo = e.add(redo, e.select(wanted, bad, e.index(0)));
    }
    finishExactly(group, first, place, redo);
  });
}

/// The positions of a group whose bits are set.
void TileBlock::finishExactly(LaneEmitter &group, Value first, const Place &place, Value redo) {
  Value one = e.index(1), column = place.lane;
  e.when(e.less(e.index(0), redo), [&] {
    e.loop(e.index(0), e.index(rows), one, [&](Value own) {
      Value bit = e.both(e.builder.create<arith::ShRUIOp>(e.loc, redo, own), one);
      e.when(e.less(e.index(0), bit), [&] {
        Value number = e.add(e.mul(place.row, rows), own);
        Value i = e.add(first, number), zero = e.index(0);
        Value start = e.sub(first, e.index(tiles.before));
        Value end = e.max(e.sub(i, e.index(tiles.before)), zero);
        SmallVector<MixState> outside = {
            addRange(group, e.max(start, zero), end, one, kept(before, column, group.lanes))};
        if (tiles.above)
          outside.push_back(addRange(group, e.add(i, tiles.after + 1),
                                     e.min(e.add(first, groups * rows + tiles.after), tiles.length),
                                     one, kept(later, column, group.lanes)));
        tiles.exact(group, positionOf(i), outside);
        keepShared(number, place.lane);
      });
    });
  });
}

/// What the channels of a lane have just made for their head, where items were.
void TileBlock::keepShared(Value number, Value lane) {
  if (tiles.shared)
    e.store(tiles.shared(), firsts, {number, lane});
}

/// Sums over the channels of heads.
void TileBlock::finishHeads(Value first) {
  int64_t heads = turns > 1 ? 1 : owned / tiles.perHead;
  auto sumOf = [&](Value position, Value from, Value to, Value sum) {
    return e.loop(from, to, e.index(1), sum, [&](Value lane, ValueRange carried) {
      return Emitter::Values{e.fadd(carried[0], e.load(firsts, {position, lane}, 0))};
    })[0];
  };
  auto finishOne = [&](Value number) {
    Value position = e.div(number, heads), head = e.rest(number, heads), i = e.add(first, position);
    Value lane = e.mul(head, tiles.perHead), channel = e.add(blockStart, lane);
    Value exists = e.both(e.less(i, tiles.length), e.less(channel, e.index(tiles.channels)));
    e.when(exists, [&] {
      LaneEmitter group(e, tiles.accumulation, 0, batch, channel);
      group.perHead = tiles.perHead;
      Value sum = group.number(0), end = e.add(lane, tiles.perHead);
      if (turns == 1)
        return tiles.finishHead(group, positionOf(i), sumOf(position, lane, end, sum));
      Value isFirst = e.same(turn, e.index(0)), isLast = e.same(turn, e.index(turns - 1));
      sum = e.select(isFirst, sum, e.load(headSums, position, 0));
      end = e.min(e.index(owned), e.sub(e.index(tiles.perHead), e.mul(turn, owned)));
      sum = sumOf(position, e.index(0), end, sum);
      e.store(sum, headSums, position);
      e.when(isLast, [&] { tiles.finishHead(group, positionOf(i), sum); });
    });
  };
  forEachThread(e, kThreads, [&](Value thread) {
    e.loop(thread, e.index(groups * rows * heads), e.index(kThreads), finishOne);
  });
}
