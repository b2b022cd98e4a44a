//===- FullThreads.cpp - aft.full by blocks of threads --------------------===//
// Sums over keys or queries go through tiles of pairs (PairTiles.h); for the gradient of
// the bias some threads share the channels of a pair, or warps multiply (BiasWarps.h).

#include "compiler/vector/full/FullMixer.h"
#include "compiler/vector/gpu/BiasWarps.h"
#include "compiler/vector/gpu/BlockSums.h"
#include "compiler/vector/gpu/ChannelThreads.h"
#include "compiler/vector/gpu/MixerThreads.h"
#include "compiler/vector/gpu/PairTiles.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace aft;

/// Vectors mean nothing here.
static constexpr unsigned kScalarBits = 32;
/// Keys of which a block makes the gradients of the bias together.
static constexpr int64_t kBlockKeys = 8;

static Value visible(const FullMixer &mixer, Value batch) {
  return visibleKeys(mixer.e, mixer.lengths, batch, mixer.keys);
}

/// w of a pair, -inf where the query does not see the key.
static Value pairBias(const FullMixer &mixer, Value batch, Value t, Value key) {
  Emitter &e = mixer.e;
  Value seen = e.less(key, mixer.keysSeenBy(t, visible(mixer, batch)));
  Value w = e.convert(e.load(mixer.w, mixer.biasAt(batch, t, key), 0), mixer.element);
  return e.select(seen, w, e.number(mixer.element, -INFINITY));
}

/// Whether keys and values have a type.
static bool keysAre(const FullMixer &mixer, Type type) {
  return llvm::all_of(ValueRange{mixer.k, mixer.v}, [&](Value memref) {
    return cast<MemRefType>(memref.getType()).getElementType() == type;
  });
}

/// Of what type factors of a product by tensor cores are that keys and values may be rounded to;
/// null where they are more exact.
static Type factorOf(const FullMixer &mixer, bool tf32) {
  for (Type type : {Type(mixer.e.builder.getBF16Type()), Type(mixer.e.builder.getF32Type())})
    if ((type.isBF16() || tf32) && keysAre(mixer, type))
      return type;
  return nullptr;
}

static PairTiles tilesOf(const FullMixer &mixer) {
  PairTiles tiles;
  tiles.element = mixer.element;
  tiles.channels = mixer.channels;
  tiles.batches = mixer.batches;
  return tiles;
}

void aft::emitFullThreads(FullOp op, OpBuilder &builder, bool tf32) {
  Emitter e(builder, op.getLoc());
  FullMixer mixer(op, e, kScalarBits, PairDots::None);
  PairTiles tiles = tilesOf(mixer);
  tiles.outputs = mixer.queries;
  tiles.items = [&](Value batch, Value, Value end) {
    Value last = mixer.keysSeenBy(e.sub(end, e.index(1)), visible(mixer, batch));
    return std::pair(e.index(0), last);
  };
  tiles.bias = [&](Value batch, Value t, Value key) { return pairBias(mixer, batch, t, key); };
  tiles.sources = {mixer.v, mixer.k};
  tiles.make = [](LaneEmitter &, ArrayRef<Value> loaded) { return SmallVector<Value>(loaded); };
  tiles.finish = [&](LaneEmitter &group, Value t, Value m, ValueRange sums) {
    MixState state{m, sums[1], sums[0]};
    // A query without a key is 0 whatever the gate says.
    Value y = e.fmul(group.gate(mixer.gate, group.load(mixer.q, t)), group.ratio(state));
    y = e.select(e.equal(state.z, group.number(0)), group.number(0), y);
    group.store(y, mixer.inits[0], t);
    if (mixer.inits.size() == 3) {
      group.store(group.ratio(state), mixer.inits[1], t);
      group.store(group.logz(state), mixer.inits[2], t);
    }
  };
  if (Type factor = factorOf(mixer, tf32))
    tiles.runByWarps(e, factor);
  else
    tiles.run(e);
}

/// G exp(k + w - logz) of a pair.
static Value gradientWeight(const FullMixer &mixer, LaneEmitter &group, Value t, Value key) {
  Emitter &e = mixer.e;
  Value logz = group.load(mixer.logz, t), none = group.infinity(true);
  Value x = exponentOf(group, group.load(mixer.k, key), mixer.bias(group, t, key));
  Value hidden = e.either(e.equal(logz, none), e.equal(x, none));
  Value p = e.select(hidden, group.number(0), e.exp(e.fsub(x, logz)));
  return e.select(hidden, group.number(0), e.fmul(p, mixer.gatedGradient(group, t)));
}

/// dq of all queries.
static void emitQueries(const FullMixer &mixer) {
  Emitter &e = mixer.e;
  forEachChannelThread(e, mixer.element, mixer.batches, mixer.queries, mixer.channels, 1,
                       kBlockThreads, [&](LaneEmitter &group, Value t) {
                         Value slope = group.gateDerivative(mixer.gate, group.load(mixer.q, t));
                         Value dq = e.fmul(e.fmul(group.load(mixer.dy, t), slope),
                                           group.load(mixer.ratio, t));
                         group.store(dq, mixer.inits[0], t);
                       });
}

/// dk and dv of all keys: sums over queries, of exp(w - logz) G and the same times R.
static void emitKeys(const FullMixer &mixer, Type factor) {
  Emitter &e = mixer.e;
  PairTiles tiles = tilesOf(mixer);
  tiles.outputs = mixer.keys;
  tiles.values = 2;
  // Values and R less a number that is about the same: so their difference loses nothing when
  // they are rounded.
  auto centred = [&](LaneEmitter &group, Value number) {
    return factor ? e.fsub(number, mixer.middle(group)) : number;
  };
  tiles.items = [&](Value, Value from, Value) {
    return std::pair(mixer.firstQueryOf(from), mixer.queries);
  };
  tiles.bias = [&](Value batch, Value key, Value t) { return pairBias(mixer, batch, t, key); };
  tiles.sources = {mixer.dy, mixer.ratio, mixer.logz};
  if (mixer.gate != Gate::none)
    tiles.sources.push_back(mixer.q);
  tiles.make = [&](LaneEmitter &group, ArrayRef<Value> loaded) {
    Value g = e.fmul(loaded[0], mixer.gateOf(group, loaded.back())), none = group.infinity(true);
    Value logz = loaded[2];
    Value x = e.select(e.equal(logz, none), none, e.fsub(group.number(0), logz));
    return SmallVector<Value>{g, e.fmul(g, centred(group, loaded[1])), x};
  };
  tiles.finish = [&](LaneEmitter &group, Value key, Value m, ValueRange sums) {
    Value scale = e.exp(e.fadd(group.load(mixer.k, key), m));
    Value v = centred(group, group.load(mixer.v, key));
    Value dk = e.fmul(scale, e.fsub(e.fmul(v, sums[1]), sums[2]));
    // A hidden key has no gradient, whatever its value is.
    Value hidden = e.equal(scale, group.number(0));
    auto seen = [&](Value value) { return e.select(hidden, group.number(0), value); };
    group.store(seen(dk), mixer.inits[1], key);
    group.store(seen(e.fmul(scale, sums[1])), mixer.inits[2], key);
  };
  factor ? tiles.runByWarps(e, factor) : tiles.run(e);
}

Value aft::sumOfPair(const FullMixer &mixer, Value first, Value last, Value t, Value key,
                     Value lane, int64_t lanes) {
  Emitter &e = mixer.e;
  Value zero = e.number(mixer.element, 0);
  return e.loop(first, last, e.index(1), zero, [&](Value batch, ValueRange carried) {
    Value seen = e.less(key, mixer.keysSeenBy(t, visible(mixer, batch)));
    Value end = e.select(seen, e.index(mixer.channels), e.index(0));
    return e.loop(lane, end, e.index(lanes), carried, [&](Value channel, ValueRange sums) {
      LaneEmitter group(e, mixer.element, 0, batch, channel);
      Value pg = gradientWeight(mixer, group, t, key);
      Value distance = e.fsub(group.load(mixer.v, key), group.load(mixer.ratio, t));
      Value term = e.select(e.equal(pg, group.number(0)), group.number(0), e.fmul(pg, distance));
      return Emitter::Values{e.fadd(sums[0], term)};
    });
  })[0];
}

/// dw, for all batch entries together, or each on its own.
static void emitBiases(const FullMixer &mixer, Type factor) {
  if (factor)
    return emitBiasesByWarps(mixer, factor);
  Emitter &e = mixer.e;
  Value entries = mixer.perBatchBias ? mixer.batches : e.index(1);
  Value grid[] = {entries, mixer.queries, e.ceilDiv(mixer.keys, kBlockKeys)};
  forEachBlock(e, grid, [&](ArrayRef<Value> block) {
    Value t = block[1];
    auto keyOf = [&](Value number) { return e.add(e.mul(block[2], kBlockKeys), number); };
    auto part = [&](Value number, Value lane, int64_t lanes) {
      Value first = mixer.perBatchBias ? block[0] : e.index(0);
      Value last = mixer.perBatchBias ? e.add(block[0], 1) : mixer.batches;
      return sumOfPair(mixer, first, last, t, keyOf(number), lane, lanes);
    };
    BlockSums{mixer.element, kBlockKeys}.run(e, part, [&](Value sum, Value number) {
      Value key = keyOf(number);
      e.when(e.less(key, mixer.keys),
             [&] { e.store(sum, mixer.inits[3], mixer.biasAt(block[0], t, key)); });
    });
  });
}

void aft::emitFullGradThreads(FullGradOp op, OpBuilder &builder, bool tf32) {
  Emitter e(builder, op.getLoc());
  FullMixer mixer(op, e, kScalarBits, PairDots::None);
  emitQueries(mixer);
  Type factor = factorOf(mixer, tf32);
  // What they copy in the background has room beside what biases need anyway, if at all.
  emitBiases(mixer, factor);
  emitKeys(mixer, factor);
}

bool aft::emitMixerThreads(Operation *op, OpBuilder &builder, bool tf32) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<SimpleOp, LocalOp, ConvOp>([&](auto) {
        emitWindowThreads(op, builder);
        return true;
      })
      .Case<SimpleGradOp, LocalGradOp, ConvGradOp>([&](auto) {
        // A band's gradient in parts is for the threads of a CPU.
        auto local = dyn_cast<LocalGradOp>(op);
        if (local && local.hasBandInParts())
          return false;
        emitWindowGradThreads(op, builder);
        return true;
      })
      .Case([&](FullOp full) {
        emitFullThreads(full, builder, tf32);
        return true;
      })
      .Case([&](FullGradOp grad) {
        emitFullGradThreads(grad, builder, tf32);
        return true;
      })
      .Case([&](BandOp band) {
        emitBandThreads(band, builder);
        return true;
      })
      .Case([&](BandGradOp grad) {
        emitBandGradThreads(grad, builder);
        return true;
      })
      .Case([&](EmbeddingGradOp grad) { return emitEmbeddingGradThreads(grad, builder); })
      .Default(false);
}
