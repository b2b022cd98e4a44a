//===- WindowMixers.cpp - simple, local and conv --------------------------===//
// simple is a running sum (SimpleMixers.cpp), causal local a banded product beside one
// (CausalWindows.h). For the others, and for any numbers, keys inside the window are
// weighted one by one or by products (ProductScan.h); those outside have weight exp(k)
// and come as sums over everything before and after the window. Only positive terms
// are added, each relative to a large one, so nothing overflows or cancels. The cost is
// linear in the sequence.

#include "compiler/vector/window/WindowMixers.h"

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/window/CausalWindows.h"
#include "compiler/vector/window/ProductScan.h"
#include "compiler/vector/window/WindowRows.h"
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
  mixer.inits.assign(op.getInits().begin(), op.getInits().end());
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

/// A filter of two or three dimensions as one of a single dimension.
static Value flatFilter(OpBuilder &builder, Value filter) {
  ReassociationIndices taps =
      llvm::to_vector<3>(llvm::seq<int64_t>(1, cast<MemRefType>(filter.getType()).getRank()));
  SmallVector<ReassociationIndices> groups = {{0}, taps};
  return builder.create<memref::CollapseShapeOp>(filter.getLoc(), filter, groups);
}

static void fillGrid(WindowMixer &mixer, OpBuilder &builder, ArrayRef<int64_t> grid) {
  ArrayRef<int64_t> taps = cast<MemRefType>(mixer.bias.getType()).getShape().drop_front();
  mixer.grid.assign(3 - grid.size(), {1, 0, 0});
  mixer.taps = 1;
  for (auto [extent, count] : llvm::zip_equal(grid, taps)) {
    mixer.grid.push_back({extent, (count - 1) / 2, count - 1 - (count - 1) / 2});
    mixer.taps *= count;
  }
  mixer.bias = flatFilter(builder, mixer.bias);
  // The derivative's last destination has the filter's shape.
  if (mixer.inits.size() == 4)
    mixer.inits[3] = flatFilter(builder, mixer.inits[3]);
}

template <typename OpT> static void fillConv(WindowMixer &mixer, OpBuilder &builder, OpT op) {
  fillCommon(mixer, op);
  mixer.bias = op.getFilter();
  mixer.perHeadBias = true;
  auto filter = cast<MemRefType>(op.getFilter().getType());
  mixer.heads = filter.getDimSize(0);
  if (op.getGrid() && op.getGrid()->size() > 1)
    return fillGrid(mixer, builder, *op.getGrid());
  mixer.taps = filter.getDimSize(1);
  mixer.before = op.getCausal() ? mixer.taps - 1 : (mixer.taps - 1) / 2;
  mixer.after = mixer.taps - 1 - mixer.before;
}

/// Chunks of a sequence: always causal.
template <typename OpT> static void fillOnline(WindowMixer &mixer, OpT op) {
  mixer.q = op.getQ();
  mixer.k = op.getK();
  mixer.v = op.getV();
  mixer.inits.assign(op.getInits().begin(), op.getInits().end());
  mixer.gate = op.getGate();
  mixer.causal = true;
  mixer.channels = cast<MemRefType>(op.getQ().getType()).getDimSize(2);
}

template <typename OpT> static void fillGrad(WindowMixer &mixer, OpT op) {
  mixer.dy = op.getDy();
  mixer.ratio = op.getRatio();
  mixer.logz = op.getLogz();
}

WindowMixer::WindowMixer(Operation *op, OpBuilder &builder) {
  llvm::TypeSwitch<Operation *>(op)
      .Case([&](SimpleOp op) { fillCommon(*this, op); })
      .Case([&](LocalOp op) { fillLocal(*this, op); })
      .Case([&](ConvOp op) { fillConv(*this, builder, op); })
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
        fillConv(*this, builder, op);
        fillGrad(*this, op);
      });
}

SmallVector<Value> WindowMixer::sources() const {
  SmallVector<Value> all = {q, k, v};
  if (dy)
    all.append({dy, ratio, logz});
  return all;
}

Value WindowMixer::weight(LaneEmitter &group, Value t, Value tap) const {
  Emitter &e = group.e;
  auto at = [&](Value row) { return e.convert(e.load(bias, {row, tap}, 0), group.element); };
  return perHeadBias ? group.gatherHeads(at) : e.broadcast(at(t), group.type);
}

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

/// [first, last) of the items in the window of position `at` on one axis.
static std::pair<Value, Value> range(Emitter &e, Value at, int64_t before, int64_t after,
                                     Value limit) {
  return {e.max(e.sub(at, e.index(before)), e.index(0)), e.min(e.add(at, after + 1), limit)};
}

/// The tap of an item on one axis; query and key change places when mirrored.
static Value tapOn(Emitter &e, Value at, Value item, int64_t before, bool mirrored) {
  return e.add(mirrored ? e.sub(at, item) : e.sub(item, at), before);
}

Emitter::Values WindowMixer::overGrid(Emitter &e, Value at, Value limit, bool mirrored,
                                      ValueRange carried, Body body) const {
  int64_t height = grid[1].extent, width = grid[2].extent;
  Value x = e.builder.create<arith::RemUIOp>(e.loc, at, e.index(width));
  Value rowOf = e.div(at, width);
  Value y = e.builder.create<arith::RemUIOp>(e.loc, rowOf, e.index(height));
  Value z = e.div(rowOf, height);
  auto over = [&](int64_t axis, Value here, Value end, ValueRange carried, Body inner) {
    auto [extent, before, after] = grid[axis];
    if (mirrored)
      std::swap(before, after);
    auto [first, last] = range(e, here, before, after, e.min(e.index(extent), end));
    return e.loop(first, last, e.index(1), carried, [&](Value item, ValueRange carried) {
      return inner(item, tapOn(e, here, item, grid[axis].before, mirrored), carried);
    });
  };
  Value whole = e.index(grid[0].extent * height * width);
  return over(0, z, whole, carried, [&](Value plane, Value tapZ, ValueRange carried) {
    return over(1, y, whole, carried, [&](Value row, Value tapY, ValueRange carried) {
      Value start = e.mul(e.add(e.mul(plane, height), row), width);
      Value tapRow = e.mul(e.add(e.mul(tapZ, grid[1].taps()), tapY), grid[2].taps());
      return over(2, x, e.sub(limit, start), carried,
                  [&](Value column, Value tapX, ValueRange carried) {
                    return body(e.add(start, column), e.add(tapRow, tapX), carried);
                  });
    });
  });
}

Emitter::Values WindowMixer::overWindow(Emitter &e, Value at, Value limit, bool mirrored,
                                        ValueRange carried, Body body) const {
  if (!grid.empty())
    return overGrid(e, at, limit, mirrored, carried, body);
  auto [first, last] = range(e, at, mirrored ? after : before, mirrored ? before : after, limit);
  return e.loop(first, last, e.index(1), carried, [&](Value item, ValueRange carried) {
    return body(item, tapOn(e, at, item, before, mirrored), carried);
  });
}

Emitter::Values WindowMixer::keysOf(Emitter &e, Value at, Value limit, ValueRange carried,
                                    Body body) const {
  return overWindow(e, at, limit, /*mirrored=*/false, carried, body);
}

Emitter::Values WindowMixer::queriesOf(Emitter &e, Value at, Value limit, ValueRange carried,
                                       Body body) const {
  return overWindow(e, at, limit, /*mirrored=*/true, carried, body);
}

SmallVector<GridAxis> WindowMixer::axesOf(bool mirrored) const {
  SmallVector<GridAxis> axes(grid);
  if (mirrored)
    for (GridAxis &axis : axes)
      std::swap(axis.before, axis.after);
  return axes;
}

WindowScan WindowMixer::scanOf(LaneEmitter &group, bool mirrored, Value items, Add add,
                               Finish finish) const {
  return {group,
          items,
          group.e.dim(q, 1),
          mirrored ? after : before,
          mirrored ? before : after,
          /*below=*/!(causal && mirrored),
          /*above=*/!(causal && !mirrored),
          std::move(add),
          std::move(finish)};
}

void WindowMixer::scanGrid(LaneEmitter &group, bool mirrored, Value items, Add add,
                           Finish finish) const {
  GridScan(
      group, axesOf(mirrored), items, /*itemsMayEnd=*/lengths && !mirrored,
      [&](const MixState &state, Value row, Value column) {
        return add(state, group.e.add(group.e.mul(row, grid[2].extent), column));
      },
      std::move(finish))
      .run();
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
  Value q = group.load(mixer.q, t), gated;
  if (mixer.gate == Gate::sigmoid) {
    // One division for the gate and the mean.
    Value inverse = e.fadd(group.number(1), e.exp(e.fsub(group.number(0), q)));
    gated = e.fdiv(state.n, e.fmul(state.z, inverse));
  } else {
    gated = e.fmul(group.gate(mixer.gate, q), group.ratio(state));
  }
  // A query without a key is 0 whatever the gate, even a NaN, says.
  return e.select(e.equal(state.z, group.number(0)), group.number(0), gated);
}

void aft::storeRow(const WindowMixer &mixer, LaneEmitter &group, Value t, const MixState &state) {
  group.store(gatedRatio(mixer, group, t, state), mixer.inits[0], t);
  if (mixer.inits.size() == 3) {
    group.store(group.ratio(state), mixer.inits[1], t);
    group.storePerHead(group.logz(state), mixer.inits[2], t);
  }
}

//===----------------------------------------------------------------------===//
// Forward
//===----------------------------------------------------------------------===//

namespace {

/// Emits rows of one lane group.
class WindowForward {
public:
  WindowForward(const WindowMixer &mixer, LaneEmitter &group)
      : mixer(mixer), group(group), e(group.e),
        keys(visibleKeys(e, mixer.lengths, group.batch, e.dim(mixer.q, 1))) {}

  WindowScan scan() { return mixer.scanOf(group, /*mirrored=*/false, keys, add(), finish()); }
  void runGrid() { mixer.scanGrid(group, /*mirrored=*/false, keys, add(), finish()); }

private:
  WindowMixer::Add add() {
    return [&](const MixState &state, Value key) {
      return group.add(state, group.loadPerHead(mixer.k, key), group.load(mixer.v, key));
    };
  }
  WindowMixer::Finish finish() {
    return [&](Value t, ArrayRef<MixState> sums) { finishWindowRow(mixer, group, t, keys, sums); };
  }

  const WindowMixer &mixer;
  LaneEmitter &group;
  Emitter &e;
  Value keys;
};

} // namespace

void aft::finishWindowRow(const WindowMixer &mixer, LaneEmitter &group, Value t, Value keys,
                          ArrayRef<MixState> outside) {
  Emitter &e = group.e;
  auto window = [&](ValueRange carried, WindowBody body) {
    return mixer.keysOf(e, t, keys, carried, [&](Value key, Value tap, ValueRange carried) {
      return body({mixer.k, mixer.v, key, tap}, carried);
    });
  };
  storeRow(mixer, group, t, foldWindow(mixer, group, t, outside, window));
}

void aft::emitGridRows(const WindowMixer &mixer, LaneEmitter &group) {
  WindowForward(mixer, group).runGrid();
}

WindowCode aft::forwardCode(const WindowMixer &mixer) {
  WindowCode code;
  code.mirrored = false;
  code.sources = {mixer.k, mixer.v};
  code.beside = {mixer.q};
  code.results = mixer.inits;
  code.load = [&](LaneEmitter &group, Value key) -> WindowCode::Item {
    return {group.loadPerHead(mixer.k, key), group.load(mixer.v, key), group.number(1)};
  };
  code.finish = [&](LaneEmitter &group, Value t, const MixState &state) {
    storeRow(mixer, group, t, state);
  };
  code.exact = [&](LaneEmitter &group, llvm::function_ref<void(WindowScan &)> use) {
    WindowForward forward(mixer, group);
    WindowScan scan = forward.scan();
    use(scan);
  };
  return code;
}

void aft::emitWindowMixer(Operation *op, OpBuilder &builder, unsigned vectorBits) {
  WindowMixer mixer(op, builder);
  Emitter e(builder, op->getLoc());
  if (mixer.taps == 0)
    return emitSimple(mixer, e, vectorBits);
  WindowCode code = forwardCode(mixer);
  if (fitsCausalWindows(mixer))
    return emitCausalWindows(mixer, code, e, vectorBits, {});
  int64_t shared = sharedGroups(mixer, lanesFor(accumulationOf(mixer.q), vectorBits));
  forEachLaneGroup(
      e, accumulationOf(mixer.q), vectorBits, e.dim(mixer.q, 0), mixer.channels, mixer.perHead(),
      [&](LaneEmitter &group) { emitWindows(mixer, code, group, shared); }, shared);
}
