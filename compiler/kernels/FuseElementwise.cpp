//===- FuseElementwise.cpp - Merges elementwise generics into consumers ---===//

#include "compiler/kernels/Passes.h"
#include "compiler/kernels/Remarks.h"
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

/// What speaks against merging the producer of an operand, as a reason; empty:
/// nothing.
static StringRef obstacle(OpOperand *operand) {
  auto producer = operand->get().getDefiningOp<linalg::GenericOp>();
  auto consumer = dyn_cast<linalg::GenericOp>(operand->getOwner());
  if (!producer || !consumer)
    return "not both are generics";
  if (producer->getNumResults() != 1)
    return "has several results";
  if (bodySize(producer) + bodySize(consumer) > maxBodyOps)
    return "together too many operations per element: registers would spill";
  if (producer.getNumDpsInputs() + consumer.getNumDpsInputs() > maxOperands)
    return "together too many operands to read at once";
  // A broadcast operand would be computed again for every element, and a
  // permuted one would be read against the grain.
  AffineMap map = consumer.getMatchingIndexingMap(operand);
  bool once = map.getNumResults() == consumer.getNumLoops();
  if (!once)
    return isCheap(producer) && countStreams(producer) == 0
               ? ""
               : "is broadcast: it would be computed again for every element that reads it";
  if (hasOneUser(producer) || (isCheap(producer) && countStreams(producer) <= 1))
    return "";
  return "has several users, and computing it again costs more than reading it";
}

namespace {

struct FuseElementwise : aft::impl::FuseElementwiseBase<FuseElementwise> {
  explicit FuseElementwise(CompileReport *report = nullptr) : report(report) {}

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    linalg::populateElementwiseOpsFusionPatterns(
        patterns, [&](OpOperand *operand) { return decide(operand); });
    linalg::populateEraseUnusedOperandsAndResultsPatterns(patterns);
    GreedyRewriteConfig config;
    config.useTopDownTraversal = true;
    config.enableRegionSimplification = GreedySimplifyRegionLevel::Disabled;
    if (failed(applyPatternsAndFoldGreedily(getOperation(),
                                            std::move(patterns), config))) {
      getOperation().emitOpError("elementwise fusion did not converge");
      return signalPassFailure();
    }
    if (report)
      getOperation().walk([&](linalg::GenericOp op) { explain(op); });
  }

  /// The pattern fuses what this allows.
  bool decide(OpOperand *operand) {
    if (!obstacle(operand).empty())
      return false;
    Operation *producer = operand->get().getDefiningOp(), *consumer = operand->getOwner();
    if (report)
      remark(*report, getArgument(), producer, consumer, "");
    // What is fused comes from both places.
    consumer->setLoc(FusedLoc::get(&getContext(), {consumer->getLoc(), producer->getLoc()}));
    return true;
  }

  /// Tells why the elementwise producers that are left were not merged.
  void explain(linalg::GenericOp consumer) {
    llvm::SmallPtrSet<Operation *, 4> seen;
    for (OpOperand &operand : consumer->getOpOperands()) {
      auto producer = operand.get().getDefiningOp<linalg::GenericOp>();
      if (!producer || !seen.insert(producer).second ||
          producer.getNumParallelLoops() != producer.getNumLoops())
        continue;
      StringRef reason = obstacle(&operand);
      if (reason.empty())
        reason = consumer.isDpsInit(&operand) ? "its user updates the result in place"
                                              : "its user does not read it element by element";
      remark(*report, getArgument(), producer, consumer, reason);
    }
  }

  CompileReport *report;
};

} // namespace

std::unique_ptr<Pass> aft::createFuseElementwise(CompileReport *report) {
  return std::make_unique<FuseElementwise>(report);
}
