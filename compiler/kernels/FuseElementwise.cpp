//===- FuseElementwise.cpp - Merges elementwise generics into consumers ---===//

#include "compiler/kernels/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_FUSEELEMENTWISE
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

/// Beyond these a body spills registers and reads too many streams at once.
static constexpr unsigned maxBodyOps = 96, maxOperands = 12;

static unsigned bodySize(linalg::GenericOp op) {
  return llvm::count_if(op.getBody()->without_terminator(), [](Operation &o) {
    return !isa<arith::ConstantOp>(o);
  });
}

/// Work that costs about as much as reading the result from memory.
static bool isCheap(linalg::GenericOp op) {
  return bodySize(op) <= 3 &&
         llvm::none_of(op.getBody()->without_terminator(), [](Operation &o) {
           return isa<math::MathDialect>(o.getDialect()) ||
                  isa<arith::DivFOp, tensor::ExtractOp>(o);
         });
}

/// Operands that are read once per iteration of all loops.
static unsigned countStreams(linalg::GenericOp op) {
  return llvm::count_if(op.getDpsInputOperands(), [&](OpOperand *operand) {
    return op.getMatchingIndexingMap(operand).getNumResults() ==
           op.getNumLoops();
  });
}

static bool hasOneUser(Operation *op) {
  Operation *user = nullptr;
  for (Operation *other : op->getUsers()) {
    if (user && user != other)
      return false;
    user = other;
  }
  return true;
}

static bool shouldFuse(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer || producer->getNumResults() != 1)
    return false;
  if (bodySize(producer) + bodySize(consumer) > maxBodyOps ||
      producer.getNumDpsInputs() + consumer.getNumDpsInputs() > maxOperands)
    return false;
  // A broadcast operand would be computed again for every element, and a
  // permuted one would be read against the grain.
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  bool once = map.getNumResults() == consumer.getNumLoops();
  if (!once)
    return isCheap(producer) && countStreams(producer) == 0;
  if (hasOneUser(producer))
    return true;
  return isCheap(producer) && countStreams(producer) <= 1;
}

namespace {

struct FuseElementwise : aft::impl::FuseElementwiseBase<FuseElementwise> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(patterns, shouldFuse);
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    GreedyRewriteConfig config;
    config.useTopDownTraversal = true;
    config.enableRegionSimplification = GreedySimplifyRegionLevel::Disabled;
    if (failed(applyPatternsAndFoldGreedily(getOperation(),
                                            std::move(patterns), config))) {
      getOperation().emitOpError("elementwise fusion did not converge");
      signalPassFailure();
    }
  }
};

} // namespace
