//===- DecomposeDropout.cpp - dropout as a counter-based hash -------------===//
// Element i of stream s is kept when hash(seed + s * A + i * B) is large
// enough. The values seed + s * A of all streams of a function are one small
// tensor, and each dropout gets its element of it as an operand: the generics
// of equal layers are then equal although their streams differ.

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"
#include "llvm/ADT/MapVector.h"

#include <cmath>

using namespace mlir;
using namespace aft;

static constexpr uint64_t streamStep = 0x9E3779B97F4A7C15;
static constexpr uint64_t indexStep = 0xD1B54A32D192ED03;
/// Streams from here on get a scalar of their own.
static constexpr int64_t maxTable = 4096;

/// seed + stream * A as a rank-0 tensor.
static Value singleBase(Generic &g, Value seed, int64_t stream) {
  return g.parallel({g.scalar(seed, 0)}, {g.scalar(g.empty({}, g.b.getI64Type()), 0)},
                    [&](ImplicitLocOpBuilder &b, ValueRange args) {
                      uint64_t shift = uint64_t(stream) * streamStep;
                      return SmallVector<Value>{
                          b.create<arith::AddIOp>(args[0], integer(b, int64_t(shift)))};
                    })[0];
}

/// seed + s * A for s in [0, count).
static Value allBases(Generic &g, Value seed, int64_t count) {
  OpFoldResult size = g.b.getIndexAttr(count);
  return g.parallel(
      {g.scalar(seed, 1)}, {g.leading(g.empty({size}, g.b.getI64Type()), 1)},
      [&](ImplicitLocOpBuilder &b, ValueRange args) {
        Value stream = b.create<arith::IndexCastOp>(b.getI64Type(), b.create<linalg::IndexOp>(0));
        Value shift = b.create<arith::MulIOp>(stream, integer(b, int64_t(streamStep)));
        return SmallVector<Value>{b.create<arith::AddIOp>(args[0], shift)};
      })[0];
}

/// The row-major position of the current element.
static Value linearIndex(ImplicitLocOpBuilder &b, ArrayRef<Value> extents) {
  Value index = b.create<arith::ConstantIndexOp>(0);
  for (auto [loop, extent] : llvm::enumerate(extents)) {
    Value position = b.create<linalg::IndexOp>(loop);
    if (loop == 0) {
      index = position;
      continue;
    }
    Value scaled = b.create<arith::MulIOp>(index, extent);
    index = b.create<arith::AddIOp>(scaled, position);
  }
  return b.create<arith::IndexCastOp>(b.getI64Type(), index);
}

static Value mix(ImplicitLocOpBuilder &b, Value x) {
  auto fold = [&](Value value, int64_t bits) -> Value {
    Value shifted = b.create<arith::ShRUIOp>(value, integer(b, bits));
    return b.create<arith::XOrIOp>(value, shifted);
  };
  auto times = [&](Value value, uint64_t factor) -> Value {
    return b.create<arith::MulIOp>(value, integer(b, int64_t(factor)));
  };
  x = times(fold(x, 30), 0xBF58476D1CE4E5B9);
  x = times(fold(x, 27), 0x94D049BB133111EB);
  return fold(x, 31);
}

static Value dropElements(Generic &g, DropoutOp op, Value base) {
  Type element = elementOf(op.getX()), acc = accumulationType(element);
  double p = op.getP().convertToDouble();
  // The position in memory does not depend on how the rows are grouped.
  unsigned rank = rankOf(op.getX()), leading = std::max(rank, 1u) - 1;
  Value x = g.flattened(op.getX(), leading);
  unsigned loops = rankOf(x);
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(g.b, g.b.getLoc(), x);
  SmallVector<Value> extents;
  for (OpFoldResult size : sizes)
    extents.push_back(getValueOrCreateConstantIndexOp(g.b, g.b.getLoc(), size));
  Value y = g.parallel(
      {g.leading(x, loops), g.scalar(base, loops)}, {g.leading(g.empty(sizes, element), loops)},
      [&](ImplicitLocOpBuilder &b, ValueRange args) {
        Value counter =
            b.create<arith::MulIOp>(linearIndex(b, extents), integer(b, int64_t(indexStep)));
        Value hash = mix(b, b.create<arith::AddIOp>(args[1], counter));
        Value draw = b.create<arith::ShRUIOp>(hash, integer(b, 40));
        // draw * 2^-24 >= p, in integers.
        int64_t threshold = int64_t(std::ceil(std::ldexp(p, 24)));
        Value keep =
            b.create<arith::CmpIOp>(arith::CmpIPredicate::sge, draw, integer(b, threshold));
        Value scaled =
            b.create<arith::MulFOp>(toFloat(b, args[0], acc), number(b, acc, 1 / (1 - p)));
        Value kept = b.create<arith::SelectOp>(keep, scaled, number(b, acc, 0));
        return SmallVector<Value>{toFloat(b, kept, element)};
      })[0];
  return g.unflattened(y, leading, tensor::getMixedSizes(g.b, g.b.getLoc(), op.getX()));
}

LogicalResult aft::decomposeDropouts(FunctionOpInterface function) {
  llvm::MapVector<Value, SmallVector<DropoutOp>> bySeed;
  function->walk([&](DropoutOp op) {
    if (op.getInits().empty())
      bySeed[op.getSeed()].push_back(op);
  });
  IRRewriter rewriter(function->getContext());
  for (auto &[seed, ops] : bySeed) {
    int64_t count = 0;
    for (DropoutOp op : ops)
      if (int64_t stream = op.getStream(); stream >= 0 && stream < maxTable)
        count = std::max(count, stream + 1);
    rewriter.setInsertionPointAfterValue(seed);
    Generic table(rewriter, ops.front().getLoc());
    Value bases = count > 0 ? allBases(table, seed, count) : Value();
    for (DropoutOp op : ops) {
      rewriter.setInsertionPoint(op);
      Generic g(rewriter, op.getLoc());
      int64_t stream = op.getStream();
      Value base;
      if (stream >= 0 && stream < count) {
        OpFoldResult one = rewriter.getIndexAttr(1);
        OpFoldResult offset = rewriter.getIndexAttr(stream);
        base = rewriter.create<tensor::ExtractSliceOp>(
            op.getLoc(), cast<RankedTensorType>(seed.getType()), bases, ArrayRef{offset},
            ArrayRef{one}, ArrayRef{one});
      } else {
        base = singleBase(g, seed, stream);
      }
      replaceWithCasts(rewriter, op, dropElements(g, op, base));
    }
  }
  return success();
}
