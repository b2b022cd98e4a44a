//===- BandEmission.cpp - The band of a factorised bias, table gradients --===//

#include "compiler/vector/MixerCommon.h"
#include "compiler/vector/MixerEmission.h"

using namespace mlir;
using namespace aft;

/// Calls `body` for blocks [i, i + lanes) of an extent and then for single elements (lanes 0).
static void forEachBlock(Emitter &e, Value extent, int64_t lanes,
                         llvm::function_ref<void(Value, int64_t)> body) {
  Value whole = e.roundDown(extent, lanes);
  e.loop(e.index(0), whole, e.index(lanes), [&](Value i) { body(i, lanes); });
  e.loop(whole, extent, e.index(1), [&](Value i) { body(i, 0); });
}

/// u[row] . v[key] over the rank.
static Value dot(Emitter &e, Value u, Value v, Value row, Value key, int64_t lanes) {
  Type element = accumulationOf(u);
  Value rank = e.dim(u, 1), whole = e.roundDown(rank, lanes);
  Value vectors = e.loop(e.index(0), whole, e.index(lanes), e.number(e.typeOf(element, lanes), 0),
                         [&](Value r, ValueRange carried) {
                           return Emitter::Values{e.fma(e.load(u, {row, r}, lanes),
                                                        e.load(v, {key, r}, lanes), carried[0])};
                         })[0];
  Value sum = e.reduce(vectors, [&](Value a, Value b) { return e.fadd(a, b); });
  return e.loop(whole, rank, e.index(1), sum, [&](Value r, ValueRange carried) {
    return Emitter::Values{e.fma(e.load(u, {row, r}, 0), e.load(v, {key, r}, 0), carried[0])};
  })[0];
}

void aft::emitBand(BandOp op, OpBuilder &builder, unsigned vectorBits) {
  Emitter e(builder, op.getLoc());
  Value band = op.getInits()[0], u = op.getU(), v = op.getV();
  int64_t before = op.getWindow() - 1, taps = tapsOf(op);
  int64_t lanes = lanesFor(accumulationOf(u), vectorBits);
  Value rows = e.dim(band, 0);
  e.grid({rows}, [&](ArrayRef<Value> row) {
    e.loop(e.index(0), e.index(taps), e.index(1), [&](Value tap) {
      Value key = e.sub(e.add(row[0], tap), e.index(before));
      Value inside = e.below(key, rows);
      Value value = e.branch(
          inside, accumulationOf(u),
          [&] { return Emitter::Values{dot(e, u, v, row[0], key, lanes)}; },
          [&] { return Emitter::Values{e.number(accumulationOf(u), 0)}; })[0];
      e.store(value, band, {row[0], tap});
    });
  });
}

void aft::emitBandGrad(BandGradOp op, OpBuilder &builder, unsigned vectorBits) {
  Emitter e(builder, op.getLoc());
  Value dband = op.getDband(), u = op.getU(), v = op.getV();
  Type element = accumulationOf(u);
  int64_t before = op.getWindow() - 1, taps = tapsOf(op);
  int64_t lanes = lanesFor(element, vectorBits);
  Value rows = e.dim(dband, 0), all = e.dim(u, 0);
  // du[t] = sum_j dband[t,j] v[t + j - before]; dv[s] = sum_j dband[t,j] u[t]
  // with t = s - j + before.
  auto gradient = [&](Value target, Value other, bool ofU) {
    e.grid({all}, [&](ArrayRef<Value> row) {
      forEachBlock(e, e.dim(u, 1), lanes, [&](Value r, int64_t width) {
        Value zero = e.number(e.typeOf(element, width), 0);
        Value sum =
            e.loop(e.index(0), e.index(taps), e.index(1), zero, [&](Value tap, ValueRange carried) {
              Value offset = e.sub(tap, e.index(before));
              Value place = ofU ? e.add(row[0], offset) : e.sub(row[0], offset);
              Value t = ofU ? row[0] : place;
              Value inside = e.both(e.below(row[0], rows), e.below(place, rows));
              return e.branch(
                  inside, carried[0].getType(),
                  [&] {
                    Value factor =
                        e.broadcast(e.convert(e.load(dband, {t, tap}, 0), element), zero.getType());
                    return Emitter::Values{
                        e.fma(factor, e.load(other, {place, r}, width), carried[0])};
                  },
                  [&] { return Emitter::Values{carried[0]}; });
            })[0];
        e.store(sum, target, {row[0], r});
      });
    });
  };
  gradient(op.getInits()[0], v, /*ofU=*/true);
  gradient(op.getInits()[1], u, /*ofU=*/false);
}

/// Work groups own columns of the table and go through all tokens in order, so
/// that the result does not depend on the number of threads.
void aft::emitEmbeddingGrad(EmbeddingGradOp op, OpBuilder &builder, unsigned vectorBits) {
  Emitter e(builder, op.getLoc());
  Value table = op.getInits()[0], ids = op.getIds(), dy = op.getDy();
  auto type = cast<MemRefType>(table.getType());
  Type element = accumulationOf(table);
  int64_t lanes = lanesFor(element, vectorBits);
  bool fits = !type.isDynamicDim(1) && type.getDimSize(1) % lanes == 0;
  int64_t width = fits ? lanes : 0, step = std::max<int64_t>(width, 1);
  int64_t idRank = cast<MemRefType>(ids.getType()).getRank();
  e.grid({e.div(e.dim(table, 1), step)}, [&](ArrayRef<Value> group) {
    Value channel = e.mul(group[0], step);
    Value rows = e.dim(table, 0), zero = e.number(e.typeOf(element, width), 0);
    e.loop(e.index(0), rows, e.index(1), [&](Value row) { e.store(zero, table, {row, channel}); });
    SmallVector<Value> place;
    std::function<void(int64_t)> tokens = [&](int64_t dim) {
      if (dim < idRank) {
        e.loop(e.index(0), e.dim(ids, dim), e.index(1), [&](Value i) {
          place.push_back(i);
          tokens(dim + 1);
          place.pop_back();
        });
        return;
      }
      Value id = e.builder.create<memref::LoadOp>(e.loc, ids, place);
      id = e.builder.create<arith::IndexCastOp>(e.loc, e.builder.getIndexType(), id);
      Value inside = e.below(id, rows);
      e.when(inside, [&] {
        SmallVector<Value> source(place);
        source.push_back(channel);
        e.store(e.fadd(e.load(table, {id, channel}, width), e.load(dy, source, width)), table,
                {id, channel});
      });
    };
    tokens(0);
  });
}
