//===- GridTiles.cpp - Windows of a grid, tile by tile --------------------===//

#include "compiler/vector/gpu/GridBlock.h"

#include "compiler/vector/grid/PlainGrid.h"

using namespace mlir;
using namespace aft;

/// Of its blocks on a multiprocessor, one loads while others compute.
static constexpr int64_t kResident = 2;

bool GridTiles::fit() const { return GridSizes::choose(*this).has_value(); }

GridBlock::GridBlock(const GridTiles &tiles, const GridSizes &sizes, Emitter &e)
    : tiles(tiles), sizes(sizes), e(e), taps(tiles.taps()) {
  Type type = tiles.accumulation;
  int64_t lanes = sizes.lanes(), heads = sizes.heads;
  items = sharedMemory(e, {sizes.held, sizes.stride(tiles), lanes}, type);
  weights = sharedMemory(e, {taps, heads}, type);
  rowSums = sharedMemory(e, {tiles.rowCount(), sizes.segments, lanes}, type);
  otherRows = sharedMemory(e, {tiles.rowCount(), lanes}, type);
  if (!isPlane())
    planeSums = sharedMemory(e, {tiles.planes.extent, lanes}, type);
  if (sizes.segments > 1)
    edges = sharedMemory(e, {2, sizes.held, sizes.tileSegments, lanes}, type);
  headSums = sharedMemory(e, {sizes.tile * sizes.tileColumns(), heads}, type);
  if (tiles.share)
    shares = sharedMemory(e, {sizes.tile * sizes.tileColumns(), sizes.width}, type);
  if (sizes.turns > 1)
    turnSums = sharedMemory(e, {2, tiles.length()}, type);
  largestParts = sharedMemory(e, {3, sizes.headParts(), heads}, type);
  largest = sharedMemory(e, {3, heads}, type);
  sums = threadMemory(e, kBlockThreads, {sizes.own}, type);
}

//===----------------------------------------------------------------------===//
// Threads and loops
//===----------------------------------------------------------------------===//

/// Channels and heads beyond the last one stand for the last: they are not stored.
LaneEmitter GridBlock::groupAt(Value channel) {
  channel = e.min(channel, e.sub(endChannel, e.index(1)));
  LaneEmitter group(e, tiles.accumulation, 0, batch, channel);
  group.perHead = tiles.perHead;
  return group;
}

Value GridBlock::firstChannelOf(Value head) { return e.mul(e.add(firstHead, head), tiles.perHead); }

void GridBlock::forEachPlace(llvm::function_ref<void(const Place &)> body) {
  forEachThread(e, kBlockThreads, [&](Value thread) {
    Value lane = e.rest(thread, sizes.lanes()), part = e.div(thread, sizes.lanes());
    Value isChannel = e.less(lane, e.index(sizes.width));
    Value number = e.sub(lane, e.index(sizes.width));
    Value channel = e.select(isChannel, e.add(firstChannel, lane), firstChannelOf(number));
    LaneEmitter group = groupAt(channel);
    Value head = e.sub(e.div(group.channel, tiles.perHead), firstHead);
    Value exists = e.less(channel, endChannel);
    Place place = {thread, lane, part, isChannel, exists, head, group};
    if (kBlockThreads % sizes.lanes() == 0)
      return body(place);
    e.when(e.less(part, e.index(sizes.parts())), [&] { body(place); });
  });
}

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

/// A warp has the parts of a head.
void GridBlock::combineParts(int64_t parts) {
  int64_t warps = kBlockThreads / kWarpThreads;
  forEachThread(e, kBlockThreads, [&](Value thread) {
    Value part = e.rest(thread, kWarpThreads);
    for (int64_t first = 0; first < sizes.heads; first += warps) {
      Value head = e.add(e.div(thread, kWarpThreads), first);
      Value exists = e.both(e.less(part, e.index(parts)), e.less(head, e.index(sizes.heads)));
      SmallVector<Value> tops;
      for (int64_t i = 0; i < 3; ++i) {
        Value none = i == 0 ? groupAt(e.index(0)).infinity(true) : this->none();
        Value own = e.branch(
            exists, {tiles.accumulation},
            [&] { return Emitter::Values{e.load(largestParts, {e.index(i), part, head}, 0)}; },
            [&] { return Emitter::Values{none}; })[0];
        auto kind = i == 0 ? vector::CombiningKind::MAXNUMF : vector::CombiningKind::MAXIMUMF;
        tops.push_back(reduceInWarp(e, kind, own, kWarpThreads));
      }
      e.when(e.both(exists, e.less(part, e.index(1))), [&] {
        e.store(groupAt(e.index(0)).finite(tops[0]), largest, {e.index(0), head});
        e.store(tops[1], largest, {e.index(1), head});
        e.store(e.fadd(tops[1], tops[2]), largest, {e.index(2), head});
      });
    }
  });
}

/// The largest exponent and bias of each head; whether all biases are moderate.
Value GridBlock::findLargest() {
  int64_t parts = sizes.headParts();
  Value zero = none(), heads = e.index(sizes.heads);
  forEachThread(e, parts * sizes.heads, [&](Value thread) {
    Value number = e.rest(thread, sizes.heads), part = e.div(thread, sizes.heads);
    LaneEmitter group = groupAt(firstChannelOf(number));
    Value head = e.div(group.channel, tiles.perHead);
    Value top = inBatches(e, kAtOnce, part, count, e.index(parts), group.infinity(true),
                          [&](ArrayRef<Value> positions, ArrayRef<Value>, ValueRange carried) {
                            SmallVector<Value> exponents;
                            for (Value t : positions)
                              exponents.push_back(tiles.code.load(group, t).exponent);
                            Value m = carried[0];
                            for (Value exponent : exponents)
                              m = e.fmaxNumber(m, exponent);
                            return Emitter::Values{m};
                          })[0];
    // Propagates a NaN.
    auto ends = e.loop(
        part, e.index(taps), e.index(parts), {zero, zero}, [&](Value place, ValueRange carried) {
          Value w = tiles.bias(head, place);
          e.store(w, weights, {place, number});
          return Emitter::Values{e.fmax(carried[0], w), e.fmax(carried[1], e.fsub(zero, w))};
        });
    Value all[] = {top, ends[0], ends[1]};
    for (auto [i, value] : llvm::enumerate(all))
      e.store(value, largestParts, {e.index(i), part, number});
  });
  combineParts(parts);
  Value range = e.loop(e.index(0), heads, e.index(1), zero, [&](Value head, ValueRange carried) {
    return Emitter::Values{e.fmax(carried[0], e.load(largest, {e.index(2), head}, 0))};
  })[0];
  return isModerateRange(e, range);
}

/// exp(w), relative to the largest.
void GridBlock::makeWeights(Value thread) {
  shareOut(e, thread, kBlockThreads, e.index(taps * sizes.heads), [&](Value number) {
    SmallVector<Value> place = delinearize(e, number, {e.index(taps), e.index(sizes.heads)});
    Value top = e.load(largest, {e.index(1), place[1]}, 0);
    e.store(e.exp(e.fsub(e.load(weights, place, 0), top)), weights, place);
  });
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

/// What an item adds to its head, besides its exponential.
Value GridBlock::secondOf(const Place &place, Value t) {
  LaneEmitter group = place.group;
  if (!tiles.share)
    return tiles.code.load(group, t).second;
  Value first = turn ? firstChannel : group.channel;
  Value last = e.min(e.add(first, turn ? sizes.width : tiles.perHead), endChannel);
  return e.loop(first, last, e.index(1), none(), [&](Value channel, ValueRange carried) {
    LaneEmitter one = group;
    one.channel = channel;
    return Emitter::Values{e.fadd(carried[0], tiles.code.load(one, t).second)};
  })[0];
}

/// What items add to a lane; all are loaded before the first is used.
SmallVector<Value> GridBlock::itemsAt(const Place &place, ArrayRef<Value> positions) {
  LaneEmitter group = place.group;
  Value base = e.load(largest, {e.index(0), place.head}, 0), zero = group.number(0);
  SmallVector<Value> exponents, result;
  for (Value t : positions)
    exponents.push_back(tiles.code.load(group, t).exponent);
  SmallVector<Type> types(positions.size(), group.type);
  auto all = [&](llvm::function_ref<Value(Value)> load) {
    return Emitter::Values(llvm::map_range(positions, load));
  };
  Emitter::Values values = e.branch(
      place.isChannel, types,
      [&] { return all([&](Value t) { return tiles.code.load(group, t).first; }); },
      [&] { return all([&](Value t) { return secondOf(place, t); }); });
  for (auto [t, exponent, value] : llvm::zip_equal(positions, exponents, values)) {
    Value weight = e.select(e.less(t, count), e.exp(e.fsub(exponent, base)), zero);
    // Of weight 0 it is hidden: its value, perhaps NaN, must not be seen.
    result.push_back(e.select(e.equal(weight, zero), zero, e.fmul(weight, value)));
  }
  return result;
}

/// What lies left and right of rows is never filled.
void GridBlock::clear(Value thread) {
  int64_t lanes = sizes.lanes(), stride = sizes.stride(tiles);
  Value extents[] = {e.index(sizes.held), e.index(stride), e.index(lanes)};
  e.loop(thread, e.index(sizes.held * stride * lanes), e.index(kBlockThreads),
         [&](Value number) { e.store(none(), items, delinearize(e, number, extents)); });
}

/// The rows from `firstRow` on, as many as are held, or what is held of them.
void GridBlock::fill(const Place &place, Value firstRow) {
  if (sizes.isCut())
    return fillPart(place, firstRow);
  int64_t width = tiles.columns.extent, shift = sizes.segments == 1 ? 0 : tiles.columns.before;
  Value last = e.index(tiles.length() - 1), start = e.mul(firstRow, width);
  auto body = [&](ArrayRef<Value> numbers, ArrayRef<Value> exist, ValueRange) {
    SmallVector<Value> positions;
    // Rows that are not there are never looked at.
    for (Value number : numbers)
      positions.push_back(e.max(e.min(e.add(start, number), last), e.index(0)));
    SmallVector<Value> values = itemsAt(place, positions);
    for (auto [number, exists, value] : llvm::zip_equal(numbers, exist, values))
      e.when(exists, [&, number = number, value = value] {
        e.store(value, items,
                {e.div(number, width), e.add(e.rest(number, width), shift), place.lane});
      });
    return Emitter::Values{};
  };
  inBatches(e, kAtOnce, place.part, e.index(sizes.held * width), e.index(sizes.parts()), {}, body);
}

/// With zeros beside the grid.
void GridBlock::fillPart(const Place &place, Value firstRow) {
  int64_t width = tiles.columns.extent, stride = sizes.stride(tiles);
  Value firstHeld = e.sub(firstColumn, e.index(sizes.padding(tiles.columns.before)));
  auto body = [&](ArrayRef<Value> numbers, ArrayRef<Value> exist, ValueRange) {
    SmallVector<Value> positions, columns;
    for (Value number : numbers) {
      Value row = e.add(firstRow, e.div(number, stride));
      row = e.max(e.min(row, e.index(tiles.rowCount() - 1)), e.index(0));
      columns.push_back(e.add(firstHeld, e.rest(number, stride)));
      Value column = e.max(e.min(columns.back(), e.index(width - 1)), e.index(0));
      positions.push_back(e.add(e.mul(row, width), column));
    }
    SmallVector<Value> values = itemsAt(place, positions);
    for (auto [number, exists, column, value] : llvm::zip_equal(numbers, exist, columns, values)) {
      Value inside = e.below(column, e.index(width)), there = e.select(inside, value, none());
      e.when(exists, [&, number = number] {
        e.store(there, items, {e.div(number, stride), e.rest(number, stride), place.lane});
      });
    }
    return Emitter::Values{};
  };
  inBatches(e, kAtOnce, place.part, e.index(sizes.held * stride), e.index(sizes.parts()), {}, body);
}

/// Each row of the grid, as the sums of its segments: from shared memory if all of it lies there.
void GridBlock::sumRows(const Place &place) {
  int64_t width = tiles.columns.extent, shift = sizes.segments == 1 ? 0 : tiles.columns.before;
  Value extents[] = {e.index(tiles.rowCount()), e.index(sizes.segments)};
  Value pieces = e.index(tiles.rowCount() * sizes.segments);
  e.loop(place.part, pieces, e.index(sizes.parts()), [&](Value piece) {
    SmallVector<Value> at = delinearize(e, piece, extents);
    Value start = e.mul(at[0], width), first = e.mul(at[1], sizes.own);
    Value end = e.min(e.add(first, sizes.own), e.index(width));
    // Beyond the last item there is nothing to add.
    end = e.min(end, e.sub(count, start));
    auto body = [&](ArrayRef<Value> columns, ArrayRef<Value> exist, ValueRange carried) {
      SmallVector<Value> numbers;
      for (Value x : columns)
        numbers.push_back(holdAll() ? e.load(items, {at[0], e.add(x, shift), place.lane}, 0)
                                    : e.add(start, x));
      if (!holdAll())
        numbers = itemsAt(place, numbers);
      Value sum = carried[0];
      for (auto [number, exists] : llvm::zip_equal(numbers, exist))
        sum = e.fadd(sum, e.select(exists, number, none()));
      return Emitter::Values{sum};
    };
    Value sum = inBatches(e, kAtOnce, first, end, e.index(1), none(), body)[0];
    e.store(sum, rowSums, {at[0], at[1], place.lane});
  });
}

/// Each plane of several.
void GridBlock::sumPlanes(const Place &place) {
  int64_t pieces = tiles.rows.extent * sizes.segments;
  e.loop(place.part, e.index(tiles.planes.extent), e.index(sizes.parts()), [&](Value plane) {
    Value first = e.mul(plane, tiles.rows.extent);
    Value sum = e.loop(e.index(0), e.index(pieces), e.index(1), none(),
                       [&](Value piece, ValueRange carried) {
                         Value row = e.add(first, e.div(piece, sizes.segments));
                         Value segment = e.rest(piece, sizes.segments);
                         Value one = e.load(rowSums, {row, segment, place.lane}, 0);
                         return Emitter::Values{e.fadd(carried[0], one)};
                       })[0];
    e.store(sum, planeSums, {plane, place.lane});
  });
}

/// For each row the sum of the planes and rows that its windows do not reach. Each is summed on its
/// own: a running sum would keep all other threads waiting.
void GridBlock::sumOtherRows(const Place &place) {
  Value zero = e.index(0), height = e.index(tiles.rows.extent);
  auto addPlanes = [&](Value first, Value last, Value sum) {
    return e.loop(first, last, e.index(1), sum, [&](Value plane, ValueRange carried) {
      return Emitter::Values{e.fadd(carried[0], e.load(planeSums, {plane, place.lane}, 0))};
    })[0];
  };
  auto addRows = [&](Value plane, Value first, Value last, Value sum) {
    Value start = e.mul(plane, tiles.rows.extent);
    return e.loop(first, last, e.index(1), sum, [&](Value row, ValueRange carried) {
      Value sum = carried[0], at = e.add(start, row);
      if (sizes.isCut())
        return Emitter::Values{addSegments(place, at, zero, e.index(sizes.segments), sum)};
      for (int64_t segment = 0; segment < sizes.segments; ++segment)
        sum = e.fadd(sum, e.load(rowSums, {at, e.index(segment), place.lane}, 0));
      return Emitter::Values{sum};
    })[0];
  };
  e.loop(place.part, e.index(tiles.rowCount()), e.index(sizes.parts()), [&](Value number) {
    auto [plane, row] = planeAndRow(number);
    auto addOfPlane = [&, row = row](Value plane, ValueRange carried) {
      Value sum = addRows(plane, zero, e.sub(row, e.index(tiles.rows.before)), carried[0]);
      return Emitter::Values{addRows(plane, e.add(row, tiles.rows.after + 1), height, sum)};
    };
    Value sum = none();
    if (isPlane()) {
      sum = addOfPlane(zero, sum)[0];
    } else {
      auto [first, last] = reachOf(tiles.planes, plane);
      sum = addPlanes(zero, first, sum);
      sum = e.loop(first, last, e.index(1), sum, addOfPlane)[0];
      sum = addPlanes(last, e.index(tiles.planes.extent), sum);
    }
    e.store(sum, otherRows, {number, place.lane});
  });
}

//===----------------------------------------------------------------------===//
// A block
//===----------------------------------------------------------------------===//

/// Of a tile whose items lie in shared memory, or do so one plane after the other.
void GridBlock::addTile(Value firstRow) {
  if (holdAll()) {
    forEachPlace([&](const Place &place) { multiply(place, firstRow, Value()); });
  } else {
    auto [ownPlane, row] = planeAndRow(firstRow);
    bool holdPlane = sizes.held == tiles.rows.extent;
    Value start = holdPlane ? e.index(0) : e.sub(row, e.index(tiles.rows.before));
    auto add = [&](Value plane) {
      firstHeld = start;
      Value first = e.add(e.mul(plane, tiles.rows.extent), start);
      forEachPlace([&](const Place &place) { fill(place, first); });
      if (sizes.isCut())
        forEachPlace([&](const Place &place) { sumPartEdges(place, first); });
      else if (sizes.segments > 1)
        forEachPlace([&](const Place &place) { sumEdges(place); });
      forEachPlace([&](const Place &place) { multiply(place, firstRow, plane); });
    };
    if (isPlane()) {
      add(e.index(0));
    } else {
      forEachPlace([&](const Place &place) { startSums(place, firstRow); });
      auto [first, last] = reachOf(tiles.planes, ownPlane);
      e.loop(first, last, e.index(1), add);
    }
  }
  forEachPlace([&](const Place &place) { finish(place, firstRow); });
  if (tiles.share)
    finishHeads(firstRow);
}

/// The channels of a block, or of a head that is too wide for it.
void GridBlock::forEachTurn(llvm::function_ref<void()> body) {
  if (sizes.turns == 1)
    return body();
  Value start = firstChannel;
  e.loop(e.index(0), e.index(sizes.turns), e.index(1), [&](Value number) {
    turn = number;
    firstChannel = e.add(start, e.mul(number, sizes.width));
    body();
  });
  firstChannel = start;
}

void GridBlock::fast() {
  forEachThread(e, kBlockThreads, [&](Value thread) {
    makeWeights(thread);
    if (sizes.segments > 1 && !sizes.isCut())
      clear(thread);
  });
  forEachTurn([&] { addTiles(); });
}

void GridBlock::addTiles() {
  Value zero = e.index(0);
  if (holdAll())
    forEachPlace([&](const Place &place) { fill(place, zero); });
  forEachPlace([&](const Place &place) {
    sumRows(place);
    if (holdAll())
      sumEdges(place);
  });
  if (!isPlane())
    forEachPlace([&](const Place &place) { sumPlanes(place); });
  forEachPlace([&](const Place &place) { sumOtherRows(place); });
  auto addTiles = [&](Value first, int64_t rows) {
    endRow = e.add(first, rows);
    e.loop(first, endRow, e.index(sizes.tile), [&](Value firstRow) {
      if (!sizes.isCut())
        return addTile(firstRow);
      e.loop(zero, e.index(tiles.columns.extent), e.index(sizes.tileColumns()), [&](Value column) {
        firstColumn = column;
        addTile(firstRow);
      });
    });
  };
  if (holdAll() || isPlane())
    return addTiles(zero, tiles.rowCount());
  e.loop(zero, e.index(tiles.planes.extent), e.index(1),
         [&](Value plane) { addTiles(e.mul(plane, tiles.rows.extent), tiles.rows.extent); });
}

/// Channels and heads that exist, at all positions.
void GridBlock::exact() {
  forEachPlace([&](const Place &place) {
    LaneEmitter group = place.group;
    auto forEach = [&](llvm::function_ref<void(Value)> body) {
      e.loop(place.part, e.index(tiles.length()), e.index(sizes.parts()), body);
      return Emitter::Values{};
    };
    e.when(place.exists, [&] {
      e.branch(
          place.isChannel, {}, [&] { return forEach([&](Value t) { tiles.exact(group, t); }); },
          [&] {
            if (!tiles.exactHead)
              return Emitter::Values{};
            // Once.
            Value first = turn ? e.same(turn, e.index(0)) : Value();
            auto all = [&] { forEach([&](Value t) { tiles.exactHead(group, t); }); };
            first ? e.when(first, all) : all();
            return Emitter::Values{};
          });
    });
  });
}

void GridBlock::visit() {
  forEachPlace([&](const Place &place) {
    LaneEmitter group = place.group;
    e.when(e.both(place.isChannel, place.exists), [&] {
      e.loop(place.part, e.index(tiles.length()), e.index(sizes.parts()),
             [&](Value t) { tiles.visit(group, t); });
    });
  });
}

void GridBlock::run(ArrayRef<Value> block) {
  batch = block[0];
  firstChannel = e.mul(block[1], sizes.turns > 1 ? tiles.perHead : sizes.width);
  endChannel = e.index(tiles.channels);
  if (sizes.turns > 1)
    endChannel = e.add(firstChannel, tiles.perHead);
  firstHead = e.div(firstChannel, tiles.perHead);
  count = tiles.items(batch);
  if (tiles.visit)
    forEachTurn([&] { visit(); });
  auto without = [](llvm::function_ref<void()> body) {
    body();
    return Emitter::Values{};
  };
  e.branch(
      findLargest(), {}, [&] { return without([&] { fast(); }); },
      [&] { return without([&] { forEachTurn([&] { exact(); }); }); });
}

void GridTiles::run(Emitter &e) const {
  GridSizes sizes = *GridSizes::choose(*this);
  GridBlock block(*this, sizes, e);
  // Turns, and rows that are cut, take more registers.
  setResidentBlocks(e, sizes.turns > 1 || sizes.isCut() ? 1 : kResident);
  int64_t each = sizes.turns > 1 ? perHead : sizes.width;
  int64_t blocks = (channels + each - 1) / each;
  forEachBlock(e, {batches, e.index(blocks)}, [&](ArrayRef<Value> index) { block.run(index); });
}
