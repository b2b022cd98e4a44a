//===- GridScan.cpp - Sums over everything outside a window of a grid -----===//

#include "compiler/vector/grid/GridScan.h"

using namespace mlir;
using namespace aft;

/// Plain sums of columns that are formed together.
static constexpr int64_t kSumsAtOnce = 14;

//===----------------------------------------------------------------------===//
// One axis
//===----------------------------------------------------------------------===//

GridScan::Line GridScan::makeLine(const Axis &axis) {
  return {&axis, group.stateMemory(axis.extent), group.stateMemory(axis.extent + 1)};
}

void GridScan::fill(const Line &line, Place sumOf) {
  Emitter &e = group.e;
  e.loop(e.index(0), e.index(line.axis->extent), e.index(1),
         [&](Value place) { group.keep(sumOf(place), line.own, place); });
  fillFrom(line);
}

/// From the sums of each place.
void GridScan::fillFrom(const Line &line) {
  Emitter &e = group.e;
  Value extent = e.index(line.axis->extent);
  group.keep(group.emptyState(), line.from, extent);
  group.loop(e.index(0), extent, group.emptyState(), [&](Value i, MixState later) {
    Value place = e.sub(e.sub(extent, e.index(1)), i);
    MixState from = group.merge(later, group.kept(line.own, place));
    group.keep(from, line.from, place);
    return from;
  });
}

/// Calls `body` with the sums before and after the window of each place.
void GridScan::walk(const Line &line, llvm::function_ref<void(Value, ArrayRef<MixState>)> body) {
  Emitter &e = group.e;
  const Axis &axis = *line.axis;
  group.loop(
      e.index(0), e.index(axis.extent), group.emptyState(), [&](Value place, MixState before) {
        Value leaving = e.sub(place, e.index(axis.before + 1));
        before = group.when(e.less(e.index(-1), leaving), before,
                            [&] { return group.merge(before, group.kept(line.own, leaving)); });
        Value next = e.min(e.add(place, axis.after + 1), e.index(axis.extent));
        body(place, {before, group.kept(line.from, next)});
        return before;
      });
}

std::pair<Value, Value> GridScan::reach(const Axis &axis, Value place) {
  Emitter &e = group.e;
  return {e.max(e.sub(place, e.index(axis.before)), e.index(0)),
          e.min(e.add(place, axis.after + 1), e.index(axis.extent))};
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

MixState GridScan::addRow(Value row, const MixState &state) {
  Emitter &e = group.e;
  Value end = e.index(axes[2].extent);
  if (itemsMayEnd)
    end = e.min(end, e.sub(items, e.mul(row, axes[2].extent)));
  return group.loop(e.index(0), end, state,
                    [&](Value column, MixState state) { return add(state, row, column); });
}

MixState GridScan::addIfThere(Value row, Value column, const MixState &state) {
  if (!itemsMayEnd)
    return add(state, row, column);
  Value item = group.e.add(group.e.mul(row, axes[2].extent), column);
  return group.when(group.e.less(item, items), state, [&] { return add(state, row, column); });
}

//===----------------------------------------------------------------------===//
// Planes, rows, columns
//===----------------------------------------------------------------------===//

/// `outside` and what lies before and after on one more axis, as one state each.
static SmallVector<MixState> joined(ArrayRef<MixState> outside, ArrayRef<MixState> more) {
  SmallVector<MixState> all(outside);
  llvm::append_range(all, more);
  return all;
}

/// The sums of columns over the rows in reach.
void GridScan::fillColumns(Value plane, Value row) {
  Emitter &e = group.e;
  int64_t height = axes[1].extent, width = axes[2].extent;
  auto [firstPlane, lastPlane] = reach(axes[0], plane);
  auto [firstRow, lastRow] = reach(axes[1], row);
  // Calls `add` for every row in reach.
  auto over = [&, firstPlane = firstPlane, lastPlane = lastPlane, firstRow = firstRow,
               lastRow = lastRow](ValueRange carried,
                                  llvm::function_ref<Emitter::Values(Value, ValueRange)> add) {
    return e.loop(firstPlane, lastPlane, e.index(1), carried, [&](Value z, ValueRange carried) {
      return e.loop(firstRow, lastRow, e.index(1), carried, [&](Value y, ValueRange carried) {
        return add(e.add(e.mul(z, height), y), carried);
      });
    });
  };
  if (!group.oneScale)
    return fill(lines[2], [&](Value column) {
      return MixState::from(
          over(group.emptyState().values(), [&](Value y, ValueRange carried) -> Emitter::Values {
            return addIfThere(y, column, MixState::from(carried)).values();
          }));
    });
  // Some at once: an addition would wait for the one before.
  int64_t most = kSumsAtOnce / (group.oneSum ? 1 : 2), whole = width / most * most;
  auto block = [&](Value first, int64_t count) {
    Emitter::Values empty;
    for (int64_t i = 0; i < count; ++i)
      llvm::append_range(empty, group.emptyState().values());
    auto sums = over(empty, [&](Value y, ValueRange carried) {
      Emitter::Values next;
      for (int64_t i = 0; i < count; ++i) {
        MixState state = MixState::from(carried.slice(3 * i, 3));
        llvm::append_range(next, addIfThere(y, e.add(first, i), state).values());
      }
      return next;
    });
    for (int64_t i = 0; i < count; ++i)
      group.keep(MixState::from(ValueRange(sums).slice(3 * i, 3)), lines[2].own, e.add(first, i));
  };
  e.loop(e.index(0), e.index(whole), e.index(most), [&](Value first) { block(first, most); });
  if (whole < width)
    block(e.index(whole), width - whole);
  fillFrom(lines[2]);
}

void GridScan::columns(Value plane, Value row, ArrayRef<MixState> outside) {
  Emitter &e = group.e;
  int64_t height = axes[1].extent, width = axes[2].extent;
  fillColumns(plane, row);
  if (beforeRow)
    beforeRow(plane, row);
  Value start = e.mul(e.add(e.mul(plane, height), row), width);
  walk(lines[2], [&](Value column, ArrayRef<MixState> sums) {
    finish(e.add(start, column), joined(outside, sums));
  });
}

void GridScan::rows(Value plane, ArrayRef<MixState> outside) {
  Emitter &e = group.e;
  int64_t height = axes[1].extent;
  auto [firstPlane, lastPlane] = reach(axes[0], plane);
  fill(lines[1], [&, firstPlane = firstPlane, lastPlane = lastPlane](Value row) {
    return group.loop(firstPlane, lastPlane, group.emptyState(), [&](Value z, MixState state) {
      return addRow(e.add(e.mul(z, height), row), state);
    });
  });
  walk(lines[1], [&](Value row, ArrayRef<MixState> sums) {
    SmallVector<MixState> all = joined(outside, sums);
    MixState merged = all.front();
    for (const MixState &sum : ArrayRef(all).drop_front())
      merged = group.merge(merged, sum);
    columns(plane, row, merged);
  });
}

void GridScan::planes() {
  Emitter &e = group.e;
  fill(lines[0], [&](Value plane) {
    Value first = e.mul(plane, axes[1].extent);
    return group.loop(first, e.add(first, axes[1].extent), group.emptyState(),
                      [&](Value row, MixState state) { return addRow(row, state); });
  });
  walk(lines[0], [&](Value plane, ArrayRef<MixState> sums) { rows(plane, sums); });
}

void GridScan::run() {
  for (int64_t i = 0; i < 3; ++i)
    if (i > 0 || axes[0].extent > 1)
      lines[i] = makeLine(axes[i]);
  if (axes[0].extent > 1)
    return planes();
  rows(group.e.index(0), {});
}
