//===- HeadGrid.cpp - Sums over a grid that a head's channels share -------===//

#include "compiler/vector/grid/HeadGrid.h"

using namespace mlir;
using namespace aft;

static int64_t roundUp(int64_t count, int64_t size) { return (count + size - 1) / size * size; }

static int64_t paddingOf(const WindowMixer &mixer) {
  return std::max(mixer.grid[2].before, mixer.grid[2].after);
}

/// Rows are padded so that whole vectors of outputs, and of taps, can be read.
static int64_t strideOf(const WindowMixer &mixer, int64_t lanes) {
  const GridAxis &line = mixer.grid[2];
  int64_t padding = paddingOf(mixer);
  return padding + line.extent +
         std::max(roundUp(line.extent, lanes) - line.extent + padding,
                  roundUp(line.taps(), lanes) - line.before);
}

int64_t HeadGrid::numbersOf(const WindowMixer &mixer, int64_t lanes) {
  return mixer.grid[0].extent * mixer.grid[1].extent * strideOf(mixer, lanes);
}

HeadGrid::HeadGrid(const WindowMixer &mixer, Emitter &e, Type element, int64_t heads, int64_t lanes)
    : mixer(mixer), e(e), element(element), heads(heads), lanes(lanes), width(mixer.grid[2].extent),
      padding(paddingOf(mixer)), stride(strideOf(mixer, lanes)),
      memory(e.scratch({heads, numbersOf(mixer, lanes)}, element)),
      rowSums(e.scratch({roundUp(std::max(width, mixer.grid[2].taps()), lanes)}, element)) {}

void HeadGrid::clear() {
  int64_t numbers = numbersOf(mixer, lanes);
  e.loop(e.index(0), e.index(heads), e.index(1), [&](Value head) {
    e.loop(e.index(0), e.index(numbers), e.index(1),
           [&](Value i) { e.store(e.number(element, 0), memory, {head, i}); });
  });
}

Value HeadGrid::indexOf(Value row, Value column) {
  return e.add(e.add(e.mul(row, stride), padding), column);
}

void HeadGrid::fill(Value head, llvm::function_ref<Value(Value)> numberOf) {
  e.loop(e.index(0), e.index(mixer.grid[0].extent * mixer.grid[1].extent), e.index(1),
         [&](Value row) {
           Value start = indexOf(row, e.index(0)), first = e.mul(row, width);
           e.loop(e.index(0), e.index(width), e.index(1), [&](Value column) {
             e.store(numberOf(e.add(first, column)), memory, {head, e.add(start, column)});
           });
         });
}

/// [first, last) of the places in reach of `at` on an axis.
static std::pair<Value, Value> reach(Emitter &e, const GridAxis &axis, Value at) {
  return {e.max(e.sub(at, e.index(axis.before)), e.index(0)),
          e.min(e.add(at, axis.after + 1), e.index(axis.extent))};
}

/// Terms take turns at a few accumulators: additions to a single one would wait for
/// each other.
static constexpr int64_t kTurns = 4;

/// The accumulators with `count` more terms; `add` adds the term of a number to one.
static Emitter::Values addInTurns(Emitter &e, int64_t count, ValueRange carried,
                                  llvm::function_ref<Value(Value number, Value sum)> add) {
  int64_t whole = count / kTurns * kTurns;
  Emitter::Values sums = e.loop(e.index(0), e.index(whole), e.index(kTurns), carried,
                                [&](Value number, ValueRange carried) {
                                  Emitter::Values next;
                                  for (int64_t i = 0; i < kTurns; ++i)
                                    next.push_back(add(e.add(number, i), carried[i]));
                                  return next;
                                });
  for (int64_t number = whole; number < count; ++number)
    sums[number - whole] = add(e.index(number), sums[number - whole]);
  return sums;
}

static Value totalOf(Emitter &e, ArrayRef<Value> sums) {
  Value total = sums.front();
  for (Value sum : sums.drop_front())
    total = e.fadd(total, sum);
  return total;
}

/// Sums of a row of outputs.
void HeadGrid::windows(Value head, ArrayRef<GridAxis> axes, HeadNumbers &weights, Value plane,
                       Value row) {
  Type vector = e.typeOf(element, lanes);
  int64_t taps = axes[2].taps();
  auto [firstPlane, lastPlane] = reach(e, axes[0], plane);
  auto [firstRow, lastRow] = reach(e, axes[1], row);
  e.loop(e.index(0), e.index(width), e.index(lanes),
         [&, firstPlane = firstPlane, lastPlane = lastPlane, firstRow = firstRow,
          lastRow = lastRow](Value first) {
           auto addRow = [&](Value z, Value y, ValueRange carried) {
             Value start =
                 indexOf(e.add(e.mul(z, axes[1].extent), y), e.sub(first, e.index(axes[2].before)));
             Value tapZ = e.add(e.sub(z, plane), axes[0].before);
             Value tapY = e.add(e.sub(y, row), axes[1].before);
             Value firstTap = e.mul(e.add(e.mul(tapZ, axes[1].taps()), tapY), taps);
             auto add = [&](Value tap, Value sum) {
               Value weight = e.broadcast(weights.get(head, e.add(firstTap, tap)), vector);
               return e.fma(weight, e.load(memory, {head, e.add(start, tap)}, lanes), sum);
             };
             return addInTurns(e, taps, carried, add);
           };
           Emitter::Values zeros(kTurns, e.number(vector, 0));
           Emitter::Values sums =
               e.loop(firstPlane, lastPlane, e.index(1), zeros, [&](Value z, ValueRange carried) {
                 return e.loop(firstRow, lastRow, e.index(1), carried,
                               [&](Value y, ValueRange carried) { return addRow(z, y, carried); });
               });
           e.store(totalOf(e, sums), rowSums, first);
         });
}

void HeadGrid::scan(Value head, bool mirrored, HeadNumbers &weights, Value outside,
                    llvm::function_ref<void(Value, Value)> finish) {
  SmallVector<GridAxis> axes = mixer.axesOf(mirrored);
  LaneEmitter group(e, element, 0, e.index(0), e.index(0));
  group.oneScale = group.oneSum = true;
  GridScan scan(
      group, axes, Value(), /*itemsMayEnd=*/false,
      [&](const MixState &state, Value row, Value column) {
        Value item = e.load(memory, {head, indexOf(row, column)}, 0);
        return MixState{state.m, e.fadd(state.n, item), state.z};
      },
      [&](Value output, ArrayRef<MixState> sums) {
        Value all = sums.front().n;
        for (const MixState &sum : sums.drop_front())
          all = e.fadd(all, sum.n);
        Value column = e.builder.create<arith::RemUIOp>(e.loc, output, e.index(width));
        finish(output, e.fma(outside, all, e.load(rowSums, column, 0)));
      });
  scan.beforeRow = [&](Value plane, Value row) { windows(head, axes, weights, plane, row); };
  scan.run();
}

void HeadGrid::correlate(Value head, HeadGrid &keys,
                         llvm::function_ref<void(Value, Value)> finish) {
  Type vector = e.typeOf(element, lanes);
  ArrayRef<GridAxis> axes = mixer.grid;
  int64_t taps = axes[2].taps();
  // Queries whose key at this tap exists.
  auto range = [&](const GridAxis &axis, Value tap) {
    Value shift = e.sub(tap, e.index(axis.before));
    return std::tuple(e.max(e.sub(e.index(0), shift), e.index(0)),
                      e.min(e.sub(e.index(axis.extent), shift), e.index(axis.extent)), shift);
  };
  auto over = [&](int64_t count, int64_t step, llvm::function_ref<void(Value)> body) {
    e.loop(e.index(0), e.index(count), e.index(step), body);
  };
  auto sumOf = [&](Value tapZ, Value tapY, Value first) {
    auto [firstZ, lastZ, shiftZ] = range(axes[0], tapZ);
    auto [firstY, lastY, shiftY] = range(axes[1], tapY);
    Value distance = e.add(e.mul(shiftZ, axes[1].extent), shiftY);
    auto addRow = [&](Value row, ValueRange carried) {
      Value start = indexOf(row, e.index(0));
      Value keyStart = keys.indexOf(e.add(row, distance), e.sub(first, e.index(axes[2].before)));
      auto add = [&](Value column, Value sum) {
        Value query = e.broadcast(e.load(memory, {head, e.add(start, column)}, 0), vector);
        return e.fma(query, e.load(keys.memory, {head, e.add(keyStart, column)}, lanes), sum);
      };
      return addInTurns(e, width, carried, add);
    };
    Emitter::Values zeros(kTurns, e.number(vector, 0));
    Emitter::Values sums = e.loop(
        firstZ, lastZ, e.index(1), zeros,
        [&, firstY = firstY, lastY = lastY](Value z, ValueRange carried) {
          return e.loop(firstY, lastY, e.index(1), carried, [&](Value y, ValueRange carried) {
            return addRow(e.add(e.mul(z, axes[1].extent), y), carried);
          });
        });
    return totalOf(e, sums);
  };
  over(axes[0].taps(), 1, [&](Value tapZ) {
    over(axes[1].taps(), 1, [&](Value tapY) {
      over(taps, lanes, [&](Value first) { e.store(sumOf(tapZ, tapY, first), rowSums, first); });
      Value firstTap = e.mul(e.add(e.mul(tapZ, axes[1].taps()), tapY), taps);
      over(taps, 1, [&](Value tap) { finish(e.add(firstTap, tap), e.load(rowSums, tap, 0)); });
    });
  });
}
