//===- WindowMixerGrads.cpp - Derivatives of simple, local and conv -------===//
// With p = exp(k[t'] + w - logz[t]) and G = dy * g(q):
//   dv[t'] = sum_t p G[t],  dk[t'] = sum_t p G[t] (v[t'] - R[t]),
//   dw[t,t'] = sum over batch and channels of p G[t] (v[t'] - R[t]).
// Outside the window w = 0, so that the sums over t are those of
// exp(-logz) G and exp(-logz) G R, again relative to their largest term.

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/window/BiasGradient.h"
#include "compiler/vector/window/CausalWindows.h"
#include "compiler/vector/window/ProductScan.h"
#include "compiler/vector/window/WindowMixers.h"
#include "compiler/vector/window/WindowRows.h"

using namespace mlir;
using namespace aft;

namespace {

/// Emits dk and dv of one lane group.
class WindowBackward {
public:
  WindowBackward(const WindowMixer &mixer, LaneEmitter &group, const StoreKey &storeKey)
      : mixer(mixer), group(group), storeKey(storeKey), e(group.e), length(e.dim(mixer.q, 1)) {}

  // Outputs are keys and items are queries: the window is mirrored.
  WindowScan scan() { return mixer.scanOf(group, /*mirrored=*/true, length, add(), finish()); }
  void runGrid() { mixer.scanGrid(group, /*mirrored=*/true, length, add(), finish()); }

private:
  WindowMixer::Add add() {
    return [&](const MixState &state, Value t) { return addQueryRow(mixer, group, state, t); };
  }
  WindowMixer::Finish finish() {
    return [&](Value key, ArrayRef<MixState> sums) {
      finishWindowKey(mixer, group, key, sums, storeKey);
    };
  }

  const WindowMixer &mixer;
  LaneEmitter &group;
  const StoreKey &storeKey;
  Emitter &e;
  Value length;
};

} // namespace

QueryRow aft::loadQueryRow(const WindowMixer &mixer, LaneEmitter &group, Value t) {
  Emitter &e = group.e;
  Value logz = group.loadPerHead(mixer.logz, t), none = group.infinity(true);
  Value exponent = e.select(e.equal(logz, none), none, e.fsub(group.number(0), logz));
  Value g = e.fmul(group.load(mixer.dy, t), group.gate(mixer.gate, group.load(mixer.q, t)));
  return {exponent, g, e.fmul(g, group.load(mixer.ratio, t))};
}

MixState aft::addQueryRow(const WindowMixer &mixer, LaneEmitter &group, const MixState &state,
                          Value t) {
  Emitter &e = group.e;
  QueryRow row = loadQueryRow(mixer, group, t);
  Value m = e.fmaxNumber(state.m, row.exponent), base = group.finite(m);
  Value old = e.exp(e.fsub(state.m, base)), weight = e.exp(e.fsub(row.exponent, base));
  return {m, e.fma(state.n, old, e.fmul(weight, row.g)),
          e.fma(state.z, old, e.fmul(weight, row.gr))};
}

void aft::finishWindowKey(const WindowMixer &mixer, LaneEmitter &group, Value key,
                          ArrayRef<MixState> sums, const StoreKey &storeKey) {
  Emitter &e = group.e;
  Value length = e.dim(mixer.q, 1);
  Value k = group.loadPerHead(mixer.k, key), v = group.load(mixer.v, key);
  Value dv = group.number(0), dk = group.number(0);
  for (const MixState &sum : sums) {
    // No row: exp(k - inf) = 0.
    Value scale = e.exp(e.fadd(k, sum.m)), scaled = e.fmul(scale, sum.n);
    dv = e.fadd(dv, scaled);
    dk = e.fadd(dk, e.fsub(e.fmul(v, scaled), e.fmul(scale, sum.z)));
  }
  if (mixer.taps > 0) {
    auto addQuery = [&](Value t, Value tap, ValueRange carried) {
      QueryRow row = loadQueryRow(mixer, group, t);
      Value w = mixer.weight(group, t, tap);
      Value p = e.exp(e.fadd(e.fadd(k, w), row.exponent));
      Value pg = e.fmul(p, row.g);
      Value difference = e.fsub(v, group.load(mixer.ratio, t));
      return Emitter::Values{e.fadd(carried[0], pg), e.fma(pg, difference, carried[1])};
    };
    auto inside = mixer.queriesOf(e, key, length, {dv, dk}, addQuery);
    dv = inside[0];
    dk = inside[1];
  }
  storeKeyGradients(mixer, group, key, dv, dk, storeKey);
}

void aft::emitGridKeys(const WindowMixer &mixer, LaneEmitter &group, const StoreKey &storeKey) {
  WindowBackward(mixer, group, storeKey).runGrid();
}

void aft::storeKeyGradients(const WindowMixer &mixer, LaneEmitter &group, Value t, Value dv,
                            Value dk, const StoreKey &storeKey) {
  Emitter &e = group.e;
  // Hidden keys have no gradient.
  Value visible = e.less(t, visibleKeys(e, mixer.lengths, group.batch, e.dim(mixer.q, 1)));
  Value none = e.equal(group.loadPerHead(mixer.k, t), group.infinity(true));
  auto hide = [&](Value value) {
    Value zero = group.number(0);
    return e.select(visible, e.select(none, zero, value), zero);
  };
  group.store(hide(dv), mixer.inits[2], t);
  storeKey(hide(dk), t);
}

void aft::storeQueryGradient(const WindowMixer &mixer, LaneEmitter &group, Value t) {
  Emitter &e = group.e;
  Value slope = group.gateDerivative(mixer.gate, group.load(mixer.q, t));
  Value dq = e.fmul(e.fmul(group.load(mixer.dy, t), slope), group.load(mixer.ratio, t));
  group.store(dq, mixer.inits[0], t);
}

void aft::emitQueryGradient(const WindowMixer &mixer, LaneEmitter &group) {
  Emitter &e = group.e;
  e.loop(e.index(0), e.dim(mixer.q, 1), e.index(1),
         [&](Value t) { storeQueryGradient(mixer, group, t); });
}

//===----------------------------------------------------------------------===//
// The bias
//===----------------------------------------------------------------------===//

Value aft::biasTerm(const WindowMixer &mixer, LaneEmitter &group, Value t, Value key, Value tap) {
  Emitter &e = group.e;
  Value logz = group.loadPerHead(mixer.logz, t), none = group.infinity(true);
  Value k = group.loadPerHead(mixer.k, key);
  Value x = e.fsub(e.fadd(k, mixer.weight(group, t, tap)), logz);
  Value hidden = e.either(e.equal(logz, none), e.equal(k, none));
  Value p = e.select(hidden, group.number(0), e.exp(x));
  Value g = e.fmul(group.load(mixer.dy, t), group.gate(mixer.gate, group.load(mixer.q, t)));
  Value difference = e.fsub(group.load(mixer.v, key), group.load(mixer.ratio, t));
  Value term = e.fmul(e.fmul(p, g), difference);
  return e.select(hidden, group.number(0), term);
}

/// Stores dk of a lane group, or adds it to that of its head.
static StoreKey storeKeyOf(const WindowMixer &mixer, LaneEmitter &group) {
  return [&](Value value, Value t) {
    if (group.perHead == 1)
      return group.store(value, mixer.inits[1], t);
    group.reduceHeads(value, [&](Value sum, Value head) {
      Emitter &e = group.e;
      Value place[] = {group.batch, t, head};
      e.store(e.fadd(e.load(mixer.inits[1], place, 0), sum), mixer.inits[1], place);
    });
  };
}

WindowCode aft::backwardCode(const WindowMixer &mixer,
                             const std::function<StoreKey(LaneEmitter &)> &storeKey) {
  WindowCode code;
  code.mirrored = true;
  code.sources = {mixer.logz, mixer.dy, mixer.q, mixer.ratio};
  code.visited = {mixer.inits[0]};
  code.beside = {mixer.k, mixer.v};
  code.results = {mixer.inits[1], mixer.inits[2]};
  code.load = [&](LaneEmitter &group, Value t) -> WindowCode::Item {
    QueryRow row = loadQueryRow(mixer, group, t);
    return {row.exponent, row.g, row.gr};
  };
  code.weigh = [&mixer](LaneEmitter &group, Value key, Value base) {
    return group.e.exp(group.e.fadd(group.loadPerHead(mixer.k, key), base));
  };
  code.finishWeighed = [&mixer, storeKey](LaneEmitter &group, Value key, const MixState &sums,
                                          Value weight) {
    Emitter &e = group.e;
    Value v = group.load(mixer.v, key), dv = e.fmul(weight, sums.n);
    Value dk = e.fsub(e.fmul(v, dv), e.fmul(weight, sums.z));
    storeKeyGradients(mixer, group, key, dv, dk, storeKey(group));
  };
  code.finish = [weigh = code.weigh, finish = code.finishWeighed](LaneEmitter &group, Value key,
                                                                  const MixState &sums) {
    finish(group, key, sums, weigh(group, key, sums.m));
  };
  code.exact = [&mixer, storeKey](LaneEmitter &group, llvm::function_ref<void(WindowScan &)> use) {
    StoreKey store = storeKey(group);
    WindowBackward backward(mixer, group, store);
    WindowScan scan = backward.scan();
    use(scan);
  };
  return code;
}

/// dq, dk and dv. dk of a head sums over its channels, which one work group goes
/// through.
static void emitGroup(const WindowMixer &mixer, LaneEmitter &first, int64_t shared) {
  Emitter &e = first.e;
  auto storeKeys = [&](LaneEmitter &group) { return storeKeyOf(mixer, group); };
  e.loop(e.index(0), e.index(shared), e.index(1), [&](Value i) {
    LaneEmitter group = first;
    group.channel = e.add(first.channel, e.mul(i, std::max<int64_t>(first.lanes, 1)));
    emitQueryGradient(mixer, group);
  });
  emitWindows(mixer, backwardCode(mixer, storeKeys), first, shared);
}

/// conv with several channels per head: a work group per head, since dk sums
/// over the head's channels.
static void emitPerHead(const WindowMixer &mixer, Emitter &e, unsigned vectorBits) {
  Type element = accumulationOf(mixer.q);
  e.grid({e.dim(mixer.q, 0), e.index(mixer.heads)}, [&](ArrayRef<Value> index) {
    e.loop(e.index(0), e.dim(mixer.q, 1), e.index(1), [&](Value t) {
      e.store(e.number(element, 0), mixer.inits[1], {index[0], t, index[1]});
    });
    forEachLaneGroupOfHead(e, element, vectorBits, index[0], index[1], mixer.perHead(),
                           [&](LaneEmitter &group) { emitGroup(mixer, group, 1); });
  });
}

void aft::emitWindowMixerGrad(Operation *op, OpBuilder &builder, unsigned vectorBits) {
  WindowMixer mixer(op, builder);
  Emitter e(builder, op->getLoc());
  if (mixer.taps == 0)
    return emitSimpleGrad(mixer, e, vectorBits);
  Type element = accumulationOf(mixer.q);
  int64_t shared = sharedGroups(mixer, lanesFor(element, vectorBits));
  auto storeKeys = [&](LaneEmitter &group) { return storeKeyOf(mixer, group); };
  auto local = dyn_cast<LocalGradOp>(op);
  bool withBand = local && local.hasBandInParts();
  if (fitsCausalWindows(mixer))
    emitCausalWindows(
        mixer, backwardCode(mixer, storeKeys), e, vectorBits,
        [&](LaneEmitter &group, Value t) { storeQueryGradient(mixer, group, t); },
        withBand ? mixer.inits[3] : Value());
  else if (mixer.perHead() > 1)
    emitPerHead(mixer, e, vectorBits);
  else
    forEachLaneGroup(
        e, element, vectorBits, e.dim(mixer.q, 0), mixer.channels, 1,
        [&](LaneEmitter &group) { emitGroup(mixer, group, shared); }, shared);
  if (mixer.inits.size() == 4 && !withBand)
    mixer.perHeadBias ? emitFilterGradient(mixer, e, vectorBits)
                      : emitBandGradient(mixer, e, vectorBits);
}
