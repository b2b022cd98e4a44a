//===- GridFilterSums.cpp - Sums over a grid for the taps of a filter -----===//
// A thread has a lane and some columns of some rows of queries, with which it goes through all rows
// of keys that the block's taps reach from there. Its sums, one for each tap, stay in registers.

#include "compiler/vector/gpu/GridFilterBlock.h"

using namespace mlir;
using namespace aft;

/// A row of queries, in registers, with a row of keys.
Emitter::Values FilterBlock::addRow(ArrayRef<Value> row, Value keyRow, Value column, Value lane,
                                    ValueRange sums) {
  int64_t shift = sizes.isWhole() ? axes[2].before : 0, own = sizes.own;
  int64_t reached = sizes.isWhole() ? own : own + sizes.taps - 1;
  Value first = sizes.isWhole() || sizes.isCut ? column : e.add(column, firstTap);
  Emitter::Values next(sums);
  for (int64_t i = 0; i < reached; ++i) {
    // Of the column's queries, that of tap j is j to the left.
    int64_t lower = std::max<int64_t>(i + shift - own + 1, 0);
    int64_t upper = std::min(i + shift + 1, sizes.taps);
    if (lower >= upper)
      continue;
    Value key = e.load(keys, {keyRow, e.add(first, i), lane}, 0);
    for (int64_t tap = lower; tap < upper; ++tap)
      next[tap] = e.fma(row[i + shift - tap], key, next[tap]);
  }
  return next;
}

/// Some columns of a row, with all rows of keys that the block's taps reach from there.
Emitter::Values FilterBlock::addPiece(Value lane, Value piece, ValueRange sums) {
  const GridAxis &planes = axes[0], &axis = axes[1];
  Value inTile = e.div(piece, sizes.segments);
  Value column = e.mul(e.rest(piece, sizes.segments), sizes.own);
  SmallVector<Value> row;
  for (int64_t i = 0; i < sizes.own; ++i)
    row.push_back(e.load(queries, {inTile, e.add(column, i), lane}, 0));
  Value number = e.add(firstRow, inTile), y = number, isOnGrid;
  if (planes.extent > 1 || planes.taps() > 1) {
    y = e.rest(number, axis.extent);
    Value plane = e.sub(e.add(e.div(number, axis.extent), tapPlane), e.index(planes.before));
    isOnGrid = e.below(plane, e.index(planes.extent));
  }
  Value first = e.sub(e.add(y, firstTapRow), e.index(axis.before));
  Emitter::Values next;
  for (int64_t i = 0; i < sizes.tapRows; ++i) {
    ValueRange own = sums.slice(i * sizes.taps, sizes.taps);
    if (axis.extent * axis.taps() == 1 && !isOnGrid) {
      llvm::append_range(next, addRow(row, e.add(inTile, i), column, lane, own));
      continue;
    }
    Value inside = e.below(e.add(first, i), e.index(axis.extent));
    if (sizes.tapRows * sizes.rowBlocks != axis.taps())
      inside = e.both(inside, e.less(e.add(firstTapRow, i), e.index(axis.taps())));
    if (isOnGrid)
      inside = e.both(inside, isOnGrid);
    llvm::append_range(next, e.branch(
                                 inside, own.getTypes(),
                                 [&] { return addRow(row, e.add(inTile, i), column, lane, own); },
                                 [&] { return Emitter::Values(own); }));
  }
  return next;
}

/// A thread's pieces of a tile, with its sums.
void FilterBlock::forPieces(Value thread,
                            llvm::function_ref<Emitter::Values(Value, Value, ValueRange)> body) {
  Value lane = e.rest(thread, sizes.lanes()), part = e.div(thread, sizes.lanes());
  whenPart(part, sizes.lanes(), [&] {
    Emitter::Values before;
    for (int64_t i = 0; i < sumCount(); ++i)
      before.push_back(e.load(sums, {thread, e.index(i)}, 0));
    auto after =
        e.loop(part, e.mul(rows, sizes.segments), e.index(sizes.parts()), before,
               [&](Value piece, ValueRange carried) { return body(lane, piece, carried); });
    for (auto [i, sum] : llvm::enumerate(after))
      e.store(sum, sums, {thread, e.index(i)});
  });
}

void FilterBlock::multiply(Value thread) {
  forPieces(thread, [&](Value lane, Value piece, ValueRange carried) {
    return addPiece(lane, piece, carried);
  });
}

/// Pairs of a sequence one by one, all but exp(w), which is moderate.
void FilterBlock::multiplyExactly(Value thread) {
  forPieces(thread, [&](Value lane, Value piece, ValueRange carried) {
    Value channel = e.add(firstChannel, lane);
    Value isOwn =
        e.both(e.less(lane, e.index(sizes.width)), e.less(e.sub(ownChannel, e.index(1)), channel));
    LaneEmitter group = groupAt(e.select(isOwn, channel, firstChannel));
    Value first = e.add(firstColumn, e.mul(piece, sizes.own));
    Value end = e.select(isOwn, e.min(e.add(first, sizes.own), width), first);
    return e.loop(first, end, e.index(1), carried, [&](Value t, ValueRange sums) {
      QueryRow row = loadQueryRow(mixer, group, t);
      Value ratio = group.load(mixer.ratio, t), hidden = group.infinity(true);
      Value start = e.sub(e.add(t, firstTap), e.index(axes[2].before));
      Emitter::Values next;
      for (int64_t i = 0; i < sizes.taps; ++i) {
        Value key = e.add(start, i), exists = e.below(key, count);
        key = e.select(exists, key, e.index(0));
        Value x = e.select(exists, group.loadPerHead(mixer.k, key), hidden);
        Value pg = e.fmul(e.exp(e.fadd(x, row.exponent)), row.g);
        Value term = e.fmul(pg, e.fsub(group.load(mixer.v, key), ratio));
        Value none = e.either(e.equal(x, hidden), e.equal(row.exponent, hidden));
        next.push_back(e.fadd(sums[i], e.select(none, this->none(), term)));
      }
      return next;
    });
  });
}

/// Sums of lanes over their threads, then of heads over their lanes: some taps at a time.
void FilterBlock::finish() {
  auto loop = [&](int64_t count, Value start, llvm::function_ref<Value(Value)> at) {
    return e.loop(e.index(0), e.index(count), e.index(1), start, [&](Value i, ValueRange carried) {
      return Emitter::Values{e.fadd(carried[0], at(i))};
    })[0];
  };
  int64_t lanes = sizes.lanes(), heads = sizes.heads;
  for (int64_t first = 0; first < sumCount(); first += FilterSizes::kSummed) {
    int64_t count = std::min(FilterSizes::kSummed, sumCount() - first);
    forEachThread(e, sizes.threads, [&](Value thread) {
      for (int64_t i = 0; i < count; ++i)
        e.store(e.load(sums, {thread, e.index(first + i)}, 0), threadSums, {e.index(i), thread});
    });
    forEachThread(e, count * lanes, [&](Value number) {
      Value i = e.div(number, lanes), lane = e.rest(number, lanes);
      Value sum = loop(sizes.parts(), none(), [&](Value part) {
        return e.load(threadSums, {i, e.add(e.mul(part, lanes), lane)}, 0);
      });
      e.store(sum, laneSums, {i, lane});
    });
    forEachThread(e, count * heads, [&](Value number) {
      Value i = e.div(number, heads), inBlock = e.rest(number, heads);
      Value start = e.load(laneSums, {i, e.add(inBlock, sizes.width)}, 0);
      Value sum = loop(sizes.perHead(), start, [&](Value channel) {
        return e.load(laneSums, {i, e.add(e.mul(inBlock, sizes.perHead()), channel)}, 0);
      });
      Value head = e.add(firstHead, inBlock), of = e.add(i, first);
      Value row = e.add(firstTapRow, e.div(of, sizes.taps));
      Value column = e.add(firstTap, e.rest(of, sizes.taps));
      Value exists = e.both(
          e.less(e.sub(ownHead, e.index(1)), head),
          e.both(e.less(row, e.index(axes[1].taps())), e.less(column, e.index(axes[2].taps()))));
      e.when(exists, [&] {
        Value tap = tapOf(row, column);
        e.store(e.fmul(sum, e.exp(biasOf(head, tap))), mixer.inits[3], {head, tap});
      });
    });
  }
}
