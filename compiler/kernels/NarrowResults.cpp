//===- NarrowResults.cpp - Results that are rounded already ---------------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/Passes.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_NARROWRESULTS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

/// The widening that makes a result of what was narrow; null where it is made otherwise, or
/// where something but a loop reads it.
static arith::ExtFOp wideningOf(linalg::GenericOp op, OpResult result) {
  OpOperand *init = op.getDpsInitOperand(result.getResultNumber());
  Value yielded = op.getBody()->getTerminator()->getOperand(result.getResultNumber());
  auto widening = yielded.getDefiningOp<arith::ExtFOp>();
  bool onlyLoops = llvm::all_of(result.getUses(), [](OpOperand &use) {
    auto reader = dyn_cast<linalg::GenericOp>(use.getOwner());
    return reader && reader.isDpsInput(&use);
  });
  bool isNew =
      init->get().getDefiningOp<tensor::EmptyOp>() && op.getMatchingBlockArgument(init).use_empty();
  return onlyLoops && isNew && !result.use_empty() ? widening : nullptr;
}

/// Lets a reader widen the numbers, but where it would narrow them again.
static void widen(linalg::GenericOp reader, OpOperand &use, Type narrow) {
  BlockArgument argument = reader.getMatchingBlockArgument(&use);
  Type wide = argument.getType();
  argument.setType(narrow);
  ImplicitLocOpBuilder b(reader.getLoc(), reader.getBody(), reader.getBody()->begin());
  Value widened = b.create<arith::ExtFOp>(wide, argument);
  argument.replaceAllUsesExcept(widened, widened.getDefiningOp());
  for (Operation *user : llvm::make_early_inc_range(widened.getUsers()))
    if (isa<arith::TruncFOp>(user) && user->getResult(0).getType() == narrow) {
      user->getResult(0).replaceAllUsesWith(argument);
      user->erase();
    }
}

static void narrow(linalg::GenericOp op, OpResult result, arith::ExtFOp widening) {
  Type narrow = widening.getIn().getType();
  OpOperand *init = op.getDpsInitOperand(result.getResultNumber());
  OpBuilder builder(op);
  Generic g(builder, op.getLoc());
  Value made = g.empty(init->get().getDefiningOp<tensor::EmptyOp>().getMixedSizes(), narrow);
  op.getMatchingBlockArgument(init).setType(narrow);
  init->set(made);
  op.getBody()->getTerminator()->setOperand(result.getResultNumber(), widening.getIn());
  result.setType(made.getType());
  for (OpOperand &use : result.getUses())
    widen(cast<linalg::GenericOp>(use.getOwner()), use, narrow);
}

namespace {

struct NarrowResults : aft::impl::NarrowResultsBase<NarrowResults> {
  void runOnOperation() override {
    getOperation().walk([&](linalg::GenericOp op) {
      for (OpResult result : op->getResults())
        if (arith::ExtFOp widening = wideningOf(op, result))
          narrow(op, result, widening);
    });
    // Readers that only narrowed.
    RewritePatternSet patterns(&getContext());
    linalg::GenericOp::getCanonicalizationPatterns(patterns, &getContext());
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
