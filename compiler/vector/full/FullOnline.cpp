//===- FullOnline.cpp - aft.full with a state that keys are folded into ---===//

#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/full/FullMixer.h"

using namespace mlir;
using namespace aft;

/// Adds all keys to the state of query t.
static MixState addKeys(FullOnlineOp op, LaneEmitter &group, Value t, const MixState &start) {
  Emitter &e = group.e;
  bool perBatch = cast<MemRefType>(op.getW().getType()).getRank() == 3;
  auto exponent = [&](Value key) {
    SmallVector<Value> place = {t, key};
    if (perBatch)
      place.insert(place.begin(), group.batch);
    Value w = e.broadcast(e.convert(e.load(op.getW(), place, 0), group.element), group.type);
    return exponentOf(group, group.load(op.getK(), key), w);
  };
  Value keys = e.dim(op.getK(), 1);
  return addExactly(group, e.index(0), keys, start, exponent,
                    [&](Value key) { return group.load(op.getV(), key); });
}

void aft::emitFullOnline(FullOnlineOp op, OpBuilder &builder, unsigned vectorBits) {
  Emitter e(builder, op.getLoc());
  Type element = accumulationOf(op.getM());
  Value batches = e.dim(op.getM(), 0), queries = e.dim(op.getM(), 1);
  int64_t channels = cast<MemRefType>(op.getM().getType()).getDimSize(2);
  Value grid[] = {batches, queries};
  e.grid(grid, [&](ArrayRef<Value> index) {
    forEachLaneGroupOfBatch(e, element, vectorBits, index[0], channels, 1, [&](LaneEmitter &group) {
      Value t = index[1];
      MixState state{group.load(op.getM(), t), group.load(op.getN(), t), group.load(op.getZ(), t)};
      SmallVector<Value> result = addKeys(op, group, t, state).values();
      for (auto [value, memref] : llvm::zip_equal(result, op.getInits()))
        group.store(value, memref, t);
    });
  });
}
