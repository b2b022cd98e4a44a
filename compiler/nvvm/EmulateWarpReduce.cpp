//===- EmulateWarpReduce.cpp - Numbers of a warp combined on a CPU --------===//

#include "compiler/nvvm/WarpOps.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace aft;

namespace {

/// Splits a forall at one reduction.
class ReductionSplit {
public:
  explicit ReductionSplit(WarpReduceOp op)
      : op(op), rest(cast<scf::ForallOp>(op->getParentOp())), builder(rest),
        e(builder, op.getLoc()), threads(*getConstantIntValue(rest.getMixedUpperBound()[0])) {}
  LogicalResult run();

private:
  Value makeRow(Type type) { return threadMemory(e, threads, {}, type); }
  LogicalResult keepAll();
  bool isUsedInRest(Operation *inner);
  void keep(Value value);

  WarpReduceOp op;
  scf::ForallOp rest; ///< what is done after the reduction
  OpBuilder builder;
  Emitter e;
  int64_t threads;
  Block *before = nullptr; ///< what is done until then
  Value thread;            ///< there
};

} // namespace

bool ReductionSplit::isUsedInRest(Operation *inner) {
  return llvm::any_of(inner->getUsers(), [&](Operation *user) { return rest->isAncestor(user); });
}

/// Has the rest load what was computed before.
void ReductionSplit::keep(Value value) {
  Value memory = makeRow(value.getType());
  builder.setInsertionPoint(before->getTerminator());
  builder.create<memref::StoreOp>(e.loc, value, memory, thread);
  builder.setInsertionPointToStart(rest.getBody());
  Value loaded = builder.create<memref::LoadOp>(e.loc, memory, rest.getInductionVar(0));
  value.replaceUsesWithIf(loaded, [&](OpOperand &use) { return rest->isAncestor(use.getOwner()); });
}

/// From the last operation on, so that operands of those that are made again are found.
/// Memory is no number to keep: its description is made again, as are constants.
LogicalResult ReductionSplit::keepAll() {
  for (Operation &inner : llvm::make_early_inc_range(llvm::reverse(before->without_terminator()))) {
    if (!isUsedInRest(&inner))
      continue;
    bool isMemory = llvm::any_of(inner.getResultTypes(), llvm::IsaPred<MemRefType>);
    if (!isMemory && !inner.hasTrait<OpTrait::ConstantLike>()) {
      for (Value value : inner.getResults())
        if (llvm::any_of(value.getUsers(), [&](Operation *user) { return rest->isAncestor(user); }))
          keep(value);
      continue;
    }
    if (!isPure(&inner))
      return inner.emitError() << "memory that a thread uses before and after '" << op->getName()
                               << "' must not be made in between";
    builder.setInsertionPointToStart(rest.getBody());
    Operation *again = builder.clone(inner);
    for (auto [value, copy] : llvm::zip_equal(inner.getResults(), again->getResults()))
      value.replaceUsesWithIf(copy,
                              [&](OpOperand &use) { return rest->isAncestor(use.getOwner()); });
  }
  return success();
}

LogicalResult ReductionSplit::run() {
  forEachThread(e, threads, [&](Value index) {
    thread = index;
    before = builder.getInsertionBlock();
  });
  Block *body = rest.getBody();
  before->getOperations().splice(before->getTerminator()->getIterator(), body->getOperations(),
                                 body->begin(), op->getIterator());
  rest.getInductionVar(0).replaceUsesWithIf(
      thread, [&](OpOperand &use) { return !rest->isAncestor(use.getOwner()); });
  Type type = op.getValue().getType();
  Value from = makeRow(type), to = makeRow(type);
  builder.setInsertionPoint(before->getTerminator());
  builder.create<memref::StoreOp>(e.loc, op.getValue(), from, thread);
  for (int64_t distance : op.distances()) {
    builder.setInsertionPoint(rest);
    forEachThread(e, threads, [&](Value index) {
      Value other = builder.create<arith::XOrIOp>(e.loc, index, e.index(distance));
      Value own = builder.create<memref::LoadOp>(e.loc, from, index);
      Value others = builder.create<memref::LoadOp>(e.loc, from, other);
      Value both = vector::makeArithReduction(builder, e.loc, op.getKind(), own, others);
      builder.create<memref::StoreOp>(e.loc, both, to, index);
    });
    std::swap(from, to);
  }
  builder.setInsertionPoint(op);
  op.replaceAllUsesWith(
      builder.create<memref::LoadOp>(e.loc, from, rest.getInductionVar(0)).getResult());
  op.erase();
  return keepAll();
}

LogicalResult aft::emulateWarpReduction(WarpReduceOp op) {
  if (!op.isReachedByWarps())
    return op.emitOpError() << "expected to stand where all threads of a warp arrive";
  return ReductionSplit(op).run();
}
