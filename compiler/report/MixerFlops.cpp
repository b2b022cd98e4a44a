//===- MixerFlops.cpp - The operations of mixers --------------------------===//

#include "compiler/report/KernelCost.h"
#include "dialect/ir/AFT.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

/// Operations per element of the result besides the sums: exponentials, gate,
/// division.
static constexpr int64_t kPerElement = 8;

/// sum over o = 1 .. reach of max(0, length - o): pairs of positions that lie
/// at most so far apart, in one direction.
static Expression pairsToOneSide(const Expression &length, int64_t reach) {
  if (reach == 0)
    return 0;
  Expression steps = min(reach, length);
  return steps * length - floorDivide(steps * (steps + 1), 2);
}

/// Pairs under a filter that reaches so many positions back and ahead.
static Expression axisPairs(const Expression &length, int64_t before, int64_t after) {
  return length + pairsToOneSide(length, before) + pairsToOneSide(length, after);
}

/// Pairs of a query and a key that a bias matrix weighs.
static Expression fullPairs(const Expression &queries, const Expression &keys, bool causal) {
  if (!causal)
    return queries * keys;
  // Query t sees the keys up to t + keys - queries.
  return queries * (keys - queries) + floorDivide(queries * (queries + 1), 2);
}

/// A multiplication and an addition per pair for each numerator and denominator.
static Expression sums(const Expression &batch, const Expression &pairs, const Expression &channels,
                       const Expression &denominators) {
  return batch * pairs * (channels + denominators) * 2;
}

namespace {
/// The extents of one mixer, by what its operands are.
struct MixerExtents {
  Expression batch, queries, channels;
  MixerExtents(Value q, ExtentReader &extents)
      : batch(extents.extent(q, 0)), queries(extents.extent(q, 1)), channels(extents.extent(q, 2)) {
  }
  Expression perElement() const { return batch * queries * channels * kPerElement; }
};
} // namespace

template <typename OpT> static Expression full(OpT op, ExtentReader &extents) {
  MixerExtents e(op.getQ(), extents);
  Expression pairs = fullPairs(e.queries, extents.extent(op.getK(), 1), op.getCausal());
  return sums(e.batch, pairs, e.channels, e.channels) + e.perElement();
}

template <typename OpT> static Expression local(OpT op, ExtentReader &extents) {
  MixerExtents e(op.getQ(), extents);
  int64_t reach = op.getWindow() - 1;
  Expression pairs = axisPairs(e.queries, reach, op.getCausal() ? 0 : reach);
  return sums(e.batch, pairs, e.channels, e.channels) + e.perElement();
}

template <typename OpT> static Expression conv(OpT op, ExtentReader &extents) {
  MixerExtents e(op.getQ(), extents);
  ArrayRef<int64_t> taps = cast<ShapedType>(op.getFilter().getType()).getShape().drop_front();
  Expression pairs = 1;
  for (auto [axis, s] : llvm::enumerate(taps)) {
    Expression length = op.getGrid() ? Expression((*op.getGrid())[axis]) : e.queries;
    pairs = pairs *
            (op.getCausal() ? axisPairs(length, s - 1, 0) : axisPairs(length, (s - 1) / 2, s / 2));
  }
  return sums(e.batch, pairs, e.channels, extents.extent(op.getK(), 2)) + e.perElement();
}

/// A scalar product of `u` and `v` per pair, in a band of so many rows.
template <typename OpT>
static Expression band(OpT op, const Expression &rows, ExtentReader &extents) {
  int64_t reach = op.getWindow() - 1;
  Expression pairs = axisPairs(rows, reach, op.getCausal() ? 0 : reach);
  return pairs * extents.extent(op.getU(), 1) * 2;
}

/// A chunk against its state: every query sees a whole window.
static Expression windowOnline(Value q, Value k, int64_t taps, ExtentReader &extents) {
  MixerExtents e(q, extents);
  return sums(e.batch, e.queries * taps, e.channels, extents.extent(k, 2)) + e.perElement();
}

Expression aft::mixerFlops(Operation *op, ExtentReader &extents) {
  return llvm::TypeSwitch<Operation *, Expression>(op)
      .Case<FullOp>([&](auto o) { return full(o, extents); })
      .Case<FullGradOp>([&](auto o) { return full(o, extents) * 2; })
      .Case<LocalOp>([&](auto o) { return local(o, extents); })
      .Case<LocalGradOp>([&](auto o) { return local(o, extents) * 2; })
      .Case<ConvOp>([&](auto o) { return conv(o, extents); })
      .Case<ConvGradOp>([&](auto o) { return conv(o, extents) * 2; })
      .Case<SimpleOp, SimpleOnlineOp>(
          [&](auto o) { return MixerExtents(o.getQ(), extents).perElement(); })
      .Case<SimpleGradOp>([&](auto o) { return MixerExtents(o.getQ(), extents).perElement() * 2; })
      .Case<BandOp>([&](auto o) { return band(o, extents.extent(o->getResult(0), 0), extents); })
      .Case<BandGradOp>(
          [&](auto o) { return band(o, extents.extent(o.getDband(), 0), extents) * 2; })
      .Case<FullOnlineOp>([&](FullOnlineOp o) {
        MixerExtents e(o.getM(), extents);
        Expression pairs = e.queries * extents.extent(o.getK(), 1);
        return sums(e.batch, pairs, e.channels, e.channels) + e.perElement();
      })
      .Case<LocalOnlineOp>(
          [&](LocalOnlineOp o) { return windowOnline(o.getQ(), o.getK(), o.getWindow(), extents); })
      .Case<ConvOnlineOp>([&](ConvOnlineOp o) {
        int64_t taps = cast<ShapedType>(o.getFilter().getType()).getDimSize(1);
        return windowOnline(o.getQ(), o.getK(), taps, extents);
      })
      .Case<EmbeddingGradOp>([&](EmbeddingGradOp o) { return extents.elements(o.getDy()); })
      .Default([](Operation *) { return Expression(); });
}
