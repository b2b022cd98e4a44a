//===- EmulateThreads.cpp - Threads of a block one after the other --------===//

#include "compiler/kernels/Interface.h"
#include "compiler/nvvm/Passes.h"
#include "compiler/nvvm/WarpOps.h"
#include "compiler/vector/gpu/Threads.h"

namespace aft {
#define GEN_PASS_DEF_EMULATETHREADS
#include "compiler/nvvm/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// A loop over the threads. Values do not pass from one to the next, and between two
/// foralls all memory is as after a barrier.
static void toLoop(scf::ForallOp forall) {
  OpBuilder builder(forall);
  Emitter e(builder, forall.getLoc());
  Value count = getValueOrCreateConstantIndexOp(builder, e.loc, forall.getMixedUpperBound()[0]);
  auto loop = builder.create<scf::ForOp>(e.loc, e.index(0), count, e.index(1));
  Block *body = loop.getBody();
  forall.getInductionVar(0).replaceAllUsesWith(loop.getInductionVar());
  body->getOperations().splice(body->begin(), forall.getBody()->getOperations(),
                               forall.getBody()->begin(), std::prev(forall.getBody()->end()));
  forall.erase();
}

namespace {
struct EmulateThreads : aft::impl::EmulateThreadsBase<EmulateThreads> {
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(kernelAttrName) || kernel.isExternal())
      return;
    SmallVector<WarpReduceOp> reductions;
    kernel.walk([&](WarpReduceOp op) { reductions.push_back(op); });
    for (WarpReduceOp op : reductions)
      if (failed(emulateWarpReduction(op)))
        return signalPassFailure();
    SmallVector<scf::ForallOp> foralls;
    SmallVector<Operation *> memory;
    kernel.walk([&](Operation *op) {
      if (auto forall = dyn_cast<scf::ForallOp>(op); forall && isThreadForall(forall))
        foralls.push_back(forall);
      else if (isa<memref::AllocOp, memref::AllocaOp>(op))
        memory.push_back(op);
    });
    for (scf::ForallOp forall : foralls)
      toLoop(forall);
    emulateWarps(kernel);
    // Once per call of the kernel, not once per thread.
    OpBuilder builder(kernel);
    for (Operation *op : memory) {
      builder.setInsertionPointToStart(&kernel.front());
      auto stack = builder.create<memref::AllocaOp>(op->getLoc(),
                                                    cast<MemRefType>(op->getResult(0).getType()),
                                                    builder.getI64IntegerAttr(64));
      op->getResult(0).replaceAllUsesWith(stack);
      op->erase();
    }
  }
};
} // namespace
