//===- PlainGrid.cpp - Windows of a grid without an exponential per tap ---===//

#include "compiler/vector/grid/PlainGrid.h"

using namespace mlir;
using namespace aft;

/// exp(-60) is far from the smallest number, and what underflows beside it is
/// far below the rounding error.
static constexpr double kModerateRange = 60;
/// Scratch for the numbers of a grid; larger grids take exponentials.
static constexpr int64_t kMostBytes = 1 << 20;
/// Accumulators kept in registers: one or two for each output of a block.
static constexpr int64_t kMostAccumulators = 16, kMostBlock = 14;
/// Most multiplications of a row that are written out one by one.
static constexpr int64_t kMostWrittenOut = 512;

static int64_t roundUp(int64_t count, int64_t size) { return (count + size - 1) / size * size; }

/// A block size that divides `count` with little waste.
static int64_t blockFor(int64_t count, int64_t parts) {
  int64_t best = std::min({count, kMostBlock, kMostAccumulators / parts});
  auto waste = [&](int64_t size) { return roundUp(count, size) - count; };
  for (int64_t size = best; size >= std::min<int64_t>(count, 4); --size)
    if (waste(size) < waste(best))
      best = size;
  return best;
}

/// Pairs of an output and an item of a row, or of a query and a key.
static int64_t pairsOf(const GridAxis &line) {
  int64_t pairs = 0;
  for (int64_t tap = 0; tap < line.taps(); ++tap)
    pairs += std::max<int64_t>(line.extent - std::abs(tap - line.before), 0);
  return pairs;
}

/// Whether the pairs of a row are written out, so that none lies beside it.
static bool areWrittenOut(const WindowMixer &mixer, int64_t parts) {
  return parts * pairsOf(mixer.grid[2]) <= kMostWrittenOut;
}

/// Blocks of nearly one size. There are as many items as accumulators in registers: 32, or
/// 16 where vectors are shorter.
static int64_t evenBlock(int64_t count, Type type) {
  auto vector = dyn_cast<VectorType>(type);
  int64_t bits = vector ? vector.getNumElements() * vector.getElementTypeBitWidth() : 0;
  int64_t blocks = llvm::divideCeil(count, bits >= 512 ? 15 : 8);
  return llvm::divideCeil(count, blocks);
}

static int64_t paddingOf(const WindowMixer &mixer, int64_t parts) {
  if (areWrittenOut(mixer, parts))
    return 0;
  int64_t most = 0;
  for (int64_t count : {mixer.grid[2].extent, mixer.grid[2].taps()})
    most = std::max(most, blockFor(count, parts));
  return most - 1;
}

static int64_t placesOf(const WindowMixer &mixer, int64_t parts) {
  return mixer.grid[0].extent * mixer.grid[1].extent *
         (mixer.grid[2].extent + 2 * paddingOf(mixer, parts));
}

Value aft::isModerateRange(Emitter &e, Value range) {
  return e.compare(arith::CmpFPredicate::OLT, range, e.number(range.getType(), kModerateRange));
}

//===----------------------------------------------------------------------===//
// PlacePairs
//===----------------------------------------------------------------------===//

bool PlacePairs::fits(const WindowMixer &mixer, Type element, int64_t lanes) {
  return placesOf(mixer, 2) * 2 * lanes * element.getIntOrFloatBitWidth() / 8 <= kMostBytes;
}

PlacePairs::PlacePairs(const WindowMixer &mixer, LaneEmitter &group, int64_t parts)
    : group(group), parts(parts), rows(mixer.grid[0].extent * mixer.grid[1].extent),
      width(mixer.grid[2].extent), padding(paddingOf(mixer, parts)),
      memory(group.e.scratch({placesOf(mixer, parts), parts, std::max<int64_t>(group.lanes, 1)},
                             group.element)) {}

Value PlacePairs::indexOf(Value row, Value column) {
  Emitter &e = group.e;
  return e.add(e.add(e.mul(row, width + 2 * padding), padding), column);
}

Value PlacePairs::part(int64_t number, Value index, int64_t offset) {
  Emitter &e = group.e;
  return e.load(memory, {e.add(index, offset), e.index(number), e.index(0)}, group.lanes);
}

PlacePairs::Pair PlacePairs::load(Value index, int64_t offset) {
  return {part(0, index, offset), parts == 2 ? part(1, index, offset) : Value()};
}

void PlacePairs::fill(llvm::function_ref<Pair(Value)> pairOf) {
  Emitter &e = group.e;
  auto store = [&](Value index, Pair pair) {
    e.store(pair.first, memory, {index, e.index(0), e.index(0)});
    if (parts == 2)
      e.store(pair.second, memory, {index, e.index(1), e.index(0)});
  };
  Value zero = group.number(0);
  e.loop(e.index(0), e.index(rows), e.index(1), [&](Value row) {
    Value start = indexOf(row, e.index(0));
    e.loop(e.index(1), e.index(padding + 1), e.index(1), [&](Value i) {
      store(e.sub(start, i), {zero, zero});
      store(e.add(e.add(start, width - 1), i), {zero, zero});
    });
    e.loop(e.index(0), e.index(width), e.index(1), [&](Value column) {
      store(e.add(start, column), pairOf(e.add(e.mul(row, width), column)));
    });
  });
}

//===----------------------------------------------------------------------===//
// PlainGrid
//===----------------------------------------------------------------------===//

PlainGrid::PlainGrid(const WindowMixer &mixer, LaneEmitter &group, bool mirrored, int64_t parts)
    : mixer(mixer), group(group), e(group.e), mirrored(mirrored), parts(parts),
      axes(mixer.axesOf(mirrored)) {
  this->group.oneScale = true;
  this->group.oneSum = parts == 1;
  int64_t lanes = std::max<int64_t>(group.lanes, 1);
  int64_t outputs = roundUp(axes[2].extent, blockFor(axes[2].extent, parts));
  table = e.scratch({mixer.taps, lanes}, group.element);
  rowSums = e.scratch({outputs, parts, lanes}, group.element);
}

void PlainGrid::setWeights(llvm::function_ref<Value(Value)> weightOf, Value outside) {
  e.loop(e.index(0), e.index(mixer.taps), e.index(1),
         [&](Value tap) { e.store(weightOf(tap), table, {tap, e.index(0)}); });
  outsideWeight = outside;
}

Value PlainGrid::weight(Value tap) { return e.load(table, {tap, e.index(0)}, group.lanes); }

Emitter::Values PlainGrid::zeros(int64_t count) { return Emitter::Values(count, group.number(0)); }

Value PlainGrid::readFilter() {
  Value zero = group.number(0);
  // Propagates a NaN.
  auto ends =
      e.loop(e.index(0), e.index(mixer.taps), e.index(1), {zero, zero},
             [&](Value tap, ValueRange carried) {
               Value w = mixer.weight(group, e.index(0), tap);
               // Seen from a key the window is turned around.
               Value place = mirrored ? e.sub(e.index(mixer.taps - 1), tap) : tap;
               e.store(w, table, {place, e.index(0)});
               return Emitter::Values{e.fmax(carried[0], w), e.fmax(carried[1], e.fsub(zero, w))};
             });
  Value range = e.fadd(ends[0], ends[1]);
  return isModerateRange(e, e.reduce(range, [&](Value a, Value b) { return e.fmax(a, b); }));
}

Value PlainGrid::makeWeights() {
  Value taps = e.index(mixer.taps);
  Value top =
      e.loop(e.index(0), taps, e.index(1), group.number(0), [&](Value tap, ValueRange carried) {
        return Emitter::Values{e.fmaxNumber(carried[0], weight(tap))};
      })[0];
  e.loop(e.index(0), taps, e.index(1),
         [&](Value tap) { e.store(e.exp(e.fsub(weight(tap), top)), table, {tap, e.index(0)}); });
  outsideWeight = e.exp(e.fsub(group.number(0), top));
  return top;
}

/// [first, last) of the places in reach of `at` on an axis.
static std::pair<Value, Value> reach(Emitter &e, const GridAxis &axis, Value at) {
  return {e.max(e.sub(at, e.index(axis.before)), e.index(0)),
          e.min(e.add(at, axis.after + 1), e.index(axis.extent))};
}

/// A few neighbouring outputs at once: a weight is loaded once for all of them.
void PlainGrid::blockOfOutputs(PlacePairs &items, Value plane, Value row, Value first) {
  const GridAxis &line = axes[2];
  int64_t count = blockFor(line.extent, parts);
  auto [firstPlane, lastPlane] = reach(e, axes[0], plane);
  auto [firstRow, lastRow] = reach(e, axes[1], row);
  // The taps that meet a column of the grid in any of the outputs.
  Value lower = e.max(e.sub(e.index(line.before - count + 1), first), e.index(0));
  Value upper = e.min(e.sub(e.index(line.extent + line.before), first), e.index(line.taps()));
  auto addRow = [&](Value z, Value y, ValueRange sums) {
    Value start =
        items.indexOf(e.add(e.mul(z, axes[1].extent), y), e.sub(first, e.index(line.before)));
    Value tapZ = e.add(e.sub(z, plane), axes[0].before);
    Value tapY = e.add(e.sub(y, row), axes[1].before);
    Value taps = e.mul(e.add(e.mul(tapZ, axes[1].taps()), tapY), line.taps());
    return e.loop(lower, upper, e.index(1), sums, [&](Value tap, ValueRange carried) {
      Value w = weight(e.add(taps, tap)), place = e.add(start, tap);
      Emitter::Values next;
      for (int64_t i = 0; i < count; ++i) {
        auto [one, two] = items.load(place, i);
        next.push_back(e.fma(w, one, carried[parts * i]));
        if (two)
          next.push_back(e.fma(w, two, carried[parts * i + 1]));
      }
      return next;
    });
  };
  auto sums =
      e.loop(firstPlane, lastPlane, e.index(1), zeros(parts * count),
             [&, firstRow = firstRow, lastRow = lastRow](Value z, ValueRange carried) {
               return e.loop(firstRow, lastRow, e.index(1), carried,
                             [&](Value y, ValueRange carried) { return addRow(z, y, carried); });
             });
  for (int64_t i = 0; i < parts * count; ++i)
    e.store(sums[i], rowSums, {e.add(first, i / parts), e.index(i % parts), e.index(0)});
}

/// Sums of one part of the outputs [first, last) of a row: with both, accumulators and items
/// would not fit into the registers.
void PlainGrid::writtenOutputs(PlacePairs &items, int64_t part, Value plane, Value row,
                               int64_t first, int64_t last) {
  const GridAxis &line = axes[2];
  auto addRow = [&](Value z, Value y, ValueRange carried) {
    Value start = items.indexOf(e.add(e.mul(z, axes[1].extent), y), e.index(0));
    Value tapZ = e.add(e.sub(z, plane), axes[0].before);
    Value tapY = e.add(e.sub(y, row), axes[1].before);
    Value taps = e.mul(e.add(e.mul(tapZ, axes[1].taps()), tapY), line.taps());
    Emitter::Values sums(carried);
    // Item by item: the weights stay in registers, which are fewer than the items.
    for (int64_t item = 0; item < line.extent; ++item) {
      int64_t lower = std::max(first, item - line.after);
      int64_t upper = std::min(last, item + line.before + 1);
      for (int64_t column = lower; column < upper; ++column) {
        Value w = weight(e.add(taps, item - column + line.before));
        Value &sum = sums[column - first];
        sum = e.fma(w, items.part(part, start, item), sum);
      }
    }
    return sums;
  };
  auto [firstPlane, lastPlane] = reach(e, axes[0], plane);
  auto [firstRow, lastRow] = reach(e, axes[1], row);
  auto sums =
      e.loop(firstPlane, lastPlane, e.index(1), zeros(last - first),
             [&, firstRow = firstRow, lastRow = lastRow](Value z, ValueRange carried) {
               return e.loop(firstRow, lastRow, e.index(1), carried,
                             [&](Value y, ValueRange carried) { return addRow(z, y, carried); });
             });
  for (auto [i, sum] : llvm::enumerate(sums))
    e.store(sum, rowSums, {e.index(first + i), e.index(part), e.index(0)});
}

void PlainGrid::windows(PlacePairs &items, Value plane, Value row) {
  int64_t extent = axes[2].extent;
  if (areWrittenOut(mixer, parts)) {
    int64_t block = evenBlock(extent, group.type);
    for (int64_t first = 0; first < extent; first += block)
      for (int64_t part = 0; part < parts; ++part)
        writtenOutputs(items, part, plane, row, first, std::min(first + block, extent));
    return;
  }
  e.loop(e.index(0), e.index(extent), e.index(blockFor(extent, parts)),
         [&](Value first) { blockOfOutputs(items, plane, row, first); });
}

void PlainGrid::scan(PlacePairs &items, llvm::function_ref<void(Value, Value, Value)> finish) {
  GridScan scan(
      group, axes, Value(), /*itemsMayEnd=*/false,
      [&](const MixState &state, Value row, Value column) {
        auto [one, two] = items.load(items.indexOf(row, column));
        return MixState{state.m, e.fadd(state.n, one), two ? e.fadd(state.z, two) : state.z};
      },
      [&](Value output, ArrayRef<MixState> outside) {
        Value column = e.builder.create<arith::RemUIOp>(e.loc, output, e.index(axes[2].extent));
        MixState all = outside.front();
        for (const MixState &sum : outside.drop_front())
          all = group.merge(all, sum);
        auto total = [&](int64_t part, Value others) {
          Value inside = e.load(rowSums, {column, e.index(part), e.index(0)}, group.lanes);
          return e.fma(outsideWeight, others, inside);
        };
        finish(output, total(0, all.n), parts == 2 ? total(1, all.z) : Value());
      });
  scan.beforeRow = [&](Value plane, Value row) { windows(items, plane, row); };
  scan.run();
}

//===----------------------------------------------------------------------===//
// Products of two grids
//===----------------------------------------------------------------------===//

/// One row of queries with one row of keys, for a few taps at once.
Emitter::Values PlainGrid::correlateRow(PlacePairs &queries, PlacePairs &keys, Value row,
                                        Value keyRow, Value first) {
  const GridAxis &line = axes[2];
  int64_t count = blockFor(line.taps(), parts);
  Value lower = e.max(e.sub(e.index(line.before - count + 1), first), e.index(0));
  Value upper = e.min(e.sub(e.index(line.extent + line.before), first), e.index(line.extent));
  Value start = queries.indexOf(row, e.index(0));
  Value keyStart = keys.indexOf(keyRow, e.sub(first, e.index(line.before)));
  return e.loop(lower, upper, e.index(1), zeros(count), [&](Value column, ValueRange carried) {
    auto [g, gr] = queries.load(e.add(start, column));
    Value negative = gr ? e.fsub(group.number(0), gr) : Value();
    Value place = e.add(keyStart, column);
    Emitter::Values next;
    for (int64_t i = 0; i < count; ++i) {
      auto [kv, k] = keys.load(place, i);
      Value sum = e.fma(g, kv, carried[i]);
      next.push_back(k ? e.fma(negative, k, sum) : sum);
    }
    return next;
  });
}

/// The same for one part and the taps [first, first + count), with what is carried.
Emitter::Values PlainGrid::correlateWritten(PlacePairs &queries, PlacePairs &keys, int64_t part,
                                            Value row, Value keyRow, int64_t first,
                                            ValueRange carried) {
  const GridAxis &line = axes[2];
  int64_t last = first + static_cast<int64_t>(carried.size());
  Value start = queries.indexOf(row, e.index(0)), keyStart = keys.indexOf(keyRow, e.index(0));
  Emitter::Values sums(carried);
  for (int64_t column = 0; column < line.extent; ++column) {
    int64_t lower = std::max(first, line.before - column);
    int64_t upper = std::min(last, line.extent + line.before - column);
    if (lower >= upper)
      continue;
    Value query = queries.part(part, start, column);
    for (int64_t tap = lower; tap < upper; ++tap) {
      Value &sum = sums[tap - first];
      sum = e.fma(query, keys.part(part, keyStart, column + tap - line.before), sum);
    }
  }
  return sums;
}

/// The sums over all rows for a row of the window; `addRow` adds what a row of queries and one
/// of keys have.
Emitter::Values PlainGrid::overRows(Value tapZ, Value tapY, int64_t count, AddRow addRow) {
  // Queries whose key at this tap exists.
  auto range = [&](const GridAxis &axis, Value tap) {
    Value shift = e.sub(tap, e.index(axis.before));
    return std::tuple(e.max(e.sub(e.index(0), shift), e.index(0)),
                      e.min(e.sub(e.index(axis.extent), shift), e.index(axis.extent)), shift);
  };
  auto [firstZ, lastZ, shiftZ] = range(axes[0], tapZ);
  auto [firstY, lastY, shiftY] = range(axes[1], tapY);
  Value distance = e.add(e.mul(shiftZ, axes[1].extent), shiftY);
  return e.loop(firstZ, lastZ, e.index(1), zeros(count),
                [&, firstY = firstY, lastY = lastY](Value z, ValueRange carried) {
                  return e.loop(firstY, lastY, e.index(1), carried,
                                [&](Value y, ValueRange carried) {
                                  Value row = e.add(e.mul(z, axes[1].extent), y);
                                  return addRow(row, e.add(row, distance), carried);
                                });
                });
}

/// The sums for a row of the window, written out.
Emitter::Values PlainGrid::writtenTaps(PlacePairs &queries, PlacePairs &keys, Value tapZ,
                                       Value tapY) {
  int64_t taps = axes[2].taps(), block = evenBlock(taps, group.type);
  Emitter::Values totals;
  for (int64_t first = 0; first < taps; first += block) {
    auto sumsOf = [&](int64_t part) {
      return overRows(tapZ, tapY, std::min(block, taps - first),
                      [&](Value row, Value keyRow, ValueRange carried) {
                        return correlateWritten(queries, keys, part, row, keyRow, first, carried);
                      });
    };
    Emitter::Values sums = sumsOf(0);
    if (parts == 2)
      for (auto [sum, less] : llvm::zip_equal(sums, sumsOf(1)))
        sum = e.fsub(sum, less);
    llvm::append_range(totals, sums);
  }
  return totals;
}

/// The sums for a block of taps of a row of the window.
Emitter::Values PlainGrid::blockOfTaps(PlacePairs &queries, PlacePairs &keys, Value tapZ,
                                       Value tapY, Value first) {
  return overRows(tapZ, tapY, blockFor(axes[2].taps(), parts),
                  [&](Value row, Value keyRow, ValueRange carried) {
                    auto ofRow = correlateRow(queries, keys, row, keyRow, first);
                    Emitter::Values next;
                    for (auto [sum, value] : llvm::zip_equal(carried, ofRow))
                      next.push_back(e.fadd(sum, value));
                    return next;
                  });
}

void PlainGrid::correlate(PlacePairs &queries, PlacePairs &keys, Value factor, Value sums,
                          Value slot) {
  int64_t taps = axes[2].taps();
  auto over = [&](int64_t axis, int64_t step, llvm::function_ref<void(Value)> body) {
    e.loop(e.index(0), e.index(axes[axis].taps()), e.index(step), body);
  };
  auto add = [&](Value tap, Value total) {
    SmallVector<Value> place = {tap, e.index(0)};
    if (slot)
      place.insert(place.begin(), slot);
    Value term = e.fmul(e.fmul(total, weight(tap)), factor);
    e.store(e.fadd(e.load(sums, place, group.lanes), term), sums, place);
  };
  over(0, 1, [&](Value tapZ) {
    over(1, 1, [&](Value tapY) {
      Value rowTaps = e.mul(e.add(e.mul(tapZ, axes[1].taps()), tapY), taps);
      if (areWrittenOut(mixer, parts)) {
        for (auto [i, total] : llvm::enumerate(writtenTaps(queries, keys, tapZ, tapY)))
          add(e.add(rowTaps, i), total);
        return;
      }
      over(2, blockFor(taps, parts), [&](Value first) {
        auto totals = blockOfTaps(queries, keys, tapZ, tapY, first);
        for (auto [i, total] : llvm::enumerate(totals)) {
          Value column = e.add(first, i);
          e.when(e.less(column, e.index(taps)),
                 [&, total = total] { add(e.add(rowTaps, column), total); });
        }
      });
    });
  });
}
