//===- WindowThreads.cpp - simple, local and conv by blocks of threads ----===//
// On a sequence, simple is a scan (SequenceScan.h), windows go tile by tile (WindowTiles.h),
// and on a grid, too (GridTiles.h), as does the gradient of any filter (GridFilter.h).
// Where the rows of a grid have no room, every pair of positions is looked at.

#include "compiler/vector/full/FullMixer.h"
#include "compiler/vector/gpu/BlockSums.h"
#include "compiler/vector/gpu/ChannelThreads.h"
#include "compiler/vector/gpu/GridFilter.h"
#include "compiler/vector/gpu/GridTiles.h"
#include "compiler/vector/gpu/MixerThreads.h"
#include "compiler/vector/gpu/SequenceScan.h"
#include "compiler/vector/gpu/WindowTiles.h"
#include "compiler/vector/window/WindowRows.h"

using namespace mlir;
using namespace aft;

/// Taps of which a block makes the gradients together, where there are many blocks.
static constexpr int64_t kBlockTaps = 8;
/// Threads of all blocks: as many as windows take.
static constexpr int64_t kThreads = 128;

/// Has operands be memory with as many positions as the grid has, of which the compiler is not told
/// otherwise: so a place has one offset in all of them, and takes fewer registers.
static void shareExtents(WindowMixer &mixer, Emitter &e) {
  int64_t length = 1;
  for (const GridAxis &axis : mixer.grid)
    length *= axis.extent;
  OpFoldResult batches = getAsOpFoldResult(e.dim(mixer.q, 0));
  int64_t known = getConstantIntValue(batches).value_or(ShapedType::kDynamic);
  for (Value *memref : {&mixer.q, &mixer.k, &mixer.v, &mixer.dy, &mixer.ratio, &mixer.logz}) {
    auto type = *memref ? cast<MemRefType>(memref->getType()) : MemRefType();
    if (!type || !type.getLayout().isIdentity())
      continue;
    SmallVector<OpFoldResult> sizes = {batches}, strides;
    for (int64_t size : {length, type.getDimSize(2)})
      sizes.push_back(e.builder.getIndexAttr(size));
    for (int64_t stride : {length * type.getDimSize(2), type.getDimSize(2), int64_t(1)})
      strides.push_back(e.builder.getIndexAttr(stride));
    auto same = MemRefType::get({known, length, type.getDimSize(2)}, type.getElementType());
    *memref = e.builder.create<memref::ReinterpretCastOp>(
        e.loc, same, *memref, e.builder.getIndexAttr(0), sizes, strides);
  }
}

namespace {

/// Emits one mixer or its derivative.
class WindowThreads {
public:
  WindowThreads(Operation *op, OpBuilder &builder)
      : mixer(op, builder), e(builder, op->getLoc()), type(accumulationOf(mixer.q)),
        batches(e.dim(mixer.q, 0)) {
    if (!mixer.grid.empty())
      shareExtents(mixer, e);
    length = e.dim(mixer.q, 1);
    if (mixer.grid.empty())
      axes.push_back({ShapedType::kDynamic, mixer.before, mixer.after});
    else
      axes = mixer.grid;
  }
  void forward();
  void backward();

private:
  Value keysOf(Value batch) { return visibleKeys(e, mixer.lengths, batch, length); }
  bool sharedKeys() const;
  StoreKey storeKey(LaneEmitter &group);
  WindowCode codeOf(bool mirrored);
  SequenceScan sequence(bool mirrored);
  WindowTiles windows(bool mirrored);
  SmallVector<Value> coordinates(Value position);
  Value biasOf(Value head, Value t, Value key);
  std::pair<Value, Value> keyOf(Value t, Value tap);
  Value weightOf(LaneEmitter &group, Value k, Value logz, Value bias);

  GridTiles gridTiles(bool mirrored);
  void gridRow(LaneEmitter &group, Value t);
  void gridKey(LaneEmitter &group, Value key);
  void headKey(Value batch, Value head, Value key);
  void headKeys();
  void windowKeys();
  void shareKeys(GridTiles &tiles);
  void gridKeys();
  Emitter::Values bandTerms(LaneEmitter &group, Value t, Value firstTap, ValueRange sums);
  void bandGradient();
  void sumTap(Value head, Value tap);
  void filterGradient();

  WindowMixer mixer;
  Emitter e;
  Type type;
  Value batches, length;
  Value ofChannel;            ///< dk of a channel
  SmallVector<GridAxis> axes; ///< of a grid, or the only one
};

} // namespace

/// Whether a key has a weight for several channels.
bool WindowThreads::sharedKeys() const { return mixer.perHeadBias && mixer.perHead() > 1; }

WindowCode WindowThreads::codeOf(bool mirrored) {
  if (!mirrored)
    return forwardCode(mixer);
  return backwardCode(mixer, [&](LaneEmitter &group) { return storeKey(group); });
}

/// Of keys that are those of a head, what a channel adds is kept.
StoreKey WindowThreads::storeKey(LaneEmitter &group) {
  return [&](Value value, Value t) {
    if (sharedKeys())
      ofChannel = value;
    else
      group.store(value, mixer.inits[1], t);
  };
}

/// simple: there is no window.
SequenceScan WindowThreads::sequence(bool mirrored) {
  SequenceScan scan;
  scan.accumulation = type;
  scan.channels = mixer.channels;
  scan.vector = vectorChannels(mixer.q, mixer.channels);
  scan.running = mixer.causal;
  scan.downward = mirrored;
  scan.batches = batches;
  scan.length = length;
  scan.items = [&, mirrored](Value batch) { return mirrored ? length : keysOf(batch); };
  scan.code = codeOf(mirrored);
  if (mirrored)
    scan.visit = [&](LaneEmitter &group, Value t) { storeQueryGradient(mixer, group, t); };
  return scan;
}

/// Mirrored, positions are keys and items queries: from the last on where it is causal.
WindowTiles WindowThreads::windows(bool mirrored) {
  WindowTiles tiles;
  tiles.accumulation = type;
  tiles.channels = mixer.channels;
  tiles.perHead = mixer.perHead();
  tiles.vector = vectorChannels(mixer.q, tiles.perHead > 1 ? tiles.perHead : tiles.channels);
  tiles.above = !mixer.causal;
  tiles.downward = mirrored && mixer.causal;
  bool swapped = mirrored && !tiles.downward;
  tiles.before = swapped ? mixer.after : mixer.before;
  tiles.after = swapped ? mixer.before : mixer.after;
  tiles.batches = batches;
  tiles.length = length;
  tiles.items = [&, mirrored](Value batch) { return mirrored ? length : keysOf(batch); };
  auto load = [&, swapped](Value row, Value j) {
    Value tap = swapped ? e.sub(e.index(mixer.taps - 1), j) : j;
    return e.convert(e.load(mixer.bias, {row, tap}, 0), type);
  };
  tiles.perHeadBias = mixer.perHeadBias;
  tiles.headBias = load;
  tiles.bias = [load, mirrored](Value position, Value item, Value j) {
    return load(mirrored ? item : position, j);
  };
  tiles.code = codeOf(mirrored);
  if (!mirrored) {
    tiles.exact = [&](LaneEmitter &group, Value t, ArrayRef<MixState> outside) {
      finishWindowRow(mixer, group, t, keysOf(group.batch), outside);
    };
    return tiles;
  }
  tiles.exact = [&](LaneEmitter &group, Value key, ArrayRef<MixState> outside) {
    finishWindowKey(mixer, group, key, outside, storeKey(group));
  };
  tiles.visit = [&](LaneEmitter &group, Value t) { storeQueryGradient(mixer, group, t); };
  return tiles;
}

/// Mirrored, positions are keys and items queries.
GridTiles WindowThreads::gridTiles(bool mirrored) {
  GridTiles tiles;
  tiles.accumulation = type;
  tiles.channels = mixer.channels;
  tiles.perHead = mixer.perHead();
  SmallVector<GridAxis> axes = mixer.axesOf(mirrored);
  if (axes[0].extent > 1)
    tiles.planes = axes[0];
  tiles.rows = axes[1];
  tiles.columns = axes[2];
  tiles.batches = batches;
  tiles.items = [&, mirrored](Value batch) { return mirrored ? length : keysOf(batch); };
  // Of several planes of the filter, one lies on the only plane.
  int64_t before = (axes[0].before - tiles.planes.before) * axes[1].taps() * axes[2].taps();
  tiles.bias = [&, mirrored, before](Value head, Value inPlane) {
    Value place = e.add(inPlane, before);
    Value tap = mirrored ? e.sub(e.index(mixer.taps - 1), place) : place;
    return e.convert(e.load(mixer.bias, {head, tap}, 0), type);
  };
  tiles.code = codeOf(mirrored);
  if (!mirrored) {
    tiles.exact = [&](LaneEmitter &group, Value t) { gridRow(group, t); };
    return tiles;
  }
  tiles.exact = [&](LaneEmitter &group, Value key) { gridKey(group, key); };
  tiles.exactHead = [&](LaneEmitter &group, Value key) {
    headKey(group.batch, e.div(group.channel, mixer.perHead()), key);
  };
  tiles.visit = [&](LaneEmitter &group, Value t) { storeQueryGradient(mixer, group, t); };
  return tiles;
}

//===----------------------------------------------------------------------===//
// Pairs
//===----------------------------------------------------------------------===//

/// On each axis, the first first.
SmallVector<Value> WindowThreads::coordinates(Value position) {
  SmallVector<Value> extents;
  for (const GridAxis &axis : axes)
    extents.push_back(axes.size() == 1 ? length : e.index(axis.extent));
  return delinearize(e, position, extents);
}

/// The bias of a query for a key, 0 outside of the window.
Value WindowThreads::biasOf(Value head, Value t, Value key) {
  SmallVector<Value> from = coordinates(t), to = coordinates(key);
  Value tap = e.index(0), inside;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    Value place = e.add(e.sub(to[i], from[i]), axis.before);
    // Below the window it wraps around.
    Value within = e.below(place, e.index(axis.taps()));
    inside = inside ? e.both(inside, within) : within;
    tap = e.add(e.mul(tap, axis.taps()), place);
  }
  Value safe = e.select(inside, tap, e.index(0));
  Value bias = e.convert(e.load(mixer.bias, {head, safe}, 0), type);
  return e.select(inside, bias, e.number(type, 0));
}

/// The key of a tap, and whether it lies on the grid.
std::pair<Value, Value> WindowThreads::keyOf(Value t, Value tap) {
  SmallVector<Value> taps, from = coordinates(t);
  for (const GridAxis &axis : axes)
    taps.push_back(e.index(axis.taps()));
  taps = delinearize(e, tap, taps);
  Value key = e.index(0), inside;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    Value extent = axes.size() == 1 ? length : e.index(axis.extent);
    Value place = e.sub(e.add(from[i], taps[i]), e.index(axis.before));
    Value within = e.below(place, extent);
    inside = inside ? e.both(inside, within) : within;
    key = e.add(e.builder.createOrFold<arith::MulIOp>(e.loc, key, extent), place);
  }
  return {key, inside};
}

/// exp(k + w - logz) of a pair; logz and k are those of a head.
Value WindowThreads::weightOf(LaneEmitter &group, Value k, Value logz, Value bias) {
  Value none = group.infinity(true), x = exponentOf(group, k, bias);
  Value hidden = e.either(e.equal(logz, none), e.equal(x, none));
  return e.select(hidden, group.number(0), e.exp(e.fsub(x, logz)));
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

/// All keys, one by one.
void WindowThreads::gridRow(LaneEmitter &group, Value t) {
  Value head = e.div(group.channel, mixer.perHead());
  auto exponent = [&](Value key) {
    return exponentOf(group, group.loadPerHead(mixer.k, key), biasOf(head, t, key));
  };
  auto value = [&](Value key) { return group.load(mixer.v, key); };
  storeRow(mixer, group, t,
           addExactly(group, e.index(0), keysOf(group.batch), group.emptyState(), exponent, value));
}

void WindowThreads::forward() {
  if (mixer.taps == 0)
    return sequence(/*mirrored=*/false).run(e);
  if (mixer.grid.empty())
    return windows(/*mirrored=*/false).run(e);
  GridTiles tiles = gridTiles(/*mirrored=*/false);
  if (tiles.fit())
    return tiles.run(e);
  forEachChannelThread(e, type, batches, length, mixer.channels, mixer.perHead(), kThreads,
                       [&](LaneEmitter &group, Value t) { gridRow(group, t); });
}

//===----------------------------------------------------------------------===//
// Derivative
//===----------------------------------------------------------------------===//

/// dv of a key on a grid.
void WindowThreads::gridKey(LaneEmitter &group, Value key) {
  Value head = e.div(group.channel, mixer.perHead()), k = group.loadPerHead(mixer.k, key);
  Value dv = sumInBlocks(e, e.index(0), length, {group.number(0)}, [&](Value t) {
    Value p = weightOf(group, k, group.loadPerHead(mixer.logz, t), biasOf(head, t, key));
    return SmallVector<Value>{e.fmul(p, loadQueryRow(mixer, group, t).g)};
  })[0];
  storeKeyGradients(mixer, group, key, dv, group.number(0), [](Value, Value) {});
}

/// dk of conv: a key has a weight for all channels of its head.
void WindowThreads::headKey(Value batch, Value head, Value key) {
  LaneEmitter heads(e, type, 0, batch, head);
  Value k = heads.load(mixer.k, key), first = mixer.causal ? key : e.index(0);
  Value dk = sumInBlocks(e, first, length, {heads.number(0)}, [&](Value t) {
    Value p = weightOf(heads, k, heads.load(mixer.logz, t), biasOf(head, t, key));
    Value start = e.mul(head, mixer.perHead());
    Value sum = e.loop(start, e.add(start, mixer.perHead()), e.index(1), heads.number(0),
                       [&](Value channel, ValueRange carried) {
                         LaneEmitter group(e, type, 0, batch, channel);
                         group.perHead = mixer.perHead();
                         Value g = loadQueryRow(mixer, group, t).g;
                         Value d = e.fsub(group.load(mixer.v, key), group.load(mixer.ratio, t));
                         return Emitter::Values{e.fma(g, d, carried[0])};
                       })[0];
    return SmallVector<Value>{e.fmul(p, sum)};
  })[0];
  Value visible = e.less(key, keysOf(batch));
  heads.store(e.select(visible, dk, heads.number(0)), mixer.inits[1], key);
}

void WindowThreads::headKeys() {
  forEachChannelThread(
      e, type, batches, length, mixer.heads, 1, kThreads,
      [&](LaneEmitter &heads, Value key) { headKey(heads.batch, heads.channel, key); });
}

/// dq, dk and dv of a sequence. dk of a head is a sum over its channels.
void WindowThreads::windowKeys() {
  WindowTiles tiles = windows(/*mirrored=*/true);
  if (!sharedKeys())
    return tiles.run(e);
  // Wide heads take turns, and these take registers.
  if (tiles.perHead > kWarpThreads)
    tiles.vector = std::min<int64_t>(tiles.vector, 4);
  tiles.shared = [&] { return ofChannel; };
  tiles.finishHead = [&](LaneEmitter &group, Value key, Value sum) {
    e.store(sum, mixer.inits[1], {group.batch, key, e.div(group.channel, mixer.perHead())});
  };
  if (tiles.fit())
    return tiles.run(e);
  tiles.shared = nullptr;
  tiles.run(e);
  headKeys();
}

/// dk of a head with several channels on a grid, from sums over queries of exp(-logz) G and,
/// over its channels, exp(-logz) G R.
void WindowThreads::shareKeys(GridTiles &tiles) {
  tiles.share = [&](LaneEmitter &group, Value key, const MixState &state) {
    Value scale = e.exp(e.fadd(group.loadPerHead(mixer.k, key), state.m)), share;
    Value dv = e.fmul(scale, state.n);
    storeKeyGradients(mixer, group, key, dv, e.fmul(dv, group.load(mixer.v, key)),
                      [&](Value value, Value) { share = value; });
    return share;
  };
  tiles.finishHead = [&](LaneEmitter &group, Value key, const MixState &state, Value shared) {
    Value k = group.loadPerHead(mixer.k, key), zero = group.number(0);
    Value rest = e.fmul(e.exp(e.fadd(k, state.m)), state.z);
    // Hidden keys have no gradient.
    Value hidden = e.either(e.equal(k, group.infinity(true)),
                            e.less(e.sub(keysOf(group.batch), e.index(1)), key));
    Value dk = e.select(hidden, zero, e.fsub(shared, rest));
    e.store(dk, mixer.inits[1], {group.batch, key, e.div(group.channel, mixer.perHead())});
  };
}

/// dq, dk and dv on a grid.
void WindowThreads::gridKeys() {
  GridTiles tiles = gridTiles(/*mirrored=*/true);
  if (sharedKeys())
    shareKeys(tiles);
  if (tiles.fit())
    return tiles.run(e);
  // Heads that are too wide for a block.
  tiles.share = nullptr;
  tiles.finishHead = nullptr;
  tiles.exactHead = nullptr;
  if (sharedKeys() && tiles.fit())
    tiles.run(e);
  else
    forEachChannelThread(e, type, batches, length, mixer.channels, mixer.perHead(), kThreads,
                         [&](LaneEmitter &group, Value key) {
                           storeQueryGradient(mixer, group, key);
                           gridKey(group, key);
                         });
  headKeys();
}

/// Adds the terms of a block's taps of query t, of some channels of a batch entry.
Emitter::Values WindowThreads::bandTerms(LaneEmitter &group, Value t, Value firstTap,
                                         ValueRange sums) {
  QueryRow row = loadQueryRow(mixer, group, t);
  Value ratio = group.load(mixer.ratio, t), keys = keysOf(group.batch), zero = e.index(0);
  Emitter::Values next;
  for (int64_t i = 0; i < kBlockTaps; ++i) {
    Value tap = e.add(firstTap, i), key = e.sub(e.add(t, tap), e.index(mixer.before));
    Value exists = e.both(e.below(key, keys), e.less(tap, e.index(mixer.taps)));
    Value safe = e.select(exists, key, zero);
    Value bias = mixer.weight(group, t, e.select(exists, tap, zero));
    Value x = exponentOf(group, group.load(mixer.k, safe), bias);
    Value hidden =
        e.either(e.equal(row.exponent, group.infinity(true)), e.equal(x, group.infinity(true)));
    Value p = e.exp(e.fadd(x, row.exponent)), distance = e.fsub(group.load(mixer.v, safe), ratio);
    Value term = e.select(hidden, group.number(0), e.fmul(e.fmul(p, row.g), distance));
    term = e.reduce(term, [&](Value a, Value b) { return e.fadd(a, b); });
    next.push_back(e.fadd(sums[i], e.select(exists, term, e.number(type, 0))));
  }
  return next;
}

/// A block has a query and some of its taps; threads share batch and channels.
void WindowThreads::bandGradient() {
  int64_t vector = vectorChannels(mixer.q, mixer.channels), each = mixer.channels / vector;
  Value tapBlocks = e.index((mixer.taps + kBlockTaps - 1) / kBlockTaps);
  forEachBlock(e, {length, tapBlocks}, [&](ArrayRef<Value> block) {
    Value firstTap = e.mul(block[1], kBlockTaps);
    auto parts = [&](Value thread) {
      SmallVector<Value> zeros(kBlockTaps, e.number(type, 0));
      Value count = e.mul(batches, each);
      return e.loop(thread, count, e.index(kThreads), zeros, [&](Value number, ValueRange sums) {
        SmallVector<Value> at = delinearize(e, number, {batches, e.index(each)});
        LaneEmitter group(e, type, vector > 1 ? vector : 0, at[0], e.mul(at[1], vector));
        return bandTerms(group, block[0], firstTap, sums);
      });
    };
    BlockSums{type, kBlockTaps, kThreads}.runAll(e, parts, [&](Value sum, Value number) {
      Value tap = e.add(firstTap, number);
      e.when(e.less(tap, e.index(mixer.taps)),
             [&] { e.store(sum, mixer.inits[3], {block[0], tap}); });
    });
  });
}

/// One number of dfilter, pair by pair.
void WindowThreads::sumTap(Value head, Value tap) {
  auto part = [&](Value, Value lane, int64_t lanes) {
    Value zero = e.number(type, 0), count = e.mul(length, mixer.perHead());
    return e.loop(e.index(0), batches, e.index(1), zero, [&](Value batch, ValueRange all) {
      return e.loop(lane, count, e.index(lanes), all, [&](Value pair, ValueRange sums) {
        SmallVector<Value> at = delinearize(e, pair, {length, e.index(mixer.perHead())});
        auto [key, inside] = keyOf(at[0], tap);
        Value exists = e.both(inside, e.less(key, keysOf(batch)));
        return e.branch(
            exists, {type},
            [&, key = key] {
              LaneEmitter group(e, type, 0, batch, e.add(e.mul(head, mixer.perHead()), at[1]));
              group.perHead = mixer.perHead();
              return Emitter::Values{e.fadd(sums[0], biasTerm(mixer, group, at[0], key, tap))};
            },
            [&] { return Emitter::Values{sums[0]}; });
      });
    })[0];
  };
  BlockSums{type, 1, kThreads}.run(
      e, part, [&](Value sum, Value) { e.store(sum, mixer.inits[3], {head, tap}); });
}

void WindowThreads::filterGradient() {
  auto exact = [&](Value head, Value tap) { sumTap(head, tap); };
  if (emitGridFilter(mixer, e, mixer.grid.empty() ? kThreads : kBlockThreads, exact))
    return;
  forEachBlock(e, {e.index(mixer.heads), e.index(mixer.taps)},
               [&](ArrayRef<Value> block) { sumTap(block[0], block[1]); });
}

void WindowThreads::backward() {
  if (mixer.taps == 0)
    return sequence(/*mirrored=*/true).run(e);
  if (!mixer.grid.empty()) {
    gridKeys();
  } else {
    windowKeys();
  }
  if (mixer.inits.size() == 4)
    mixer.perHeadBias ? filterGradient() : bandGradient();
}

void aft::emitWindowThreads(Operation *op, OpBuilder &builder) {
  WindowThreads(op, builder).forward();
}

void aft::emitWindowGradThreads(Operation *op, OpBuilder &builder) {
  WindowThreads(op, builder).backward();
}
