//===- SimpleMixers.cpp - simple, forward and derivative ------------------===//
// Without a window every sum is a running one: keys from the first on, or, for the
// derivative, queries from the last on. Each tensor is read or written once, in order;
// without `causal` a first pass makes the sums over everything.

#include "compiler/vector/RegisterMath.h"
#include "compiler/vector/RunningSums.h"
#include "compiler/vector/window/WindowMixers.h"

using namespace mlir;
using namespace aft;

/// Rows between what is computed and what is asked for from memory.
static constexpr int64_t kAhead = 4;
/// Two registers as one lane group: their chains of instructions overlap.
static constexpr unsigned kRegisters = 2;
/// Lane groups of a panel at most: the state of all of them stays in the nearest cache.
static constexpr int64_t kMostGroups = 64;
/// Bytes of one tensor's entry up to which its rows are taken in small parts.
static constexpr int64_t kSmallBytes = 4 << 20;
/// Bytes of a result from which on it goes past the caches: with its operands it would leave
/// nothing of itself there, and a line that is written there is read first.
static constexpr int64_t kStreamedBytes = 16 << 20;

namespace {

/// Emits one panel.
class SimplePanel {
public:
  SimplePanel(const WindowMixer &mixer, const Panel &panel, bool streaming)
      : mixer(mixer), panel(panel), streaming(streaming), e(panel.e), sums(panel),
        length(e.dim(mixer.q, 1)), keys(visibleKeys(e, mixer.lengths, panel.batch, length)) {
    sums.clear();
  }
  void forward();
  void backward();

private:
  using Row = llvm::function_ref<void(LaneEmitter &, Value group, Value t)>;
  void rows(Value first, Value last, bool fromEnd, Row row);
  void runs(Value count, bool fromEnd, llvm::function_ref<void(Value first, Value last)> run);
  MixState addKey(LaneEmitter &group, Value i, Value t);
  MixState addQuery(LaneEmitter &group, Value i, Value t);
  void finishKey(LaneEmitter &group, Value t, const MixState &state);

  const WindowMixer &mixer;
  const Panel &panel;
  bool streaming;
  Emitter &e;
  RunningSums sums;
  Value length, keys;
};

} // namespace

void SimplePanel::rows(Value first, Value last, bool fromEnd, Row row) {
  e.loop(first, last, e.index(1), [&](Value i) {
    Value t = fromEnd ? e.sub(e.add(first, e.sub(last, e.index(1))), i) : i;
    Value ahead = fromEnd ? e.max(e.sub(t, e.index(kAhead)), e.index(0))
                          : e.min(e.add(t, kAhead), e.sub(length, e.index(1)));
    panel.forEachGroup([&](LaneEmitter &group, Value number) {
      panel.prefetch(mixer.sources(), ahead, number, /*forWriting=*/false);
      group.streaming = streaming;
      if (!streaming)
        panel.prefetch(mixer.inits, ahead, number, /*forWriting=*/true);
      row(group, number, t);
    });
  });
}

/// Positions [0, count) in runs.
void SimplePanel::runs(Value count, bool fromEnd, llvm::function_ref<void(Value, Value)> run) {
  e.loop(e.index(0), count, e.index(RunningSums::kRun), [&](Value start) {
    Value end = e.min(e.add(start, RunningSums::kRun), count);
    fromEnd ? run(e.sub(count, end), e.sub(count, start)) : run(start, end);
    sums.endRun();
  });
}

MixState SimplePanel::addKey(LaneEmitter &group, Value i, Value t) {
  Value v = group.load(mixer.v, t);
  return sums.add(group, i, group.load(mixer.k, t), [&](Value weight) -> RunningSums::Pair {
    // A key of weight 0 is hidden: its value, perhaps NaN, must not be seen.
    Value zero = group.number(0);
    return {e.select(e.equal(weight, zero), zero, e.fmul(weight, v)), weight};
  });
}

void SimplePanel::forward() {
  auto finish = [&](LaneEmitter &group, Value i, Value t) {
    storeRow(mixer, group, t, sums.total(group, i));
  };
  if (!mixer.causal) {
    runs(keys, /*fromEnd=*/false, [&](Value first, Value last) {
      rows(first, last, false, [&](LaneEmitter &group, Value i, Value t) { addKey(group, i, t); });
    });
    return rows(e.index(0), length, false, finish);
  }
  runs(keys, /*fromEnd=*/false, [&](Value first, Value last) {
    rows(first, last, false, [&](LaneEmitter &group, Value i, Value t) {
      storeRow(mixer, group, t, addKey(group, i, t));
    });
  });
  rows(keys, length, false, finish);
}

/// Writes dq; the sums are those of exp(-logz) G and exp(-logz) G R.
MixState SimplePanel::addQuery(LaneEmitter &group, Value i, Value t) {
  storeQueryGradient(mixer, group, t);
  QueryRow row = loadQueryRow(mixer, group, t);
  return sums.add(group, i, row.exponent, [&](Value weight) -> RunningSums::Pair {
    return {e.fmul(weight, row.g), e.fmul(weight, row.gr)};
  });
}

void SimplePanel::finishKey(LaneEmitter &group, Value t, const MixState &state) {
  Value scale = e.exp(e.fadd(group.load(mixer.k, t), state.m));
  Value dv = e.fmul(scale, state.n);
  Value dk = e.fsub(e.fmul(group.load(mixer.v, t), dv), e.fmul(scale, state.z));
  storeKeyGradients(mixer, group, t, dv, dk,
                    [&](Value value, Value t) { group.store(value, mixer.inits[1], t); });
}

void SimplePanel::backward() {
  runs(length, /*fromEnd=*/true, [&](Value first, Value last) {
    rows(first, last, true, [&](LaneEmitter &group, Value i, Value t) {
      MixState state = addQuery(group, i, t);
      if (mixer.causal)
        finishKey(group, t, state);
    });
  });
  if (!mixer.causal)
    rows(e.index(0), length, false,
         [&](LaneEmitter &group, Value i, Value t) { finishKey(group, t, sums.total(group, i)); });
}

/// Whether all results are large and lie where streaming stores of `lanes` may go; null where
/// they never do.
static Value areStreamed(const WindowMixer &mixer, Emitter &e, unsigned vectorBits, int64_t lanes) {
  int64_t registerBytes = vectorBits / 8;
  Value yes;
  for (Value result : mixer.inits) {
    int64_t bytes = cast<MemRefType>(result.getType()).getElementTypeBitWidth() / 8;
    if (lanes * bytes % registerBytes != 0 || mixer.channels % lanes != 0)
      return Value();
    Value entries = e.mul(e.dim(result, 0), e.dim(result, 1));
    Value address = e.builder.create<memref::ExtractAlignedPointerAsIndexOp>(e.loc, result);
    Value offset = e.sub(address, e.roundDown(address, registerBytes));
    Value isLarge = e.less(e.index(kStreamedBytes / (mixer.channels * bytes)), entries);
    Value isAligned = e.less(offset, e.index(1));
    Value streams = e.both(isLarge, isAligned);
    yes = yes ? e.both(yes, streams) : streams;
  }
  return yes;
}

static void emitPanels(const WindowMixer &mixer, Emitter &e, unsigned vectorBits,
                       void (SimplePanel::*emit)()) {
  Type element = accumulationOf(mixer.q);
  Value batches = e.dim(mixer.q, 0), length = e.dim(mixer.q, 1);
  int64_t rowBytes = mixer.channels * element.getIntOrFloatBitWidth() / 8;
  Value isSmall = e.less(length, e.index(kSmallBytes / rowBytes));
  Value isSingle = e.less(batches, e.index(2));
  PanelParts parts{e.both(isSingle, isSmall), isSingle};
  Value streams = areStreamed(mixer, e, vectorBits, lanesFor(element, kRegisters * vectorBits));
  forEachPanel(e, element, kRegisters * vectorBits, batches, mixer.channels, kMostGroups, parts,
               [&](const Panel &panel) {
                 auto plainly = [&] {
                   (SimplePanel(mixer, panel, /*streaming=*/false).*emit)();
                   return Emitter::Values{};
                 };
                 auto streaming = [&] {
                   (SimplePanel(mixer, panel, /*streaming=*/true).*emit)();
                   callIntrinsic(e, "llvm.x86.sse.sfence", {});
                   return Emitter::Values{};
                 };
                 if (streams)
                   e.branch(streams, {}, streaming, plainly);
                 else
                   plainly();
               });
}

void aft::emitSimple(const WindowMixer &mixer, Emitter &e, unsigned vectorBits) {
  emitPanels(mixer, e, vectorBits, &SimplePanel::forward);
}

void aft::emitSimpleGrad(const WindowMixer &mixer, Emitter &e, unsigned vectorBits) {
  emitPanels(mixer, e, vectorBits, &SimplePanel::backward);
}
