//===- GridFilter.cpp - Gradient of a filter on a grid, or of a sequence --===//
// The sum of a tap is, over the batch and all queries t whose key t' there exists,
//   exp(w) (sum_c A[t,c] B[t',c] - C[t] E[t']),
//   A = exp(m - logz) G, B = exp(k - m) v, C = sum_c A R, E = exp(k - m),
// with c the channels of the head and m the largest k of a batch entry. v and R are less a number
// that is about the same, so that their difference loses little. Where queries do not see all keys,
// m is the largest k that a tile reaches; should it be far above what some query sees, the tile is
// summed pair by pair.

#include "compiler/vector/gpu/GridFilter.h"

#include "compiler/vector/gpu/GridFilterBlock.h"
#include "compiler/vector/grid/PlainGrid.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace aft;
using llvm::divideCeil;

/// Lanes of a block, as many as a warp has threads where there is room.
static constexpr int64_t kMostLanes = kWarpThreads;
/// Columns and sums of a thread, of 32 bits, few of these where it has a part of a row of the
/// filter, and multiplications that are written out.
static constexpr int64_t kMostOwn = 16, kMostSums = 24, kFewSums = 12, kMostWrittenOut = 640;
/// Blocks that a GPU executes at the same time: with more of them, a block takes more rows of the
/// filter, whose items are then made once.
static constexpr int64_t kManyBlocks = 256, kResident = 2;
/// Taps of a sequence for which it pays to make the items of a tile.
static constexpr int64_t kLeastTaps = 4;
/// Numbers that a thread loads before it waits.
static constexpr int64_t kAtOnce = 2;

SmallVector<SmallVector<int64_t>> FilterSizes::shapes() const {
  return {{tile, queryStride(), lanes()},
          {held, keyStride(), lanes()},
          {kSummed, threads},
          {kSummed, lanes()},
          {2, headParts(), heads},
          {3, heads}};
}

FilterSizes::FilterSizes(const WindowMixer &mixer, int64_t threads)
    : axes(mixer.grid), threads(threads) {
  if (axes.empty())
    axes = {{1, 0, 0}, {1, 0, 0}, {ShapedType::kDynamic, mixer.before, mixer.after}};
}

/// Taps of a block.
void FilterSizes::shareTaps(const WindowMixer &mixer, int64_t bytes) {
  const GridAxis &rows = axes[1], &line = axes[2];
  int64_t most = std::min(kMostSums * 4 / bytes, kMostWrittenOut / own);
  if (line.taps() > most)
    most = std::min(kFewSums * 4 / bytes, most);
  int64_t others = divideCeil(mixer.heads, heads) * axes[0].taps();
  groups = divideCeil(line.taps(), most);
  if (line.extent == ShapedType::kDynamic)
    groups = std::max(groups, std::min<int64_t>(line.taps() / kLeastTaps, kManyBlocks / others));
  taps = divideCeil(line.taps(), groups);
  groups = divideCeil(line.taps(), taps);
  others *= groups;
  rowBlocks = std::min(rows.taps(), std::max<int64_t>(kManyBlocks / others, 1));
  rowBlocks =
      std::max<int64_t>(rowBlocks, divideCeil(rows.taps(), std::max<int64_t>(most / taps, 1)));
  tapRows = divideCeil(rows.taps(), rowBlocks);
  rowBlocks = divideCeil(rows.taps(), tapRows);
}

/// Channels of a block of at most so many lanes: whole heads, or one in several turns.
void FilterSizes::shareChannels(const WindowMixer &mixer, int64_t most) {
  int64_t perHead = mixer.perHead();
  heads = std::clamp<int64_t>(most / (perHead + 1), 1, mixer.heads);
  pieces = divideCeil(perHead, most - 1);
  width = heads * divideCeil(perHead, pieces);
}

bool FilterSizes::fit(Emitter &e, int64_t bytes) const {
  SmallVector<int64_t> memory;
  for (ArrayRef<int64_t> shape : shapes())
    memory.push_back(ShapedType::getNumElements(shape) * bytes);
  // What `exact` shares.
  memory.push_back(threads / kWarpThreads * bytes);
  return fitBesideGrids(e, memory);
}

/// Tiles of whole rows.
bool FilterSizes::chooseRows(const WindowMixer &mixer, Emitter &e, int64_t bytes) {
  int64_t all = axes[0].extent * axes[1].extent;
  segments = divideCeil(axes[2].extent, kMostOwn * 4 / bytes);
  own = divideCeil(axes[2].extent, segments);
  for (int64_t most = kMostLanes; most > 1; most /= 2) {
    shareChannels(mixer, most);
    shareTaps(mixer, bytes);
    // Of few rows most keys belong to several tiles.
    int64_t least = std::min<int64_t>(all, most > 2 ? 4 : 1);
    int64_t mostRows = std::max<int64_t>(least, divideCeil(parts(), segments));
    for (int64_t tiles = divideCeil(all, std::min(all, mostRows)); all / tiles >= least; ++tiles) {
      tile = divideCeil(all, tiles);
      held = tile + tapRows - 1;
      if (fit(e, bytes))
        return true;
    }
  }
  return false;
}

/// Tiles of a part of a row, as many columns as there is room for.
bool FilterSizes::cutRows(const WindowMixer &mixer, Emitter &e, int64_t bytes) {
  isCut = true;
  own = kMostOwn * 4 / bytes;
  tile = 1;
  for (int64_t most = kMostLanes; most > 1; most /= 2) {
    shareChannels(mixer, most);
    shareTaps(mixer, bytes);
    held = tapRows;
    for (segments = parts(); 2 * segments >= parts(); --segments)
      if (fit(e, bytes))
        return true;
  }
  return false;
}

FilterBlock::FilterBlock(const WindowMixer &mixer, const FilterSizes &sizes, Emitter &e,
                         llvm::function_ref<void(Value, Value)> exact)
    : mixer(mixer), sizes(sizes), axes(this->sizes.axes), e(e), exact(exact),
      type(accumulationOf(mixer.q)) {
  Value *memories[] = {&queries, &keys, &threadSums, &laneSums, &headParts, &ofHeads};
  for (auto [memory, shape] : llvm::zip_equal(memories, sizes.shapes()))
    *memory = sharedMemory(e, shape, type);
  sums = threadMemory(e, sizes.threads, {sumCount()}, type);
  bool isKnown = axes[2].extent != ShapedType::kDynamic;
  width = isKnown ? e.index(axes[2].extent) : e.dim(mixer.q, 1);
}

LaneEmitter FilterBlock::groupAt(Value channel) {
  LaneEmitter group(e, type, 0, batch, channel);
  group.perHead = mixer.perHead();
  return group;
}

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

/// The largest numbers of each head, from what some threads have found.
void FilterBlock::forHeads(llvm::function_ref<SmallVector<Value>(Value, Value)> parts,
                           Combine larger, double none,
                           llvm::function_ref<void(ArrayRef<Value>, Value)> store) {
  int64_t count = sizes.headParts();
  size_t numbers = 0;
  forEachThread(e, count * sizes.heads, [&](Value thread) {
    Value head = e.rest(thread, sizes.heads), part = e.div(thread, sizes.heads);
    SmallVector<Value> own = parts(part, e.add(firstHead, head));
    numbers = own.size();
    for (auto [i, value] : llvm::enumerate(own))
      e.store(value, headParts, {e.index(i), part, head});
  });
  forEachThread(e, sizes.heads, [&](Value head) {
    SmallVector<Value> start(numbers, e.number(type, none));
    auto all =
        e.loop(e.index(0), e.index(count), e.index(1), start, [&](Value part, ValueRange carried) {
          Emitter::Values next;
          for (auto [i, top] : llvm::enumerate(carried))
            next.push_back(larger(top, e.load(headParts, {e.index(i), part, head}, 0)));
          return next;
        });
    store(all, head);
  });
}

/// Whether what forHeads has found of all heads is moderate.
Value FilterBlock::areModerate() {
  Value range = e.loop(e.index(0), e.index(sizes.heads), e.index(1), none(),
                       [&](Value head, ValueRange carried) {
                         Value one = e.load(ofHeads, {e.index(1), head}, 0);
                         return Emitter::Values{e.fmax(carried[0], one)};
                       })[0];
  return isModerateRange(e, range);
}

/// Whether the filters of all heads are moderate. A NaN is not.
Value FilterBlock::findRange() {
  forHeads(
      [&](Value part, Value head) {
        return SmallVector<Value>(e.loop(
            part, e.index(mixer.taps), e.index(sizes.headParts()), {none(), none()},
            [&](Value tap, ValueRange carried) {
              Value w = biasOf(head, tap);
              return Emitter::Values{e.fmax(carried[0], w), e.fmax(carried[1], e.fsub(none(), w))};
            }));
      },
      [&](Value a, Value b) { return e.fmax(a, b); }, 0,
      [&](ArrayRef<Value> ends, Value head) {
        e.store(e.fadd(ends[0], ends[1]), ofHeads, {e.index(1), head});
        e.store(ends[0], ofHeads, {e.index(2), head});
      });
  return areModerate();
}

/// The largest of numbers [first, end), of which others have parts. A NaN is passed over.
Value FilterBlock::largestOf(Value part, Value first, Value end,
                             llvm::function_ref<Value(Value)> load) {
  auto largest = [&](ArrayRef<Value> positions, ArrayRef<Value>, ValueRange carried) {
    SmallVector<Value> loaded(llvm::map_range(positions, load));
    Value top = carried[0];
    for (Value one : loaded)
      top = e.fmaxNumber(top, one);
    return Emitter::Values{top};
  };
  return inBatches(e, kAtOnce, e.add(first, part), end, e.index(sizes.headParts()),
                   e.number(type, -INFINITY), largest)[0];
}

/// The largest key of each head in a batch entry.
void FilterBlock::findBases() {
  forHeads(
      [&](Value part, Value head) {
        LaneEmitter group = groupAt(e.mul(head, mixer.perHead()));
        auto key = [&](Value t) { return group.loadPerHead(mixer.k, t); };
        return SmallVector<Value>{largestOf(part, e.index(0), count, key)};
      },
      [&](Value a, Value b) { return e.fmaxNumber(a, b); }, -INFINITY,
      [&](ArrayRef<Value> top, Value head) {
        e.store(groupAt(firstChannel).finite(top[0]), ofHeads, {e.index(0), head});
      });
}

/// Of a sequence where queries do not see all keys, the largest key that a tile's taps reach, from
/// where the exponents of its queries have to be moderate.
Value FilterBlock::findTileBases() {
  Value from = e.sub(e.add(firstColumn, firstTap), e.index(axes[2].before));
  Value end = e.min(e.add(from, sizes.keyStride()), count);
  Value endQuery = e.min(e.add(firstColumn, sizes.queryStride()), width);
  forHeads(
      [&](Value part, Value head) {
        LaneEmitter group = groupAt(e.mul(head, mixer.perHead()));
        auto key = [&](Value t) { return group.loadPerHead(mixer.k, t); };
        auto query = [&](Value t) { return loadQueryRow(mixer, group, t).exponent; };
        return SmallVector<Value>{largestOf(part, e.max(from, e.index(0)), end, key),
                                  largestOf(part, firstColumn, endQuery, query)};
      },
      [&](Value a, Value b) { return e.fmaxNumber(a, b); }, -INFINITY,
      [&](ArrayRef<Value> tops, Value head) {
        e.store(groupAt(firstChannel).finite(tops[0]), ofHeads, {e.index(0), head});
        Value most = e.fadd(e.load(ofHeads, {e.index(2), head}, 0), e.fadd(tops[0], tops[1]));
        e.store(most, ofHeads, {e.index(1), head});
      });
  return areModerate();
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

/// No sums yet, and zeros, which stay where they are beside rows.
void FilterBlock::clear(Value thread) {
  for (int64_t i = 0; i < sumCount(); ++i)
    e.store(none(), sums, {thread, e.index(i)});
  // A tile that is cut is filled with what lies beside rows.
  if (sizes.isWhole() || sizes.isCut)
    return;
  for (Value memory : {queries, keys}) {
    SmallVector<Value> extents;
    ArrayRef<int64_t> shape = cast<MemRefType>(memory.getType()).getShape();
    for (int64_t extent : shape)
      extents.push_back(e.index(extent));
    shareOut(e, thread, sizes.threads, e.index(ShapedType::getNumElements(shape)),
             [&](Value number) { e.store(none(), memory, delinearize(e, number, extents)); });
  }
}

/// Of a tile that is cut, what lies beside the grid is no item.
FilterBlock::Source FilterBlock::sourceOf(const Item &item, Value number) {
  Value width = this->width, zero = e.index(0);
  Value plane = e.sub(tapPlane, e.index(axes[0].before));
  Value row = e.add(e.sub(firstTapRow, e.index(axes[1].before)), firstRow);
  Value reachedRow = e.add(e.mul(plane, axes[1].extent), row);
  Source source;
  source.isQuery = e.less(item.row, rows);
  if (!sizes.isCut) {
    source.query = e.add(e.mul(firstRow, width), e.select(source.isQuery, number, zero));
    source.key = e.add(e.mul(reachedRow, width), number);
    return source;
  }
  Value column = e.add(firstColumn, item.column);
  source.isQuery = e.both(source.isQuery, e.less(item.column, e.index(sizes.queryStride())));
  source.exists = e.both(source.isQuery, e.less(column, width));
  source.query =
      e.select(source.exists, e.add(e.mul(e.add(firstRow, item.row), width), column), zero);
  Value reached = e.sub(e.add(column, firstTap), e.index(axes[2].before));
  source.key = e.select(e.below(reached, width),
                        e.add(e.mul(e.add(reachedRow, item.row), width), reached), e.index(-1));
  return source;
}

/// Queries of the tile, and keys of the rows that the block's taps reach from there, as these lie
/// in memory: some belong to no query.
void FilterBlock::fill(Value thread) {
  int64_t span = sizes.isCut ? sizes.keyStride() : axes[2].extent;
  Value lane = e.rest(thread, sizes.width), part = e.div(thread, sizes.width);
  whenPart(part, sizes.width, [&] {
    Value channel = e.add(firstChannel, lane);
    Item item{groupAt(channel), lane};
    if (sizes.pieces > 1)
      item.isAnothers = e.less(channel, ownChannel);
    Value head = e.sub(e.div(item.group.channel, mixer.perHead()), firstHead);
    item.base = e.load(ofHeads, {e.index(0), head}, 0);
    item.centre = middle(item.group);
    e.loop(part, e.index(sizes.held * span), e.index(sizes.threads / sizes.width),
           [&](Value number) {
             Item one = item;
             one.row = e.div(number, span);
             one.column = e.rest(number, span);
             // Loads of both before the stores.
             Source source = sourceOf(one, number);
             SmallVector<Value> query = queryAt(one, source.query);
             storeKey(one, source.key);
             e.when(source.isQuery, [&] {
               for (auto [i, value] : llvm::enumerate(query)) {
                 Value there = source.exists ? e.select(source.exists, value, none()) : value;
                 e.store(there, queries, {one.row, one.column, e.add(lane, i * sizes.width)});
               }
             });
           });
  });
}

/// exp(m - logz) G, 0 for channels of another turn, and the same times -R for a head with one
/// channel.
SmallVector<Value> FilterBlock::queryAt(Item &item, Value t) {
  QueryRow row = loadQueryRow(mixer, item.group, t);
  Value weight = e.exp(e.fadd(row.exponent, item.base)), hidden = e.equal(weight, none());
  Value a = e.select(hidden, none(), e.fmul(weight, row.g));
  if (item.isAnothers)
    a = e.select(item.isAnothers, none(), a);
  if (mixer.perHead() > 1)
    return {a};
  return {a, e.fmul(a, e.fsub(item.centre, item.group.load(mixer.ratio, t)))};
}

/// exp(k - m) v, and for the first channel of a head exp(k - m).
void FilterBlock::storeKey(Item &item, Value t) {
  Value seen = e.below(t, count);
  t = e.select(seen, t, e.index(0));
  Value k = item.group.loadPerHead(mixer.k, t), v = item.group.load(mixer.v, t);
  Value weight = e.select(seen, e.exp(e.fsub(k, item.base)), none());
  Value column = e.add(item.column, sizes.padding());
  // Of weight 0 it is hidden: its value, perhaps NaN, must not be seen.
  Value b = e.select(e.equal(weight, none()), none(), e.fmul(weight, e.fsub(v, item.centre)));
  e.store(b, keys, {item.row, column, item.lane});
  Value ofHead = e.add(e.div(item.lane, sizes.perHead()), sizes.width);
  auto store = [&] { e.store(weight, keys, {item.row, column, ofHead}); };
  sizes.perHead() == 1 ? store()
                       : e.when(e.less(e.rest(item.lane, sizes.perHead()), e.index(1)), store);
}

/// What the channels of a head have in common: -sum_c A R.
void FilterBlock::shareHeads(Value thread) {
  int64_t span = sizes.isCut ? sizes.queryStride() : axes[2].extent;
  Value head = e.rest(thread, sizes.heads), part = e.div(thread, sizes.heads);
  Value first = e.mul(head, sizes.perHead()), start = e.mul(firstRow, width);
  auto shareOf = [&](Value number) {
    Value row = e.div(number, span), column = e.rest(number, span), t = e.add(start, number);
    Value end = e.add(first, sizes.perHead());
    if (sizes.isCut) {
      Value inGrid = e.add(firstColumn, column);
      t = e.add(e.add(start, e.mul(row, width)), inGrid);
      end = e.select(e.less(inGrid, width), end, first);
    }
    auto add = [&](Value channel, ValueRange carried) {
      LaneEmitter group = groupAt(e.add(firstChannel, channel));
      Value ratio = e.fsub(middle(group), group.load(mixer.ratio, t));
      Value a = e.load(queries, {row, column, channel}, 0);
      return Emitter::Values{e.fma(a, ratio, carried[0])};
    };
    Value sum = e.loop(first, end, e.index(1), none(), add)[0];
    e.store(sum, queries, {row, column, e.add(head, sizes.width)});
  };
  whenPart(part, sizes.heads,
           [&] { e.loop(part, e.mul(rows, span), e.index(sizes.threads / sizes.heads), shareOf); });
}

//===----------------------------------------------------------------------===//
// A block
//===----------------------------------------------------------------------===//

static Emitter::Values without(llvm::function_ref<void()> body) {
  body();
  return {};
}

void FilterBlock::addTile() {
  auto threads = [&](llvm::function_ref<void(Value)> body) {
    forEachThread(e, sizes.threads, body);
  };
  auto add = [&] {
    threads([&](Value thread) { fill(thread); });
    if (mixer.perHead() > 1)
      threads([&](Value thread) { shareHeads(thread); });
    threads([&](Value thread) { multiply(thread); });
  };
  if (!mixer.causal)
    return add();
  e.branch(
      findTileBases(), {}, [&] { return without(add); },
      [&] { return without([&] { threads([&](Value thread) { multiplyExactly(thread); }); }); });
}

/// All tiles of some channels of a batch entry.
void FilterBlock::addTiles() {
  int64_t all = axes[0].extent * axes[1].extent;
  e.loop(e.index(0), e.index(all), e.index(sizes.tile), [&](Value row) {
    firstRow = row;
    rows = e.min(e.index(sizes.tile), e.sub(e.index(all), row));
    if (!sizes.isCut)
      return addTile();
    e.loop(e.index(0), width, e.index(sizes.queryStride()), [&](Value column) {
      firstColumn = column;
      addTile();
    });
  });
}

void FilterBlock::fast() {
  Value start = e.mul(firstHead, mixer.perHead()), zero = e.index(0);
  forEachThread(e, sizes.threads, [&](Value thread) { clear(thread); });
  e.loop(zero, e.dim(mixer.q, 0), e.index(1), [&](Value entry) {
    batch = entry;
    firstChannel = start;
    count = visibleKeys(e, mixer.lengths, batch, e.dim(mixer.q, 1));
    if (!mixer.causal)
      findBases();
    e.loop(zero, e.index(sizes.pieces), e.index(1), [&](Value piece) {
      Value turn = e.mul(piece, sizes.width);
      ownChannel = e.add(start, turn);
      firstChannel =
          e.add(start, e.min(turn, e.index(sizes.heads * mixer.perHead() - sizes.width)));
      addTiles();
    });
  });
  finish();
}

void FilterBlock::exactly() {
  auto loop = [&](Value first, int64_t count, int64_t all, llvm::function_ref<void(Value)> body) {
    e.loop(first, e.min(e.add(first, count), e.index(all)), e.index(1), body);
  };
  e.loop(ownHead, e.add(firstHead, sizes.heads), e.index(1), [&](Value head) {
    loop(firstTapRow, sizes.tapRows, axes[1].taps(), [&](Value row) {
      loop(firstTap, sizes.taps, axes[2].taps(),
           [&](Value column) { exact(head, tapOf(row, column)); });
    });
  });
}

void FilterBlock::run(ArrayRef<Value> block) {
  ownHead = e.mul(block[0], sizes.heads);
  firstHead = e.min(ownHead, e.index(mixer.heads - sizes.heads));
  Value extents[] = {e.index(axes[0].taps()), e.index(sizes.rowBlocks), e.index(sizes.groups)};
  SmallVector<Value> at = delinearize(e, block[1], extents);
  tapPlane = at[0];
  firstTapRow = e.mul(at[1], sizes.tapRows);
  firstTap = e.mul(at[2], sizes.taps);
  e.branch(
      findRange(), {}, [&] { return without([&] { fast(); }); },
      [&] { return without([&] { exactly(); }); });
}

bool aft::emitGridFilter(const WindowMixer &mixer, Emitter &e, int64_t threads,
                         llvm::function_ref<void(Value, Value)> exact) {
  int64_t bytes = accumulationOf(mixer.q).getIntOrFloatBitWidth() / 8;
  FilterSizes sizes(mixer, threads);
  if ((mixer.grid.empty() || !sizes.chooseRows(mixer, e, bytes)) && !sizes.cutRows(mixer, e, bytes))
    return false;
  FilterBlock block(mixer, sizes, e, exact);
  setResidentBlocks(e, kResident);
  Value headBlocks = e.index(divideCeil(mixer.heads, sizes.heads));
  forEachBlock(e, {headBlocks, e.index(block.tapBlocks())},
               [&](ArrayRef<Value> index) { block.run(index); });
  return true;
}
