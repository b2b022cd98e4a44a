//===- GridSums.cpp - Sums over the windows of a tile of a grid -----------===//
// A thread has a lane and some neighbouring columns of a row. It goes through the rows that its
// windows reach, where each item is loaded once for all columns, and on the way sums by column
// what is left and right of windows.

#include "compiler/vector/gpu/GridBlock.h"

using namespace mlir;
using namespace aft;

/// Of the thread's columns, and of the columns that items come from.
struct GridBlock::WindowSums {
  SmallVector<Value> own, columns;
  Value edges;
  SmallVector<Value> values() const {
    SmallVector<Value> all(own);
    for (Value column : columns)
      if (column)
        all.push_back(column);
    all.push_back(edges);
    return all;
  }
  /// The same sums with other values.
  WindowSums with(ValueRange all) const {
    WindowSums next = *this;
    auto value = all.begin();
    for (Value &sum : next.own)
      sum = *value++;
    for (Value &sum : next.columns)
      if (sum)
        sum = *value++;
    next.edges = *value;
    return next;
  }
};

Value GridBlock::rowOf(const Place &place, Value firstRow) {
  return e.add(firstRow, e.div(place.part, sizes.tileSegments));
}

Value GridBlock::columnOf(const Place &place) {
  if (sizes.segments == 1)
    return e.index(0);
  return e.mul(e.rest(place.part, sizes.tileSegments), sizes.own);
}

Value GridBlock::addHeld(const Place &place, Value heldRow, Value first, Value last, Value sum) {
  return e.loop(first, last, e.index(1), sum, [&](Value x, ValueRange carried) {
    return Emitter::Values{e.fadd(carried[0], e.load(items, {heldRow, x, place.lane}, 0))};
  })[0];
}

Value GridBlock::addSegments(const Place &place, Value row, Value first, Value last, Value sum) {
  return e.loop(first, last, e.index(1), sum, [&](Value segment, ValueRange carried) {
    return Emitter::Values{e.fadd(carried[0], e.load(rowSums, {row, segment, place.lane}, 0))};
  })[0];
}

/// The same of a tile that is cut: whole segments of the row, and what is left of one.
void GridBlock::sumPartEdges(const Place &place, Value firstRow) {
  const GridAxis &line = tiles.columns;
  int64_t left = sizes.padding(line.before), right = sizes.padding(line.after);
  int64_t own = sizes.own, rows = sizes.held * sizes.tileSegments;
  e.loop(place.part, e.index(rows), e.index(sizes.parts()), [&](Value number) {
    SmallVector<Value> at =
        delinearize(e, number, {e.index(sizes.held), e.index(sizes.tileSegments)});
    // Rows that are not there are never looked at.
    Value row = e.max(e.min(e.add(firstRow, at[0]), e.index(tiles.rowCount() - 1)), e.index(0));
    Value column = e.mul(at[1], own), segment = e.div(e.add(firstColumn, column), own);
    Value before = addSegments(place, row, e.index(0), e.sub(segment, e.index(left / own)), none());
    before = addHeld(place, at[0], column, e.add(column, left - line.before), before);
    Value end = e.add(column, left + own + right);
    Value after = addHeld(place, at[0], e.sub(end, e.index(right - line.after)), end, none());
    after =
        addSegments(place, row, e.add(segment, 1 + right / own), e.index(sizes.segments), after);
    e.store(before, edges, {e.index(0), at[0], at[1], place.lane});
    e.store(after, edges, {e.index(1), at[0], at[1], place.lane});
  });
}

/// Left and right of all that the windows of a segment reach, in each row that is held.
void GridBlock::sumEdges(const Place &place) {
  if (sizes.segments == 1)
    return;
  const GridAxis &line = tiles.columns;
  Value shift = e.index(line.before), end = e.index(line.extent + line.before);
  int64_t rows = sizes.held * sizes.segments;
  e.loop(place.part, e.index(rows), e.index(sizes.parts()), [&](Value number) {
    SmallVector<Value> at = delinearize(e, number, {e.index(sizes.held), e.index(sizes.segments)});
    Value column = e.mul(at[1], sizes.own);
    // In shared memory a column stands `before` behind its place.
    std::pair<Value, Value> ranges[] = {{shift, column},
                                        {e.add(column, sizes.own + line.before + line.after), end}};
    for (auto [side, range] : llvm::enumerate(ranges)) {
      Value sum = addHeld(place, at[0], range.first, range.second, none());
      e.store(sum, edges, {e.index(side), at[0], at[1], place.lane});
    }
  });
}

/// A row of items with the biases from `firstTap` on.
void GridBlock::addRow(const Place &place, Value heldRow, Value firstTap, WindowSums &sums) {
  const GridAxis &line = tiles.columns;
  bool isWhole = sizes.segments == 1;
  SmallVector<Value> factors(line.taps());
  auto weight = [&](int64_t tap) {
    if (!factors[tap])
      factors[tap] = e.load(weights, {e.add(firstTap, tap), place.head}, 0);
    return factors[tap];
  };
  Value column = columnOf(place);
  if (sizes.isCut())
    column = e.add(column, sizes.padding(line.before) - line.before);
  for (int64_t i = 0; i < sizes.own + line.taps() - 1; ++i) {
    int64_t x = isWhole ? i - line.before : i;
    if (isWhole && (x < 0 || x >= line.extent))
      continue;
    Value item = e.load(items, {heldRow, e.add(column, x), place.lane}, 0);
    int64_t last = std::min(i + 1, sizes.own);
    for (int64_t own = std::max<int64_t>(i - line.taps() + 1, 0); own < last; ++own)
      sums.own[own] = e.fma(weight(i - own), item, sums.own[own]);
    if (sums.columns[i])
      sums.columns[i] = e.fadd(sums.columns[i], item);
  }
  if (isWhole)
    return;
  Value segment = e.rest(place.part, sizes.tileSegments);
  for (int64_t side = 0; side < 2; ++side)
    sums.edges =
        e.fadd(sums.edges, e.load(edges, {e.index(side), heldRow, segment, place.lane}, 0));
}

/// No sums yet. By column, what is left and right of some of the windows.
GridBlock::WindowSums GridBlock::noSums() {
  const GridAxis &line = tiles.columns;
  int64_t reached = sizes.own + line.taps() - 1;
  WindowSums sums{SmallVector<Value>(sizes.own, none()), SmallVector<Value>(reached), none()};
  for (int64_t i = 0; i < reached; ++i) {
    int64_t x = i - line.before;
    bool exists = sizes.segments > 1 || (x >= 0 && x < line.extent);
    if (exists && (i < sizes.own - 1 || i >= line.taps()))
      sums.columns[i] = none();
  }
  return sums;
}

std::pair<Value, Value> GridBlock::planeAndRow(Value row) {
  if (isPlane())
    return {e.index(0), row};
  return {e.div(row, tiles.rows.extent), e.rest(row, tiles.rows.extent)};
}

/// What windows reach from a place.
std::pair<Value, Value> GridBlock::reachOf(const GridAxis &axis, Value place) {
  return {e.max(e.sub(place, e.index(axis.before)), e.index(0)),
          e.min(e.add(place, axis.after + 1), e.index(axis.extent))};
}

/// Whether a thread has a row of the tile.
Value GridBlock::exists(const Place &place, Value firstRow) {
  Value row = rowOf(place, firstRow), inTile = e.less(e.sub(row, firstRow), e.index(sizes.tile));
  return e.both(inTile, e.less(row, endRow));
}

/// The weight of an item outside of windows.
Value GridBlock::outside(const Place &place) {
  return e.exp(e.fsub(none(), e.load(largest, {e.index(1), place.head}, 0)));
}

/// Where planes follow each other, sums begin with what they do not have.
void GridBlock::startSums(const Place &place, Value firstRow) {
  e.when(exists(place, firstRow), [&] {
    Value row = rowOf(place, firstRow);
    Value start = e.fmul(outside(place), e.load(otherRows, {row, place.lane}, 0));
    for (int64_t own = 0; own < sizes.own; ++own)
      e.store(start, sums, {place.thread, e.index(own)});
  });
}

/// The rows of a plane that windows of a row reach.
void GridBlock::addPlane(const Place &place, Value number, Value plane, WindowSums &sums) {
  auto [ownPlane, row] = planeAndRow(number);
  Value inPlanes = e.add(e.sub(plane, ownPlane), tiles.planes.before);
  Value firstTap = e.mul(inPlanes, tiles.rows.taps());
  Value start = holdAll() ? e.mul(plane, tiles.rows.extent) : e.sub(e.index(0), firstHeld);
  auto [first, last] = reachOf(tiles.rows, row);
  auto added =
      e.loop(first, last, e.index(1), sums.values(), [&, row = row](Value y, ValueRange carried) {
        WindowSums next = sums.with(carried);
        Value tap = e.add(firstTap, e.add(e.sub(y, row), tiles.rows.before));
        addRow(place, e.add(start, y), e.mul(tap, tiles.columns.taps()), next);
        return next.values();
      });
  sums = sums.with(added);
}

/// What is left and right of the windows of each column.
void GridBlock::addColumns(const WindowSums &sums, MutableArrayRef<Value> others) {
  auto addColumn = [&](Value &sum, int64_t i) {
    if (sums.columns[i])
      sum = sum ? e.fadd(sum, sums.columns[i]) : sums.columns[i];
  };
  Value left, right;
  for (int64_t own = 1; own < sizes.own; ++own) {
    addColumn(left, own - 1);
    if (left)
      others[own] = e.fadd(others[own], left);
  }
  for (int64_t own = sizes.own - 2; own >= 0; --own) {
    addColumn(right, own + tiles.columns.taps());
    if (right)
      others[own] = e.fadd(others[own], right);
  }
}

/// All items, for each of the thread's columns; or only those of a plane, which are added.
void GridBlock::multiply(const Place &place, Value firstRow, Value plane) {
  e.when(exists(place, firstRow), [&] {
    Value row = rowOf(place, firstRow);
    WindowSums sums = noSums();
    bool isPart = plane && !isPlane();
    if (plane || isPlane()) {
      addPlane(place, row, plane ? plane : e.index(0), sums);
    } else {
      auto [first, last] = reachOf(tiles.planes, planeAndRow(row).first);
      auto added = e.loop(first, last, e.index(1), sums.values(), [&](Value p, ValueRange carried) {
        WindowSums next = sums.with(carried);
        addPlane(place, row, p, next);
        return next.values();
      });
      sums = sums.with(added);
    }
    Value beside = sums.edges;
    if (!isPart)
      beside = e.fadd(e.load(otherRows, {row, place.lane}, 0), beside);
    SmallVector<Value> others(sizes.own, beside);
    addColumns(sums, others);
    Value outside = this->outside(place);
    for (int64_t own = 0; own < sizes.own; ++own) {
      Value sum = e.fma(outside, others[own], sums.own[own]);
      if (isPart)
        sum = e.fadd(e.load(this->sums, {place.thread, e.index(own)}, 0), sum);
      e.store(sum, this->sums, {place.thread, e.index(own)});
    }
    // The threads of channels need those of their heads.
    e.when(e.less(e.index(sizes.width - 1), place.lane), [&] {
      Value number = e.sub(place.lane, e.index(sizes.width));
      Value first = placeInTile(e.sub(row, firstRow), columnOf(place));
      for (int64_t own = 0; own < sizes.own; ++own)
        e.store(e.load(this->sums, {place.thread, e.index(own)}, 0), headSums,
                {e.add(first, own), number});
    });
  });
}

/// Sums of nothing, relative to the largest of a head.
MixState GridBlock::scaleOf(Value head) {
  Value base = e.load(largest, {e.index(0), head}, 0);
  return {e.fadd(base, e.load(largest, {e.index(1), head}, 0)), none(), none()};
}

void GridBlock::finish(const Place &place, Value firstRow) {
  Value row = rowOf(place, firstRow), exists = this->exists(place, firstRow);
  e.when(e.both(e.both(exists, place.exists), place.isChannel), [&] {
    LaneEmitter group = place.group;
    MixState state = scaleOf(place.head);
    Value column = columnOf(place), width = e.index(tiles.columns.extent);
    Value first = placeInTile(e.sub(row, firstRow), column);
    if (sizes.isCut())
      column = e.add(firstColumn, column);
    Value start = e.add(e.mul(row, tiles.columns.extent), column);
    for (int64_t own = 0; own < sizes.own; ++own) {
      Value x = e.add(column, own), t = e.add(start, own), inTile = e.add(first, own);
      state.n = e.load(sums, {place.thread, e.index(own)}, 0);
      if (!tiles.share)
        state.z = e.load(headSums, {inTile, place.head}, 0);
      auto store = [&] {
        if (!tiles.share)
          return tiles.code.finish(group, t, state);
        e.store(tiles.share(group, t, state), shares, {inTile, place.lane});
      };
      if (!sizes.isCut() && sizes.segments * sizes.own == tiles.columns.extent)
        store();
      else
        e.when(e.less(x, width), store);
    }
  });
}

/// What the channels of each head share, at each position of the tile.
void GridBlock::finishHeads(Value firstRow) {
  int64_t width = tiles.columns.extent, perHead = tiles.perHead;
  int64_t columns = sizes.isCut() ? sizes.tileColumns() : width;
  auto finishOne = [&](ArrayRef<Value> at) {
    Value row = e.add(firstRow, at[0]), t = e.add(e.mul(row, width), at[1]), head = at[2];
    if (sizes.isCut())
      t = e.add(t, firstColumn);
    Value inTile = placeInTile(at[0], at[1]), first = e.mul(head, perHead);
    Value end = e.add(first, perHead);
    if (turn)
      end = e.min(e.index(sizes.width), e.sub(endChannel, firstChannel));
    auto add = [&](Value lane, ValueRange carried) {
      return Emitter::Values{e.fadd(carried[0], e.load(shares, {inTile, lane}, 0))};
    };
    Value shared = e.loop(first, end, e.index(1), none(), add)[0];
    MixState state = scaleOf(head);
    state.z = e.load(headSums, {inTile, head}, 0);
    LaneEmitter group = groupAt(firstChannelOf(head));
    if (!turn)
      return tiles.finishHead(group, t, state, shared);
    Value isFirst = e.same(turn, e.index(0)), isLast = e.same(turn, e.index(sizes.turns - 1));
    Value *sums[] = {&state.z, &shared};
    for (auto [i, sum] : llvm::enumerate(sums)) {
      Value before = e.load(turnSums, {e.index(i), t}, 0);
      *sum = e.fadd(*sum, e.select(isFirst, none(), before));
      e.store(*sum, turnSums, {e.index(i), t});
    }
    e.when(isLast, [&] { tiles.finishHead(group, t, state, shared); });
  };
  forEachThread(e, kBlockThreads, [&](Value thread) {
    Value extents[] = {e.index(sizes.tile), e.index(columns), e.index(sizes.heads)};
    e.loop(thread, e.index(sizes.tile * columns * sizes.heads), e.index(kBlockThreads),
           [&](Value number) {
             SmallVector<Value> at = delinearize(e, number, extents);
             Value exists = e.both(e.less(e.add(firstRow, at[0]), endRow),
                                   e.less(firstChannelOf(at[2]), e.index(tiles.channels)));
             if (sizes.isCut())
               exists = e.both(exists, e.less(e.add(firstColumn, at[1]), e.index(width)));
             e.when(exists, [&] { finishOne(at); });
           });
  });
}
