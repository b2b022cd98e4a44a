//===- BandGradient.cpp - The gradient of a band --------------------------===//
// dband[t,j] sums G (v - R) exp(k + w - logz[t]) over batch and channels: exp(w) times
// a product of queries, (G, -G R) exp(base - logz[t]), and keys, (v, 1) exp(k - base),
// contracted over the channels. A work group takes a block of queries through the whole
// batch. Numbers for which such factors are too large or too small go pair by pair.

#include "compiler/vector/Panels.h"
#include "compiler/vector/RunningSums.h"
#include "compiler/vector/window/BiasGradient.h"
#include "compiler/vector/window/ProductScan.h"
#include "compiler/vector/window/WindowWeights.h"

using namespace mlir;
using namespace aft;

/// Factors exp(x) may have x in this range.
static constexpr double kHighest = 20, kLowest = -80;
/// Bytes of a row of channels that are contracted at once.
static constexpr int64_t kChunkBytes = 1024;
/// Longer windows take few queries at a time, for the sake of the stack.
static constexpr int64_t kLongTaps = 1024;
/// Bytes of the sums of a block at most.
static constexpr int64_t kSumBytes = 1 << 20;

namespace {

/// How many queries are a block, and how many queries and keys share registers.
struct BandSizes {
  int64_t rows, tileRows, tileKeys, chunkBytes;
  BandSizes(int64_t taps, unsigned vectorBits) {
    tileRows = vectorBits >= 512 ? 6 : 4;
    tileKeys = vectorBits >= 512 ? 4 : 3;
    // Keys are made ready once per block: the longer the window, the longer the block.
    int64_t most = kSumBytes / ((taps + 2 * WindowWeights::kPadding) * vectorBits / 8);
    rows = std::max(tileRows, std::min<int64_t>(most, taps <= 64 ? 48 : 96) / 12 * 12);
    chunkBytes = taps <= 256 ? kChunkBytes : kChunkBytes / 2;
    if (taps > kLongTaps) {
      rows = tileRows = 2;
      chunkBytes = vectorBits / 8;
    }
  }
};

/// Emits one block of queries for channels of one lane length.
class BandBlock {
public:
  /// Columns of the sums beside the taps, which products reach but nobody reads.
  static constexpr int64_t kPadding = WindowWeights::kPadding;

  BandBlock(const WindowMixer &mixer, const BandSizes &sizes, const Panel &channels,
            WindowWeights &weights, Value first, Value areModerate);
  void addBatch(Value batch);
  void store(bool isFirst);

private:
  void chunk(const Panel &part, Value keys);
  Value loadQueries(const Panel &part);
  Value loadKeys(const Panel &part, Value keys);
  Value pack(const Panel &part, Value memory, Value row, Value t, Value end,
             llvm::function_ref<WindowCode::Item(LaneEmitter &)> itemOf, Value seen);
  void products(const Panel &part);
  void tile(const Panel &part, Value row, Value place);
  void exactly(LaneEmitter &group, Value keys);
  Value at(Value memory, Value row, Value group, int64_t which);

  const WindowMixer &mixer;
  const BandSizes &sizes;
  const Panel &channels;
  WindowWeights &weights;
  Emitter &e;
  Value first, last, areModerate;
  int64_t chunkGroups, places;
  Value sums;          ///< of each query and tap, a number per lane
  Value queries, keys; ///< the two factors of each, per lane group of a chunk
};

} // namespace

BandBlock::BandBlock(const WindowMixer &mixer, const BandSizes &sizes, const Panel &channels,
                     WindowWeights &weights, Value first, Value areModerate)
    : mixer(mixer), sizes(sizes), channels(channels), weights(weights), e(channels.e), first(first),
      last(e.min(e.add(first, sizes.rows), e.dim(mixer.q, 1))), areModerate(areModerate),
      places(sizes.rows + mixer.taps + sizes.tileKeys) {
  int64_t width = channels.width();
  int64_t bytes = width * channels.element.getIntOrFloatBitWidth() / 8;
  chunkGroups = std::clamp<int64_t>(sizes.chunkBytes / bytes, 1, channels.most);
  sums = e.scratch({sizes.rows, mixer.taps + 2 * kPadding, width}, channels.element);
  queries = e.scratch({sizes.rows, chunkGroups, 2, width}, channels.element);
  keys = e.scratch({places, chunkGroups, 2, width}, channels.element);
  Value zero = channels.group(e.index(0)).number(0);
  e.loop(e.index(0), e.index(sizes.rows), e.index(1), [&](Value row) {
    e.loop(e.index(0), e.dim(sums, 1), e.index(1),
           [&](Value column) { e.store(zero, sums, {row, column, e.index(0)}); });
  });
}

Value BandBlock::at(Value memory, Value row, Value group, int64_t which) {
  return e.load(memory, {row, group, e.index(which), e.index(0)}, channels.lanes);
}

void BandBlock::addBatch(Value batch) {
  Value visible = visibleKeys(e, mixer.lengths, batch, e.dim(mixer.q, 1));
  e.loop(e.index(0), channels.groups, e.index(chunkGroups), [&](Value group) {
    Panel part = channels;
    part.batch = batch;
    part.channel = e.add(channels.channel, e.mul(group, channels.width()));
    part.groups = e.min(e.index(chunkGroups), e.sub(channels.groups, group));
    chunk(part, visible);
  });
}

void BandBlock::chunk(const Panel &part, Value visible) {
  Value zero = part.group(e.index(0)).number(0);
  Value odd = e.fadd(loadQueries(part), loadKeys(part, visible));
  Value isOdd = e.compare(arith::CmpFPredicate::UNE, odd, zero);
  Value isBad = anyLane(e, isOdd), no = e.builder.create<arith::ConstantIntOp>(e.loc, 0, 1);
  e.branch(
      e.select(isBad, no, areModerate), {},
      [&] {
        products(part);
        return Emitter::Values{};
      },
      [&] {
        part.forEachGroup([&](LaneEmitter &group, Value) { exactly(group, visible); });
        return Emitter::Values{};
      });
}

/// Packs exp(x - base) times both numbers of position t, 0 from `end` on; the base of a
/// lane group is logz of the block's first query. Adds to `seen` what is not 0 where a
/// factor is out of range or a number is none.
Value BandBlock::pack(const Panel &part, Value memory, Value row, Value t, Value end,
                      llvm::function_ref<WindowCode::Item(LaneEmitter &)> itemOf, Value seen) {
  auto storePair = [&](Value group, Value one, Value two) {
    e.store(one, memory, {row, group, e.index(0), e.index(0)});
    e.store(two, memory, {row, group, e.index(1), e.index(0)});
  };
  Value exists = e.below(t, end);
  return e.branch(
      exists, seen.getType(),
      [&] {
        return e.loop(e.index(0), part.groups, e.index(1), seen, [&](Value i, ValueRange carried) {
          LaneEmitter group = part.group(i);
          Value zero = group.number(0), none = group.infinity(true);
          WindowCode::Item item = itemOf(group);
          Value isHidden = e.equal(item.exponent, none);
          auto visible = [&](Value value) { return e.select(isHidden, zero, value); };
          Value x = visible(item.exponent), weight = visible(e.exp(x));
          Value one = visible(e.fmul(weight, item.first)), two = e.fmul(weight, item.second);
          storePair(i, one, two);
          auto isBeyond = [&](arith::CmpFPredicate predicate, double bound) {
            return e.compare(predicate, x, group.number(bound));
          };
          Value isOut = e.either(isBeyond(arith::CmpFPredicate::OGT, kHighest),
                                 isBeyond(arith::CmpFPredicate::OLT, kLowest));
          Value odd = e.select(isOut, group.number(1), oddness(e, one, two));
          return Emitter::Values{e.fadd(carried[0], odd)};
        });
      },
      [&] {
        part.forEachGroup(
            [&](LaneEmitter &group, Value i) { storePair(i, group.number(0), group.number(0)); });
        return Emitter::Values{seen};
      })[0];
}

/// logz of the block's first query, 0 if it sees no key.
static Value baseOf(const WindowMixer &mixer, LaneEmitter &group, Value first) {
  return group.finite(group.load(mixer.logz, first));
}

Value BandBlock::loadQueries(const Panel &part) {
  Value zero = part.group(e.index(0)).number(0);
  return e.loop(e.index(0), e.index(sizes.rows), e.index(1), zero, [&](Value row, ValueRange seen) {
    Value t = e.add(first, row);
    auto itemOf = [&](LaneEmitter &group) -> WindowCode::Item {
      QueryRow query = loadQueryRow(mixer, group, t);
      Value x = e.fadd(query.exponent, baseOf(mixer, group, first));
      return {x, query.g, e.fsub(group.number(0), query.gr)};
    };
    return Emitter::Values{pack(part, queries, row, t, last, itemOf, seen[0])};
  })[0];
}

/// Place p is key first - before + p; the window of query r are the places from r to
/// r + taps - 1.
Value BandBlock::loadKeys(const Panel &part, Value visible) {
  Value zero = part.group(e.index(0)).number(0);
  return e.loop(e.index(0), e.index(places), e.index(1), zero, [&](Value place, ValueRange seen) {
    Value t = e.sub(e.add(first, place), e.index(mixer.before));
    auto itemOf = [&](LaneEmitter &group) -> WindowCode::Item {
      Value x = e.fsub(group.load(mixer.k, t), baseOf(mixer, group, first));
      return {x, group.load(mixer.v, t), group.number(1)};
    };
    // Products reach beyond the windows, where later keys are hidden.
    Value end = e.min(visible, e.add(e.sub(last, e.index(1)), mixer.after + 1));
    return Emitter::Values{pack(part, keys, place, t, end, itemOf, seen[0])};
  })[0];
}

/// Keys stay in the L1 cache while the queries that see them pass: of queries there are
/// fewer in a block, so that these come from the L2 cache.
void BandBlock::products(const Panel &part) {
  e.loop(e.index(0), e.index(sizes.rows + mixer.taps - 1), e.index(sizes.tileKeys),
         [&](Value place) {
           // The first and the last query whose windows have one of the keys.
           Value begin = e.max(e.sub(place, e.index(mixer.taps - 1)), e.index(0));
           begin = e.mul(e.div(begin, sizes.tileRows), sizes.tileRows);
           Value end = e.min(e.add(place, sizes.tileKeys), e.index(sizes.rows));
           e.loop(begin, end, e.index(sizes.tileRows), [&](Value row) { tile(part, row, place); });
         });
}

/// Contracts a few queries with a few keys over the channels of a chunk.
void BandBlock::tile(const Panel &part, Value row, Value place) {
  int64_t rows = sizes.tileRows, columns = sizes.tileKeys;
  LaneEmitter any = part.group(e.index(0));
  Emitter::Values zeros(rows * columns, any.number(0));
  auto totals =
      e.loop(e.index(0), part.groups, e.index(1), zeros, [&](Value group, ValueRange carried) {
        Emitter::Values next(carried);
        for (int64_t which = 0; which < 2; ++which) {
          Emitter::Values factors;
          for (int64_t j = 0; j < columns; ++j)
            factors.push_back(at(keys, e.add(place, j), group, which));
          for (int64_t i = 0; i < rows; ++i) {
            Value query = at(queries, e.add(row, i), group, which);
            for (int64_t j = 0; j < columns; ++j)
              next[i * columns + j] = e.fma(query, factors[j], next[i * columns + j]);
          }
        }
        return next;
      });
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      Value query = e.add(row, i), key = e.add(place, j);
      // 0 outside of the window.
      Value weight = weights.at(any, query, e.add(key, 1));
      Value column[] = {query, e.add(e.sub(key, query), kPadding), e.index(0)};
      Value sum = e.load(sums, column, channels.lanes);
      e.store(e.fma(weight, totals[i * columns + j], sum), sums, column);
    }
}

void BandBlock::exactly(LaneEmitter &group, Value visible) {
  e.loop(first, last, e.index(1), [&](Value t) {
    mixer.keysOf(e, t, visible, {}, [&](Value key, Value tap, ValueRange) {
      Value place[] = {e.sub(t, first), e.add(tap, kPadding), e.index(0)};
      Value sum = e.load(sums, place, channels.lanes);
      e.store(e.fadd(sum, biasTerm(mixer, group, t, key, tap)), sums, place);
      return Emitter::Values{};
    });
  });
}

void BandBlock::store(bool isFirst) {
  e.loop(first, last, e.index(1), [&](Value t) {
    e.loop(e.index(0), e.index(mixer.taps), e.index(1), [&](Value tap) {
      Value place[] = {e.sub(t, first), e.add(tap, kPadding), e.index(0)};
      Value sum = e.reduce(e.load(sums, place, channels.lanes),
                           [&](Value a, Value b) { return e.fadd(a, b); });
      if (!isFirst)
        sum = e.fadd(sum, e.load(mixer.inits[3], {t, tap}, 0));
      e.store(sum, mixer.inits[3], {t, tap});
    });
  });
}

void aft::emitBandGradient(const WindowMixer &mixer, Emitter &e, unsigned vectorBits) {
  Type element = accumulationOf(mixer.q);
  BandSizes sizes(mixer.taps, vectorBits);
  Value batches = e.dim(mixer.q, 0), zero = e.index(0);
  int64_t lanes = lanesFor(element, vectorBits);
  while (lanes > mixer.channels)
    lanes /= 2;
  int64_t groups = lanes > 1 ? mixer.channels / lanes : 0, whole = groups * lanes;
  e.grid({e.ceilDiv(e.dim(mixer.q, 1), sizes.rows)}, [&](ArrayRef<Value> index) {
    Value first = e.mul(index[0], sizes.rows);
    LaneEmitter any(e, element, groups > 0 ? lanes : 0, zero, zero);
    WindowWeights weights(mixer, any, /*mirrored=*/false, sizes.rows);
    Value areModerate = weights.areModerate(weights.fill(first));
    auto add = [&](const Panel &channels) {
      BandBlock block(mixer, sizes, channels, weights, first, areModerate);
      e.loop(zero, batches, e.index(1), [&](Value batch) { block.addBatch(batch); });
      block.store(/*isFirst=*/channels.lanes > 0 || groups == 0);
    };
    if (groups > 0)
      add({e, element, lanes, zero, zero, e.index(groups), groups});
    if (int64_t rest = mixer.channels - whole)
      add({e, element, 0, zero, e.index(whole), e.index(rest), rest});
  });
}
