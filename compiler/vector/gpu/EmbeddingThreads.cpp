//===- EmbeddingThreads.cpp - The gradient of a table of embeddings -------===//
// A block per row of the table goes through all tokens, whose ids lie in shared memory: the
// order of the sum is fixed, and no atomic operation is needed.

#include "compiler/vector/MixerCommon.h"
#include "compiler/vector/gpu/MixerThreads.h"
#include "compiler/vector/gpu/Threads.h"

using namespace mlir;
using namespace aft;

/// The first `rank` dimensions as one.
static Value flattened(OpBuilder &builder, Value memref, int64_t rank) {
  int64_t all = cast<MemRefType>(memref.getType()).getRank();
  if (rank == 1)
    return memref;
  SmallVector<ReassociationIndices> groups = {llvm::to_vector<4>(llvm::seq<int64_t>(0, rank))};
  for (int64_t dim = rank; dim < all; ++dim)
    groups.push_back({dim});
  return builder.create<memref::CollapseShapeOp>(memref.getLoc(), memref, groups);
}

bool aft::emitEmbeddingGradThreads(EmbeddingGradOp op, OpBuilder &builder) {
  int64_t idRank = cast<MemRefType>(op.getIds().getType()).getRank();
  auto type = cast<MemRefType>(op.getInits()[0].getType());
  if (idRank == 0 || type.isDynamicDim(1))
    return false;
  Emitter e(builder, op.getLoc());
  Value table = op.getInits()[0], ids = flattened(builder, op.getIds(), idRank);
  Value dy = flattened(builder, op.getDy(), idRank), tokens = e.dim(ids, 0);
  Type element = accumulationOf(table), index = builder.getIndexType();
  int64_t channels = type.getDimSize(1);
  int64_t parts = (channels + kBlockThreads - 1) / kBlockThreads;
  Value shared = sharedMemory(e, {kBlockThreads}, index);
  Value sums = threadMemory(e, kBlockThreads, {parts}, element);
  auto forEachChannel =
      [&](llvm::function_ref<void(Value thread, Value part, Value channel)> body) {
        forEachThread(e, kBlockThreads, [&](Value thread) {
          for (int64_t part = 0; part < parts; ++part)
            body(thread, e.index(part), e.add(thread, part * kBlockThreads));
        });
      };
  forEachBlock(e, {e.dim(table, 0)}, [&](ArrayRef<Value> row) {
    forEachChannel([&](Value thread, Value part, Value) {
      e.store(e.number(element, 0), sums, {thread, part});
    });
    e.loop(e.index(0), tokens, e.index(kBlockThreads), [&](Value first) {
      forEachThread(e, kBlockThreads, [&](Value thread) {
        Value token = e.add(first, thread);
        Value id = e.branch(
            e.less(token, tokens), {index},
            [&] {
              Value id = builder.create<memref::LoadOp>(e.loc, ids, token);
              return Emitter::Values{builder.create<arith::IndexCastOp>(e.loc, index, id)};
            },
            [&] { return Emitter::Values{e.index(-1)}; })[0];
        builder.create<memref::StoreOp>(e.loc, id, shared, thread);
      });
      forEachChannel([&](Value thread, Value part, Value channel) {
        e.when(e.less(channel, e.index(channels)), [&] {
          Value start = e.load(sums, {thread, part}, 0);
          Value sum = e.loop(
              e.index(0), e.index(kBlockThreads), e.index(1), start,
              [&](Value i, ValueRange carried) {
                Value id = builder.create<memref::LoadOp>(e.loc, shared, i);
                Value same =
                    builder.create<arith::CmpIOp>(e.loc, arith::CmpIPredicate::eq, id, row[0]);
                return e.branch(
                    same, {element},
                    [&] {
                      Value term = e.convert(e.load(dy, {e.add(first, i), channel}, 0), element);
                      return Emitter::Values{e.fadd(carried[0], term)};
                    },
                    [&] { return Emitter::Values{carried[0]}; });
              })[0];
          e.store(sum, sums, {thread, part});
        });
      });
    });
    forEachChannel([&](Value thread, Value part, Value channel) {
      e.when(e.less(channel, e.index(channels)),
             [&] { e.store(e.load(sums, {thread, part}, 0), table, {row[0], channel}); });
    });
  });
  return true;
}
