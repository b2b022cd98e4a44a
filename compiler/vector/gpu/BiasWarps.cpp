//===- BiasWarps.cpp - Gradient of the bias of aft.full by tensor cores ---===//
// dw[t,s] = sum over batch entries and channels of p G[t] (v[s] - R[t]), of a block's tile of
// queries and keys, is exp(w - a) times a product over the channels,
//   [u, -u R] [exp(k - c) v, exp(k - c)], u = exp(a + c - logz) G,
// with a the largest w of a query in the tile and c the largest k of a channel there. The two
// numbers of a channel are neighbours; v and R are less what FullMixer::middle says. Where
// a + c - logz is so large that underflow may matter, or a sum is no number, pairs are summed
// exactly.
//
// A step takes some channels of a batch entry, which are loaded to registers while those of
// the step before are multiplied, or copied to shared memory in the background where there is
// room: of bf16, all but logz and R.

#include "compiler/vector/gpu/BiasWarps.h"

#include "compiler/tile/WarpTile.h"
#include "compiler/vector/gpu/Chunks.h"
#include "compiler/vector/gpu/Fragment.h"
#include "compiler/vector/gpu/GpuOps.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/IR/TypeUtilities.h"

#include <cmath>

using namespace mlir;
using namespace aft;

/// Queries and keys of a block, and of a warp.
static constexpr int64_t kRows = 64, kWarpQueries = 32, kWarpKeys = 16;
/// Channels of a step, which are twice as many numbers.
static constexpr int64_t kChannels = 32, kDepth = 2 * kChannels;
/// Threads that share a channel, rows that each has of it, and threads that share the biases
/// of a query.
static constexpr int64_t kParts = kBlockThreads / kChannels, kOwn = kRows / kParts,
                         kBiasParts = kBlockThreads / kRows;

namespace {

/// Emits one block.
class BiasBlock {
public:
  BiasBlock(const FullMixer &mixer, Type factor);
  void run(ArrayRef<Value> block);

private:
  void findBiasParts(Value thread);
  void startBlock(Value thread);
  /// Where a thread's numbers of a step come from; how many keys there are.
  struct Source {
    LaneEmitter group;
    Value exists, keys;
  };
  bool canCopy() const;
  Source sourceOf(Value thread, Value step);
  void load(Value thread, Value step);
  void loadQueries(Value thread, const Source &source);
  void loadKeys(Value thread, const Source &source);
  void copy(Value thread, Value step);
  Value ownGradient(Value thread, int64_t i);
  Value ownKey(Value thread, int64_t i, Value end);
  Value keysOf(Value thread) { return copies() ? sourceOf(thread, step).keys : Value(); }
  Value ownValue(Value thread, int64_t i);
  void findParts(Value thread);
  void exponentiate(Value thread);
  void addSteps();
  void copyAndAddSteps();
  void multiply(Value thread);
  void findWide(Value thread);
  void threads(llvm::function_ref<void(Value)> body) { forEachThread(e, kBlockThreads, body); }
  bool copies() const { return !copied.empty(); }
  Value storeIfGood(Value thread, int64_t i);
  void finish(Value thread);
  void storePair(Value first, Value second, Value memory, Value row, Value channel);

  /// w, -inf where the query does not see the key, whatever the lengths are.
  Value bias(Value t, Value key);
  /// What may be copied.
  SmallVector<Value> sources() const {
    SmallVector<Value> all = {mixer.k, mixer.v, mixer.dy};
    if (mixer.gate != Gate::none)
      all.push_back(mixer.q);
    return all;
  }
  Value isSeen(Value t, Value key) { return e.less(key, mixer.keysSeenBy(t, mixer.keys)); }
  /// Row in the tile of a thread's i-th query or key, and its channel in a step.
  Value rowOf(Value thread, int64_t i) { return e.add(e.mul(e.div(thread, kChannels), kOwn), i); }
  Value channelOf(Value thread) { return e.rest(thread, kChannels); }
  /// Query and key in the tile of a thread's number i.
  std::pair<Value, Value> placeOf(Value thread, Value i);
  Value bits(int64_t value) { return e.builder.create<arith::ConstantIntOp>(e.loc, value, 32); }
  Value bitsAt(Value memory, ValueRange place) {
    return e.builder.create<memref::LoadOp>(e.loc, memory, place);
  }
  void keepBits(Value value, Value memory, ValueRange place) {
    e.builder.create<memref::StoreOp>(e.loc, value, memory, place);
  }
  Value number(double value) { return e.number(element, value); }
  Value finite(Value m) { return e.select(e.equal(m, number(-INFINITY)), number(0), m); }
  Value own(Value memory, Value thread, int64_t i) {
    return e.load(memory, {thread, e.index(i)}, 0);
  }

  const FullMixer &mixer;
  Emitter &e;
  Type element, narrow; ///< narrow: of factors; f32 are rounded as they are multiplied
  Value queries, keys;  ///< [row][number of a channel]
  Value biasParts, biasTops, keyParts; ///< a by thread, a, c by thread
  Value logz, gradient, ratio, k, v;   ///< of a step, in registers
  Value middle;                        ///< what v and R are less
  SmallVector<Value> copied;           ///< [row][channel] of k, v, dy and q, if they are copied
  Value sums;                          ///< in fragments
  Value wide, wideParts, isWide;       ///< queries to sum exactly: bits by thread, rows
  Value firstBatch, lastBatch, firstQuery, firstKey, steps;
  Value step; ///< that is multiplied
};

} // namespace

/// A fragment for each 16 x 8 of a warp's tile.
static constexpr int64_t kNumbers = kWarpQueries * kWarpKeys / kWarpThreads;

BiasBlock::BiasBlock(const FullMixer &mixer, Type factor)
    : mixer(mixer), e(mixer.e), element(mixer.element), narrow(factor) {
  int64_t padding = warpTilePadding(narrow.getIntOrFloatBitWidth(), /*alongSteps=*/true);
  queries = sharedMemory(e, {kRows, kDepth + padding}, narrow);
  keys = sharedMemory(e, {kRows, kDepth + padding}, narrow);
  biasParts = sharedMemory(e, {kRows, kBiasParts}, element);
  biasTops = sharedMemory(e, {kRows}, element);
  keyParts = sharedMemory(e, {kParts, kChannels}, element);
  wideParts = sharedMemory(e, {kParts, kChannels}, e.builder.getI32Type());
  isWide = sharedMemory(e, {kRows}, e.builder.getI32Type());
  if (canCopy())
    for (Value source : sources())
      copied.push_back(sharedMemory(e, {kRows, kChannels}, getElementTypeOrSelf(source)));
  for (Value *memory : {&logz, &gradient, &ratio, &k, &v})
    *memory = threadMemory(e, kBlockThreads, {kOwn}, element);
  middle = threadMemory(e, kBlockThreads, {1}, element);
  wide = threadMemory(e, kBlockThreads, {1}, e.builder.getI32Type());
  sums = threadMemory(e, kBlockThreads, {kNumbers}, element);
}

/// Whether rows consist of chunks, for which there is room beside what a block shares anyway.
bool BiasBlock::canCopy() const {
  SmallVector<int64_t> bytes;
  for (Value source : sources()) {
    if (!consistsOfChunks(source, chunkOf(source)))
      return false;
    bytes.push_back(kRows * kChannels * getElementTypeOrSelf(source).getIntOrFloatBitWidth() / 8);
  }
  return fitBesideGrids(e, bytes);
}

Value BiasBlock::bias(Value t, Value key) {
  Value w = e.convert(e.load(mixer.w, mixer.biasAt(firstBatch, t, key), 0), element);
  return e.select(isSeen(t, key), w, number(-INFINITY));
}

//===----------------------------------------------------------------------===//
// A step
//===----------------------------------------------------------------------===//

void BiasBlock::findBiasParts(Value thread) {
  Value row = e.div(thread, kBiasParts), part = e.rest(thread, kBiasParts);
  Value t = e.add(firstQuery, row), end = e.min(e.sub(mixer.keys, firstKey), e.index(kRows));
  Value last = e.select(e.less(t, mixer.queries), end, e.index(0));
  Value top =
      e.loop(part, last, e.index(kBiasParts), number(-INFINITY), [&](Value i, ValueRange carried) {
        Value one = bias(t, e.add(firstKey, i));
        return Emitter::Values{e.fmaxNumber(carried[0], one)};
      })[0];
  e.store(top, biasParts, {row, part});
}

void BiasBlock::startBlock(Value thread) {
  e.when(e.less(thread, e.index(kRows)), [&] {
    Value top = number(-INFINITY);
    for (int64_t part = 0; part < kBiasParts; ++part)
      top = e.fmaxNumber(top, e.load(biasParts, {thread, e.index(part)}, 0));
    e.store(finite(top), biasTops, thread);
  });
  keepBits(bits(0), wide, {thread, e.index(0)});
  for (int64_t i = 0; i < kNumbers; i += kFragmentNumbers)
    e.store(e.number(VectorType::get({kFragmentNumbers}, element), 0), sums, {thread, e.index(i)});
}

BiasBlock::Source BiasBlock::sourceOf(Value thread, Value step) {
  Value chunks = e.index((mixer.channels + kChannels - 1) / kChannels), none = e.index(0);
  Value batch = e.add(firstBatch, e.builder.createOrFold<arith::DivUIOp>(e.loc, step, chunks));
  Value channel = e.add(e.mul(e.rest(step, chunks), kChannels), channelOf(thread));
  Value exists = e.both(e.less(step, steps), e.less(channel, e.index(mixer.channels)));
  Value keys = e.branch(
      exists, {e.builder.getIndexType()},
      [&] { return Emitter::Values{visibleKeys(e, mixer.lengths, batch, mixer.keys)}; },
      [&] { return Emitter::Values{none}; })[0];
  return {LaneEmitter(e, element, 0, batch, channel), exists, keys};
}

/// What is not there has no weight.
void BiasBlock::load(Value thread, Value step) {
  Source source = sourceOf(thread, step);
  Value common = e.branch(
      source.exists, {element}, [&] { return Emitter::Values{mixer.middle(source.group)}; },
      [&] { return Emitter::Values{number(0)}; })[0];
  e.store(common, middle, {thread, e.index(0)});
  loadQueries(thread, source);
  if (!copies())
    loadKeys(thread, source);
}

/// Of a query of a channel, what has a place in registers.
void BiasBlock::loadQueries(Value thread, const Source &source) {
  LaneEmitter group = source.group;
  Value end = e.select(source.exists, mixer.queries, e.index(0));
  Value less = own(middle, thread, 0);
  for (int64_t i = 0; i < kOwn; ++i) {
    Value t = e.add(firstQuery, rowOf(thread, i));
    SmallVector<Value> memories = {logz, ratio};
    if (!copies())
      memories.push_back(gradient);
    auto loaded = e.branch(
        e.less(t, end), SmallVector<Type>(memories.size(), element),
        [&] {
          Emitter::Values all = {group.load(mixer.logz, t),
                                 e.fsub(group.load(mixer.ratio, t), less)};
          if (!copies())
            all.push_back(mixer.gatedGradient(group, t));
          return all;
        },
        [&] {
          Emitter::Values all(memories.size(), number(0));
          all[0] = number(-INFINITY);
          return all;
        });
    for (auto [memory, one] : llvm::zip_equal(memories, loaded))
      e.store(one, memory, {thread, e.index(i)});
  }
}

void BiasBlock::loadKeys(Value thread, const Source &source) {
  LaneEmitter group = source.group;
  Value less = own(middle, thread, 0);
  for (int64_t i = 0; i < kOwn; ++i) {
    Value key = e.add(firstKey, rowOf(thread, i));
    auto loaded = e.branch(
        e.less(key, source.keys), {element, element},
        [&] {
          return Emitter::Values{group.load(mixer.k, key), e.fsub(group.load(mixer.v, key), less)};
        },
        [&] { return Emitter::Values{number(-INFINITY), number(0)}; });
    e.store(loaded[0], k, {thread, e.index(i)});
    e.store(loaded[1], v, {thread, e.index(i)});
  }
}

/// All threads together, what exists of the rows that are copied.
void BiasBlock::copy(Value thread, Value step) {
  Value chunks = e.index((mixer.channels + kChannels - 1) / kChannels);
  Value batch = e.add(firstBatch, e.builder.createOrFold<arith::DivUIOp>(e.loc, step, chunks));
  Value first = e.mul(e.rest(step, chunks), kChannels);
  for (auto [number, from, to] : llvm::enumerate(sources(), copied)) {
    bool ofKeys = number < 2;
    int64_t chunk = chunkOf(from), across = kChannels / chunk;
    Value end = ofKeys ? mixer.keys : mixer.queries, start = ofKeys ? firstKey : firstQuery;
    shareOut(e, thread, kBlockThreads, e.index(kRows * across), [&, from = from, to = to](Value i) {
      Value inTile = e.div(i, across), inBlock = e.mul(e.rest(i, across), chunk);
      Value row = e.add(start, inTile), channel = e.add(first, inBlock);
      Value exists = e.both(e.less(row, end), e.less(channel, e.index(mixer.channels)));
      e.when(e.both(e.less(step, steps), exists), [&] {
        e.builder.create<CopyChunkOp>(e.loc, from, ValueRange{batch, row, channel}, to,
                                      ValueRange{inTile, inBlock});
      });
    });
  }
  e.builder.create<CopyFenceOp>(e.loc);
}

/// Where there is no query, its logz hides it.
Value BiasBlock::ownGradient(Value thread, int64_t i) {
  if (!copies())
    return own(gradient, thread, i);
  LaneEmitter group(e, element, 0, firstBatch, channelOf(thread));
  auto at = [&](size_t source) {
    return e.load(copied[source], {rowOf(thread, i), channelOf(thread)}, 0);
  };
  return e.fmul(at(2), mixer.gateOf(group, copied.size() > 3 ? at(3) : Value()));
}

Value BiasBlock::ownKey(Value thread, int64_t i, Value end) {
  if (!copies())
    return own(k, thread, i);
  Value exists = e.less(e.add(firstKey, rowOf(thread, i)), end);
  Value key = e.load(copied[0], {rowOf(thread, i), channelOf(thread)}, 0);
  return e.select(exists, key, number(-INFINITY));
}

/// Where there is no key it may be anything.
Value BiasBlock::ownValue(Value thread, int64_t i) {
  if (!copies())
    return own(v, thread, i);
  Value value = e.load(copied[1], {rowOf(thread, i), channelOf(thread)}, 0);
  return e.fsub(value, own(middle, thread, 0));
}

/// The largest of a thread's keys. A NaN is passed over.
void BiasBlock::findParts(Value thread) {
  Value top = number(-INFINITY), endKey = keysOf(thread);
  for (int64_t i = 0; i < kOwn; ++i)
    top = e.fmaxNumber(top, ownKey(thread, i, endKey));
  e.store(top, keyParts, {e.div(thread, kChannels), channelOf(thread)});
}

/// The two numbers of a channel; what meets 0 is 0, even if it is no number.
void BiasBlock::storePair(Value first, Value second, Value memory, Value row, Value channel) {
  auto type = VectorType::get({2}, narrow);
  Value pair = e.builder.create<vector::FromElementsOp>(e.loc, type, ValueRange{first, second});
  e.builder.create<vector::StoreOp>(e.loc, pair, memory, ValueRange{row, e.mul(channel, 2)});
}

/// Both factors as they are multiplied, the second number of a channel from the first as it is
/// rounded.
void BiasBlock::exponentiate(Value thread) {
  Value channel = channelOf(thread), largest = number(-INFINITY), zero = number(0);
  Value found = bitsAt(wide, {thread, e.index(0)}), endKey = keysOf(thread);
  for (int64_t part = 0; part < kParts; ++part)
    largest = e.fmaxNumber(largest, e.load(keyParts, {e.index(part), channel}, 0));
  largest = finite(largest);
  auto times = [&](Value weight, Value by) {
    Value wide = e.convert(weight, element);
    return e.convert(e.select(e.equal(wide, zero), zero, e.fmul(wide, by)), narrow);
  };
  for (int64_t i = 0; i < kOwn; ++i) {
    Value row = rowOf(thread, i), sum = own(logz, thread, i);
    Value x = e.fsub(e.fadd(e.load(biasTops, row, 0), largest), sum);
    // A query that sees no key.
    x = e.select(e.equal(sum, number(-INFINITY)), sum, x);
    Value isWide = e.compare(arith::CmpFPredicate::OGT, x, number(separableRange(element)));
    found = e.select(isWide, e.either(found, bits(int64_t(1) << i)), found);
    Value weight = e.exp(x), hidden = e.equal(weight, zero);
    weight = e.select(hidden, zero, e.fmul(weight, ownGradient(thread, i)));
    weight = e.convert(weight, narrow);
    storePair(weight, times(weight, e.fsub(zero, own(ratio, thread, i))), queries, row, channel);
    weight = e.convert(e.exp(e.fsub(ownKey(thread, i, endKey), largest)), narrow);
    storePair(times(weight, ownValue(thread, i)), weight, keys, row, channel);
  }
  keepBits(found, wide, {thread, e.index(0)});
}

void BiasBlock::multiply(Value thread) {
  auto type = VectorType::get({kFragmentNumbers}, element);
  auto placeOf = [&](size_t fragment) {
    return SmallVector<Value>{thread, e.index(fragment * kFragmentNumbers)};
  };
  SmallVector<Value> before;
  for (int64_t i = 0; i < kNumbers / kFragmentNumbers; ++i)
    before.push_back(e.builder.create<vector::LoadOp>(e.loc, type, sums, placeOf(i)));
  Value warp = e.div(thread, kWarpThreads), across = e.index(kRows / kWarpKeys), zero = e.index(0);
  Value query = e.mul(e.div(warp, kRows / kWarpKeys), kWarpQueries);
  Value key = e.mul(e.rest(warp, across), kWarpKeys);
  auto product = e.builder.create<WarpProductOp>(
      e.loc, thread, queries, ValueRange{query, zero}, keys, ValueRange{key, zero}, before,
      kWarpQueries, kWarpKeys, kDepth, /*transposedA=*/false, /*transposedB=*/true);
  for (auto [i, sum] : llvm::enumerate(product.getResults()))
    e.builder.create<vector::StoreOp>(e.loc, sum, sums, placeOf(i));
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

std::pair<Value, Value> BiasBlock::placeOf(Value thread, Value i) {
  constexpr int64_t kAcross = kWarpKeys / kFragmentColumns, kWarps = kRows / kWarpKeys;
  Value warp = e.div(thread, kWarpThreads);
  FragmentPlace place(e, e.rest(thread, kWarpThreads));
  Value fragment = e.div(i, kFragmentNumbers), inside = e.rest(i, kFragmentNumbers);
  Value query = e.add(e.mul(e.div(warp, kWarps), kWarpQueries), place.row);
  Value key = e.add(e.mul(e.rest(warp, kWarps), kWarpKeys), place.column);
  query = e.add(query, e.add(e.mul(e.div(fragment, kAcross), kFragmentRows),
                             e.mul(e.div(inside, kFragmentPair), kFragmentRows / 2)));
  key = e.add(key, e.add(e.mul(e.rest(fragment, kAcross), kFragmentColumns),
                         e.rest(inside, kFragmentPair)));
  return {query, key};
}

/// Which queries are summed exactly: those of which some thread has said so.
void BiasBlock::findWide(Value thread) {
  e.when(e.less(thread, e.index(kRows)), [&] {
    Value part = e.div(thread, kOwn), any = bits(0);
    for (int64_t i = 0; i < kChannels; ++i)
      any = e.either(any, bitsAt(wideParts, {part, e.index(i)}));
    Value place =
        e.builder.create<arith::IndexCastOp>(e.loc, e.builder.getI32Type(), e.rest(thread, kOwn));
    Value bit = e.builder.create<arith::ShRUIOp>(e.loc, any, place);
    keepBits(e.both(bit, bits(1)), isWide, thread);
  });
}

/// Stores a sum unless it must be made again; whether that is so.
Value BiasBlock::storeIfGood(Value thread, int64_t i) {
  Value zero = number(0), no = e.builder.create<arith::ConstantIntOp>(e.loc, 0, 1);
  auto [row, column] = placeOf(thread, e.index(i));
  Value t = e.add(firstQuery, row), key = e.add(firstKey, column);
  auto store = [&] {
    Value weight = e.exp(e.fsub(bias(t, key), e.load(biasTops, row, 0)));
    // A key of weight 0 is hidden, or as good as that.
    Value sum = e.select(e.equal(weight, zero), zero, e.fmul(weight, own(sums, thread, i)));
    Value yes = e.builder.create<arith::ConstantIntOp>(e.loc, 1, 1);
    Value spoilt = e.builder.create<arith::XOrIOp>(e.loc, e.isFinite(sum), yes);
    spoilt = e.either(spoilt,
                      e.builder.create<arith::TruncIOp>(e.loc, no.getType(), bitsAt(isWide, row)));
    Value bad = e.both(isSeen(t, key), spoilt);
    e.branch(
        bad, {}, [] { return Emitter::Values{}; },
        [&] {
          e.store(sum, mixer.inits[3], mixer.biasAt(firstBatch, t, key));
          return Emitter::Values{};
        });
    return Emitter::Values{bad};
  };
  Value inside = e.both(e.less(t, mixer.queries), e.less(key, mixer.keys));
  return e.branch(inside, {no.getType()}, store, [&] { return Emitter::Values{no}; })[0];
}

/// Sums that are good; then, one after the other, those that are not.
void BiasBlock::finish(Value thread) {
  SmallVector<Value> bad;
  for (int64_t i = 0; i < kNumbers; ++i)
    bad.push_back(storeIfGood(thread, i));
  forEachTrue(e, bad, [&](Value i) {
    auto [row, column] = placeOf(thread, i);
    Value t = e.add(firstQuery, row), key = e.add(firstKey, column);
    Value sum = sumOfPair(mixer, firstBatch, lastBatch, t, key, e.index(0), 1);
    e.store(sum, mixer.inits[3], mixer.biasAt(firstBatch, t, key));
  });
}

/// The next step is loaded to registers while one is multiplied.
void BiasBlock::addSteps() {
  threads([&](Value thread) {
    findBiasParts(thread);
    load(thread, e.index(0));
    findParts(thread);
  });
  threads([&](Value thread) { startBlock(thread); });
  e.loop(e.index(0), steps, e.index(1), [&](Value step) {
    threads([&](Value thread) { exponentiate(thread); });
    threads([&](Value thread) {
      load(thread, e.add(step, 1));
      multiply(thread);
      findParts(thread);
    });
  });
}

/// What is copied of the next step is copied while one is multiplied.
void BiasBlock::copyAndAddSteps() {
  auto loadAll = [&](Value thread, Value step, llvm::function_ref<void()> meanwhile) {
    copy(thread, step);
    load(thread, step);
    meanwhile();
    e.builder.create<CopyWaitOp>(e.loc, 0);
  };
  threads([&](Value thread) { loadAll(thread, e.index(0), [&] { findBiasParts(thread); }); });
  threads([&](Value thread) { startBlock(thread); });
  e.loop(e.index(0), steps, e.index(1), [&](Value number) {
    step = number;
    threads([&](Value thread) { findParts(thread); });
    threads([&](Value thread) { exponentiate(thread); });
    threads([&](Value thread) { loadAll(thread, e.add(step, 1), [&] { multiply(thread); }); });
  });
}

void BiasBlock::run(ArrayRef<Value> block) {
  firstBatch = mixer.perBatchBias ? block[0] : e.index(0);
  lastBatch = mixer.perBatchBias ? e.add(block[0], 1) : mixer.batches;
  firstQuery = e.mul(block[1], kRows);
  firstKey = e.mul(block[2], kRows);
  // The last query sees the most.
  Value end = e.min(e.add(firstQuery, kRows), mixer.queries);
  int64_t chunks = (mixer.channels + kChannels - 1) / kChannels;
  steps = e.select(isSeen(e.sub(end, e.index(1)), firstKey),
                   e.mul(e.sub(lastBatch, firstBatch), chunks), e.index(0));
  copies() ? copyAndAddSteps() : addSteps();
  threads([&](Value thread) {
    keepBits(bitsAt(wide, {thread, e.index(0)}), wideParts,
             {e.div(thread, kChannels), channelOf(thread)});
  });
  threads([&](Value thread) { findWide(thread); });
  threads([&](Value thread) { finish(thread); });
}

void aft::emitBiasesByWarps(const FullMixer &mixer, Type factor) {
  Emitter &e = mixer.e;
  BiasBlock block(mixer, factor);
  Value entries = mixer.perBatchBias ? mixer.batches : e.index(1);
  Value grid[] = {entries, e.ceilDiv(mixer.queries, kRows), e.ceilDiv(mixer.keys, kRows)};
  forEachBlock(e, grid, [&](ArrayRef<Value> index) { block.run(index); });
}
