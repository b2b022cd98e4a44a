//===- BandThreads.cpp - The band of a factorised bias --------------------===//
// A thread makes one number of the band, or a vector of a gradient. Rows of u and v are
// few: they are read from the caches.

#include "compiler/vector/MixerCommon.h"
#include "compiler/vector/gpu/MixerThreads.h"
#include "compiler/vector/gpu/SequenceScan.h"
#include "compiler/vector/gpu/Threads.h"

using namespace mlir;
using namespace aft;

/// Threads of a block: there are few positions.
static constexpr int64_t kThreads = 128;

/// A thread for each of the numbers below the product of the extents.
static void forEachNumber(Emitter &e, ArrayRef<Value> extents,
                          llvm::function_ref<void(ArrayRef<Value>)> body) {
  Value count = productOf(e, extents);
  forEachBlock(e, {e.ceilDiv(count, kThreads)}, [&](ArrayRef<Value> block) {
    forEachThread(e, kThreads, [&](Value thread) {
      Value number = e.add(e.mul(block[0], kThreads), thread);
      e.when(e.less(number, count), [&] { body(delinearize(e, number, extents)); });
    });
  });
}

/// Numbers of a row of u or v that are read at once: one, where the rank is not known.
static int64_t vectorOfRank(Value u) {
  auto type = cast<MemRefType>(u.getType());
  return type.isDynamicDim(1) ? 1 : vectorChannels(u, type.getDimSize(1));
}

void aft::emitBandThreads(BandOp op, OpBuilder &builder) {
  Emitter e(builder, op.getLoc());
  Value band = op.getInits()[0], u = op.getU(), v = op.getV(), rows = e.dim(band, 0);
  Type element = accumulationOf(u);
  int64_t before = op.getWindow() - 1, taps = tapsOf(op);
  int64_t vector = vectorOfRank(u), lanes = vector > 1 ? vector : 0;
  forEachNumber(e, {rows, e.index(taps)}, [&](ArrayRef<Value> at) {
    Value key = e.sub(e.add(at[0], at[1]), e.index(before));
    // A loop without turns where there is no key.
    Value end = e.select(e.below(key, rows), e.dim(u, 1), e.index(0));
    Value zero = e.number(e.typeOf(element, lanes), 0);
    Value sums = e.loop(e.index(0), end, e.index(vector), zero, [&](Value r, ValueRange carried) {
      return Emitter::Values{
          e.fma(e.load(u, {at[0], r}, lanes), e.load(v, {key, r}, lanes), carried[0])};
    })[0];
    e.store(e.reduce(sums, [&](Value a, Value b) { return e.fadd(a, b); }), band, at);
  });
}

void aft::emitBandGradThreads(BandGradOp op, OpBuilder &builder) {
  Emitter e(builder, op.getLoc());
  Value dband = op.getDband(), rows = e.dim(dband, 0), all = e.dim(op.getU(), 0);
  Type element = accumulationOf(op.getU());
  int64_t before = op.getWindow() - 1, taps = tapsOf(op);
  int64_t vector = vectorOfRank(op.getU()), lanes = vector > 1 ? vector : 0;
  // du[t] = sum_j dband[t,j] v[t + j - before]; dv[s] = sum_j dband[t,j] u[t] with
  // t = s - j + before.
  auto gradient = [&](Value target, Value other, bool ofU) {
    forEachNumber(e, {all, e.div(e.dim(op.getU(), 1), vector)}, [&](ArrayRef<Value> at) {
      Value row = at[0], r = e.mul(at[1], vector), last = e.sub(rows, e.index(1));
      Value zero = e.number(e.typeOf(element, lanes), 0);
      Value sum =
          e.loop(e.index(0), e.index(taps), e.index(1), zero, [&](Value tap, ValueRange carried) {
            Value offset = e.sub(tap, e.index(before));
            Value place = ofU ? e.add(row, offset) : e.sub(row, offset);
            Value t = ofU ? row : place;
            Value inside = e.both(e.below(row, rows), e.below(place, rows));
            auto safe = [&](Value i) { return e.select(inside, i, last); };
            Value factor = e.convert(e.load(dband, {safe(t), tap}, 0), element);
            Value term = e.fma(e.broadcast(factor, zero.getType()),
                               e.load(other, {safe(place), r}, lanes), carried[0]);
            return Emitter::Values{e.select(inside, term, carried[0])};
          })[0];
      e.store(sum, target, {row, r});
    });
  };
  gradient(op.getInits()[0], op.getV(), /*ofU=*/true);
  gradient(op.getInits()[1], op.getU(), /*ofU=*/false);
}
