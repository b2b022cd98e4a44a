//===- WindowMixers.cpp - simple, local and 1-D conv ----------------------===//
// Keys inside the window are weighted one by one; those outside have weight
// exp(k) and come as sums over everything before and after the window. Only
// positive terms are added, each relative to the largest one, so nothing
// overflows or cancels. The cost is linear in the sequence.

#include "compiler/vector/WindowMixers.h"

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/WindowScan.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

//===----------------------------------------------------------------------===//
// WindowMixer
//===----------------------------------------------------------------------===//

template <typename OpT> static void fillCommon(WindowMixer &mixer, OpT op) {
  mixer.q = op.getQ();
  mixer.k = op.getK();
  mixer.v = op.getV();
  mixer.lengths = op.getLengths();
  mixer.inits = op.getInits();
  mixer.gate = op.getGate();
  mixer.causal = op.getCausal();
  mixer.channels = cast<MemRefType>(op.getQ().getType()).getDimSize(2);
}

template <typename OpT> static void fillLocal(WindowMixer &mixer, OpT op) {
  fillCommon(mixer, op);
  mixer.bias = op.getBand();
  mixer.before = op.getWindow() - 1;
  mixer.after = op.getCausal() ? 0 : op.getWindow() - 1;
  mixer.taps = mixer.before + mixer.after + 1;
}

template <typename OpT> static void fillConv(WindowMixer &mixer, OpT op) {
  fillCommon(mixer, op);
  mixer.bias = op.getFilter();
  mixer.perHeadBias = true;
  auto filter = cast<MemRefType>(op.getFilter().getType());
  mixer.heads = filter.getDimSize(0);
  mixer.taps = filter.getDimSize(1);
  mixer.before = op.getCausal() ? mixer.taps - 1 : (mixer.taps - 1) / 2;
  mixer.after = mixer.taps - 1 - mixer.before;
}

/// Chunks of a sequence: always causal.
template <typename OpT> static void fillOnline(WindowMixer &mixer, OpT op) {
  mixer.q = op.getQ();
  mixer.k = op.getK();
  mixer.v = op.getV();
  mixer.inits = op.getInits();
  mixer.gate = op.getGate();
  mixer.causal = true;
  mixer.channels = cast<MemRefType>(op.getQ().getType()).getDimSize(2);
}

template <typename OpT> static void fillGrad(WindowMixer &mixer, OpT op) {
  mixer.dy = op.getDy();
  mixer.ratio = op.getRatio();
  mixer.logz = op.getLogz();
}

WindowMixer::WindowMixer(Operation *op) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](SimpleOp op) { fillCommon(*this, op); })
      .Case([&](LocalOp op) { fillLocal(*this, op); })
      .Case([&](ConvOp op) { fillConv(*this, op); })
      .Case([&](SimpleOnlineOp op) { fillOnline(*this, op); })
      .Case([&](LocalOnlineOp op) {
        fillOnline(*this, op);
        bias = op.getBand();
        taps = op.getWindow();
        before = taps - 1;
      })
      .Case([&](ConvOnlineOp op) {
        fillOnline(*this, op);
        bias = op.getFilter();
        perHeadBias = true;
        auto filter = cast<MemRefType>(bias.getType());
        heads = filter.getDimSize(0);
        taps = filter.getDimSize(1);
        before = taps - 1;
      })
      .Case([&](SimpleGradOp op) {
        fillCommon(*this, op);
        fillGrad(*this, op);
      })
      .Case([&](LocalGradOp op) {
        fillLocal(*this, op);
        fillGrad(*this, op);
      })
      .Case([&](ConvGradOp op) {
        fillConv(*this, op);
        fillGrad(*this, op);
      });
}

Value WindowMixer::weight(LaneEmitter &group, Value t, Value tap) const {
  Emitter &e = group.e;
  Value first = perHeadBias ? group.head() : t;
  if (perHeadBias && group.perHead == 1 && group.lanes > 0) {
    // One head per channel: the taps of consecutive heads lie apart.
    Value lanes = group.number(0);
    for (int64_t lane = 0; lane < group.lanes; ++lane) {
      Value one = e.convert(e.load(bias, {e.add(first, lane), tap}, 0), group.element);
      lanes = e.builder.create<vector::InsertOp>(e.loc, one, lanes, ArrayRef<int64_t>{lane});
    }
    return lanes;
  }
  return e.broadcast(e.convert(e.load(bias, {first, tap}, 0), group.element), group.type);
}

std::pair<Value, Value> WindowMixer::keysOf(Emitter &e, Value t, Value keys) const {
  Value first = e.max(e.sub(t, e.index(before)), e.index(0));
  Value last = e.min(e.add(t, after + 1), keys);
  return {first, last};
}

Value WindowMixer::tapOf(Emitter &e, Value t, Value key) const {
  return e.add(e.sub(key, t), before);
}

//===----------------------------------------------------------------------===//
// One row
//===----------------------------------------------------------------------===//

MixState aft::foldWindow(const WindowMixer &mixer, LaneEmitter &group, Value t,
                         ArrayRef<MixState> outside, WindowLoop window) {
  Emitter &e = group.e;
  auto exponent = [&](const WindowKey &key) {
    return e.fadd(group.loadPerHead(key.k, key.index), mixer.weight(group, t, key.tap));
  };
  Value top = outside.front().m;
  for (const MixState &sum : outside.drop_front())
    top = e.fmaxNumber(top, sum.m);
  if (mixer.taps > 0)
    top = window(top, [&](const WindowKey &key, ValueRange carried) {
      return Emitter::Values{e.fmaxNumber(carried[0], exponent(key))};
    })[0];
  Value base = group.finite(top), n = group.number(0), z = group.number(0);
  for (const MixState &sum : outside) {
    Value factor = e.exp(e.fsub(sum.m, base));
    n = e.fma(sum.n, factor, n);
    z = e.fma(sum.z, factor, z);
  }
  if (mixer.taps == 0)
    return {top, n, z};
  auto inside = window({n, z}, [&](const WindowKey &key, ValueRange carried) {
    Value weight = e.exp(e.fsub(exponent(key), base));
    // A key of weight 0 is hidden: its value must not be seen.
    Value term = e.select(e.equal(weight, group.number(0)), group.number(0),
                          e.fmul(weight, group.load(key.v, key.index)));
    return Emitter::Values{e.fadd(carried[0], term), e.fadd(carried[1], weight)};
  });
  return {top, inside[0], inside[1]};
}

Value aft::gatedRatio(const WindowMixer &mixer, LaneEmitter &group, Value t,
                      const MixState &state) {
  Emitter &e = group.e;
  // A query without a key is 0 whatever the gate, even a NaN, says.
  Value gated = e.fmul(group.gate(mixer.gate, group.load(mixer.q, t)), group.ratio(state));
  return e.select(e.equal(state.z, group.number(0)), group.number(0), gated);
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

namespace {

/// Emits all rows of one lane group.
class WindowForward {
public:
  WindowForward(const WindowMixer &mixer, LaneEmitter &group)
      : mixer(mixer), group(group), e(group.e), length(e.dim(mixer.q, 1)),
        keys(visibleKeys(e, mixer.lengths, group.batch, length)) {}

  void run() {
    WindowScan scan{group, keys, length, mixer.before, mixer.after, /*below=*/true,
                    /*above=*/!mixer.causal,
                    [&](const MixState &state, Value key) {
                      return group.add(state, group.loadPerHead(mixer.k, key),
                                       group.load(mixer.v, key));
                    },
                    [&](Value t, ArrayRef<MixState> sums) { finishRow(t, sums); }};
    scan.run();
  }

private:
  void finishRow(Value t, ArrayRef<MixState> sums);

  const WindowMixer &mixer;
  LaneEmitter &group;
  Emitter &e;
  Value length, keys;
};

} // namespace

/// Combines sums over keys outside the window with the keys inside and writes
/// the row's results.
void WindowForward::finishRow(Value t, ArrayRef<MixState> sums) {
  auto [first, last] = mixer.keysOf(e, t, keys);
  auto window = [&, first = first, last = last](ValueRange carried, WindowBody body) {
    return e.loop(first, last, e.index(1), carried, [&](Value key, ValueRange carried) {
      return body({mixer.k, mixer.v, key, mixer.tapOf(e, t, key)}, carried);
    });
  };
  MixState state = foldWindow(mixer, group, t, sums, window);
  group.store(gatedRatio(mixer, group, t, state), mixer.inits[0], t);
  if (mixer.inits.size() == 3) {
    group.store(group.ratio(state), mixer.inits[1], t);
    group.storePerHead(group.logz(state), mixer.inits[2], t);
  }
}

void aft::emitWindowMixer(Operation *op, OpBuilder &builder, unsigned vectorBits) {
  WindowMixer mixer(op);
  Emitter e(builder, op->getLoc());
  forEachLaneGroup(e, accumulationOf(mixer.q), vectorBits, e.dim(mixer.q, 0), mixer.channels,
                   mixer.perHead(),
                   [&](LaneEmitter &group) { WindowForward(mixer, group).run(); });
}
