//===- GridFilter.cpp - Gradient of a filter on a grid of rows ------------===//
// The sum of a tap is, over the batch and all queries t whose key t' there exists,
//   exp(w) (sum_c A[t,c] B[t',c] - C[t] E[t']),
//   A = exp(m - logz) G, B = exp(k - m) v, C = sum_c A R, E = exp(k - m),
// with c the channels of the head and m the largest k of a batch entry. v and R are less a number
// that is about the same, so that their difference loses little.

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
/// Numbers that a thread loads before it waits.
static constexpr int64_t kAtOnce = 2;

SmallVector<SmallVector<int64_t>> FilterSizes::shapes() const {
  return {{tile, queryStride(), lanes()}, {held, keyStride(), lanes()},
          {kSummed, kBlockThreads},       {kSummed, lanes()},
          {2, headParts(), heads},        {heads}};
}

/// Columns of a thread and taps of a block.
void FilterSizes::shareTaps(const WindowMixer &mixer, int64_t bytes) {
  const GridAxis &rows = mixer.grid[1], &line = mixer.grid[2];
  segments = divideCeil(line.extent, kMostOwn * 4 / bytes);
  own = divideCeil(line.extent, segments);
  int64_t most = std::min(kMostSums * 4 / bytes, kMostWrittenOut / own);
  if (line.taps() > most)
    most = std::min(kFewSums * 4 / bytes, most);
  groups = divideCeil(line.taps(), most);
  taps = divideCeil(line.taps(), groups);
  int64_t others = divideCeil(mixer.heads, heads) * mixer.grid[0].taps() * groups;
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

std::optional<FilterSizes> FilterSizes::choose(const WindowMixer &mixer, Emitter &e,
                                               int64_t bytes) {
  int64_t all = mixer.grid[0].extent * mixer.grid[1].extent;
  FilterSizes sizes;
  for (int64_t lanes = kMostLanes; lanes > 1; lanes /= 2) {
    sizes.shareChannels(mixer, lanes);
    sizes.shareTaps(mixer, bytes);
    // Of few rows most keys belong to several tiles.
    int64_t least = std::min<int64_t>(all, lanes > 2 ? 4 : 1);
    int64_t most = std::max<int64_t>(least, divideCeil(sizes.parts(), sizes.segments));
    for (int64_t tiles = divideCeil(all, std::min(all, most)); all / tiles >= least; ++tiles) {
      sizes.tile = divideCeil(all, tiles);
      sizes.held = sizes.tile + sizes.tapRows - 1;
      SmallVector<int64_t> memory;
      for (ArrayRef<int64_t> shape : sizes.shapes())
        memory.push_back(ShapedType::getNumElements(shape) * bytes);
      // What `exact` shares.
      memory.push_back(kBlockThreads / kWarpThreads * bytes);
      if (fitBesideGrids(e, memory))
        return sizes;
    }
  }
  return std::nullopt;
}

FilterBlock::FilterBlock(const WindowMixer &mixer, const FilterSizes &sizes, Emitter &e,
                         llvm::function_ref<void(Value, Value)> exact)
    : mixer(mixer), sizes(sizes), e(e), exact(exact), type(accumulationOf(mixer.q)) {
  Value *memories[] = {&queries, &keys, &threadSums, &laneSums, &headParts, &ofHeads};
  for (auto [memory, shape] : llvm::zip_equal(memories, sizes.shapes()))
    *memory = sharedMemory(e, shape, type);
  sums = threadMemory(e, kBlockThreads, {sumCount()}, type);
}

LaneEmitter FilterBlock::groupAt(Value channel) {
  LaneEmitter group(e, type, 0, batch, channel);
  group.perHead = mixer.perHead();
  return group;
}

//===----------------------------------------------------------------------===//
// Heads
//===----------------------------------------------------------------------===//

/// A number of each head, from what some threads have found.
void FilterBlock::forHeads(llvm::function_ref<SmallVector<Value>(Value, Value)> parts,
                           llvm::function_ref<Value(ArrayRef<Value>)> combine,
                           ArrayRef<double> none) {
  int64_t count = sizes.headParts();
  forEachThread(e, count * sizes.heads, [&](Value thread) {
    Value head = e.rest(thread, sizes.heads), part = e.div(thread, sizes.heads);
    for (auto [i, value] : llvm::enumerate(parts(part, e.add(firstHead, head))))
      e.store(value, headParts, {e.index(i), part, head});
  });
  forEachThread(e, sizes.heads, [&](Value head) {
    SmallVector<Value> start;
    for (double value : none)
      start.push_back(e.number(type, value));
    auto all =
        e.loop(e.index(0), e.index(count), e.index(1), start, [&](Value part, ValueRange carried) {
          Emitter::Values next;
          for (auto [i, top] : llvm::enumerate(carried)) {
            Value one = e.load(headParts, {e.index(i), part, head}, 0);
            // Propagates a NaN of biases, not one of keys.
            next.push_back(carried.size() > 1 ? e.fmax(top, one) : e.fmaxNumber(top, one));
          }
          return next;
        });
    e.store(combine(all), ofHeads, head);
  });
}

/// Whether the filters of all heads are moderate.
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
      [&](ArrayRef<Value> ends) { return e.fadd(ends[0], ends[1]); }, {0, 0});
  Value range = e.loop(e.index(0), e.index(sizes.heads), e.index(1), none(),
                       [&](Value head, ValueRange carried) {
                         return Emitter::Values{e.fmax(carried[0], e.load(ofHeads, head, 0))};
                       })[0];
  return isModerateRange(e, range);
}

/// The largest key of each head in a batch entry.
void FilterBlock::findBases() {
  forHeads(
      [&](Value part, Value head) {
        LaneEmitter group = groupAt(e.mul(head, mixer.perHead()));
        auto largest = [&](ArrayRef<Value> positions, ArrayRef<Value>, ValueRange carried) {
          SmallVector<Value> loaded;
          for (Value t : positions)
            loaded.push_back(group.loadPerHead(mixer.k, t));
          Value top = carried[0];
          for (Value k : loaded)
            top = e.fmaxNumber(top, k);
          return Emitter::Values{top};
        };
        return SmallVector<Value>(inBatches(e, kAtOnce, part, count, e.index(sizes.headParts()),
                                            group.infinity(true), largest));
      },
      [&](ArrayRef<Value> top) { return groupAt(firstChannel).finite(top[0]); }, {-INFINITY});
}

//===----------------------------------------------------------------------===//
// Items
//===----------------------------------------------------------------------===//

/// No sums yet, and zeros, which stay where they are beside rows.
void FilterBlock::clear(Value thread) {
  for (int64_t i = 0; i < sumCount(); ++i)
    e.store(none(), sums, {thread, e.index(i)});
  if (sizes.isWhole())
    return;
  for (Value memory : {queries, keys}) {
    SmallVector<Value> extents;
    ArrayRef<int64_t> shape = cast<MemRefType>(memory.getType()).getShape();
    for (int64_t extent : shape)
      extents.push_back(e.index(extent));
    shareOut(e, thread, kBlockThreads, e.index(ShapedType::getNumElements(shape)),
             [&](Value number) { e.store(none(), memory, delinearize(e, number, extents)); });
  }
}

/// Queries of the tile, and keys of the rows that the block's taps reach from there, as these lie
/// in memory: some belong to no query.
void FilterBlock::fill(Value thread) {
  int64_t width = mixer.grid[2].extent;
  Value lane = e.rest(thread, sizes.width), part = e.div(thread, sizes.width);
  Value plane = e.sub(tapPlane, e.index(mixer.grid[0].before));
  Value row = e.add(e.sub(firstTapRow, e.index(mixer.grid[1].before)), firstRow);
  whenPart(part, sizes.width, [&] {
    Value channel = e.add(firstChannel, lane);
    Item item{groupAt(channel), lane};
    if (sizes.pieces > 1)
      item.isAnothers = e.less(channel, ownChannel);
    Value head = e.sub(e.div(item.group.channel, mixer.perHead()), firstHead);
    item.base = e.load(ofHeads, head, 0);
    item.centre = middle(item.group);
    Value start = e.mul(firstRow, width);
    Value reached = e.mul(e.add(e.mul(plane, mixer.grid[1].extent), row), width);
    e.loop(part, e.index(sizes.held * width), e.index(kBlockThreads / sizes.width),
           [&](Value number) {
             Item one = item;
             one.row = e.div(number, width);
             one.column = e.rest(number, width);
             // Loads of both before the stores.
             Value isQuery = e.less(one.row, rows);
             SmallVector<Value> query =
                 queryAt(one, e.add(start, e.select(isQuery, number, e.index(0))));
             storeKey(one, e.add(reached, number));
             e.when(isQuery, [&] {
               e.store(query[0], queries, {one.row, one.column, lane});
               if (query.size() > 1)
                 e.store(query[1], queries, {one.row, one.column, e.add(lane, sizes.width)});
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
  int64_t padding = sizes.isWhole() ? 0 : mixer.grid[2].before;
  Value seen = e.below(t, count);
  t = e.select(seen, t, e.index(0));
  Value k = item.group.loadPerHead(mixer.k, t), v = item.group.load(mixer.v, t);
  Value weight = e.select(seen, e.exp(e.fsub(k, item.base)), none());
  Value column = e.add(item.column, padding);
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
  int64_t width = mixer.grid[2].extent;
  Value head = e.rest(thread, sizes.heads), part = e.div(thread, sizes.heads);
  Value first = e.mul(head, sizes.perHead()), start = e.mul(firstRow, width);
  auto shareOf = [&](Value number) {
    Value row = e.div(number, width), column = e.rest(number, width), t = e.add(start, number);
    auto add = [&](Value channel, ValueRange carried) {
      LaneEmitter group = groupAt(e.add(firstChannel, channel));
      Value ratio = e.fsub(middle(group), group.load(mixer.ratio, t));
      Value a = e.load(queries, {row, column, channel}, 0);
      return Emitter::Values{e.fma(a, ratio, carried[0])};
    };
    Value sum = e.loop(first, e.add(first, sizes.perHead()), e.index(1), none(), add)[0];
    e.store(sum, queries, {row, column, e.add(head, sizes.width)});
  };
  whenPart(part, sizes.heads, [&] {
    e.loop(part, e.mul(rows, width), e.index(kBlockThreads / sizes.heads), shareOf);
  });
}

//===----------------------------------------------------------------------===//
// A block
//===----------------------------------------------------------------------===//

void FilterBlock::fast() {
  int64_t all = mixer.grid[0].extent * mixer.grid[1].extent;
  auto threads = [&](llvm::function_ref<void(Value)> body) {
    forEachThread(e, kBlockThreads, body);
  };
  Value start = e.mul(firstHead, mixer.perHead()), zero = e.index(0);
  threads([&](Value thread) { clear(thread); });
  e.loop(zero, e.dim(mixer.q, 0), e.index(1), [&](Value entry) {
    batch = entry;
    firstChannel = start;
    count = visibleKeys(e, mixer.lengths, batch, e.dim(mixer.q, 1));
    findBases();
    e.loop(zero, e.index(sizes.pieces), e.index(1), [&](Value piece) {
      Value turn = e.mul(piece, sizes.width);
      ownChannel = e.add(start, turn);
      firstChannel =
          e.add(start, e.min(turn, e.index(sizes.heads * mixer.perHead() - sizes.width)));
      e.loop(zero, e.index(all), e.index(sizes.tile), [&](Value row) {
        firstRow = row;
        rows = e.min(e.index(sizes.tile), e.sub(e.index(all), row));
        threads([&](Value thread) { fill(thread); });
        if (mixer.perHead() > 1)
          threads([&](Value thread) { shareHeads(thread); });
        threads([&](Value thread) { multiply(thread); });
      });
    });
  });
  finish();
}

void FilterBlock::exactly() {
  auto loop = [&](Value first, int64_t count, int64_t all, llvm::function_ref<void(Value)> body) {
    e.loop(first, e.min(e.add(first, count), e.index(all)), e.index(1), body);
  };
  e.loop(ownHead, e.add(firstHead, sizes.heads), e.index(1), [&](Value head) {
    loop(firstTapRow, sizes.tapRows, mixer.grid[1].taps(), [&](Value row) {
      loop(firstTap, sizes.taps, mixer.grid[2].taps(),
           [&](Value column) { exact(head, tapOf(row, column)); });
    });
  });
}

void FilterBlock::run(ArrayRef<Value> block) {
  ownHead = e.mul(block[0], sizes.heads);
  firstHead = e.min(ownHead, e.index(mixer.heads - sizes.heads));
  Value extents[] = {e.index(mixer.grid[0].taps()), e.index(sizes.rowBlocks),
                     e.index(sizes.groups)};
  SmallVector<Value> at = delinearize(e, block[1], extents);
  tapPlane = at[0];
  firstTapRow = e.mul(at[1], sizes.tapRows);
  firstTap = e.mul(at[2], sizes.taps);
  auto without = [](llvm::function_ref<void()> body) {
    body();
    return Emitter::Values{};
  };
  e.branch(
      findRange(), {}, [&] { return without([&] { fast(); }); },
      [&] { return without([&] { exactly(); }); });
}

bool aft::emitGridFilter(const WindowMixer &mixer, Emitter &e,
                         llvm::function_ref<void(Value, Value)> exact) {
  int64_t bytes = accumulationOf(mixer.q).getIntOrFloatBitWidth() / 8;
  std::optional<FilterSizes> sizes = FilterSizes::choose(mixer, e, bytes);
  if (!sizes)
    return false;
  FilterBlock block(mixer, *sizes, e, exact);
  setResidentBlocks(e, kResident);
  Value headBlocks = e.index(divideCeil(mixer.heads, sizes->heads));
  forEachBlock(e, {headBlocks, e.index(block.tapBlocks())},
               [&](ArrayRef<Value> index) { block.run(index); });
  return true;
}
