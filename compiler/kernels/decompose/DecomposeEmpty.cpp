//===- DecomposeEmpty.cpp - Mixers of no channels --------------------------===//
// The kernels of mixers divide rows into vectors of channels. Where there is no channel
// there is nothing to compute: results are empty, and gradients, which are sums over the
// channels, are zero.

#include "compiler/kernels/Shapes.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "dialect/ir/AFT.h"

using namespace mlir;
using namespace aft;

/// Whether a dimension of that letter has the static extent 0.
static bool hasNone(Operation *op, const DimensionLetters &letters, char letter) {
  for (auto [operand, dims] : llvm::zip(op->getOperands(), letters.operands))
    for (auto [dim, each] : llvm::enumerate(dims))
      if (each == letter && cast<ShapedType>(operand.getType()).getDimSize(dim) == 0)
        return true;
  return false;
}

namespace {

struct DecomposeEmpty : RewritePattern {
  DecomposeEmpty(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/2, context) {}

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!isKernelOp(op))
      return failure();
    FailureOr<DimensionLetters> letters = dimensionLetters(op);
    // Destinations follow the operands.
    size_t given = letters->operands.size(), count = op->getNumResults();
    if (op->getNumOperands() != given + count ||
        !hasNone(op, *letters, isa<BandOp, BandGradOp>(op) ? 'r' : 'd'))
      return failure();
    bool sums = isa<FullGradOp, LocalGradOp, ConvGradOp, BandOp>(op);
    for (const std::string &dims : letters->results)
      if (!sums && dims.find_first_of("dr") == std::string::npos)
        return op->emitOpError("needs at least one channel where the maximum or the sum of the "
                               "weights is asked for");
    SmallVector<Value> results;
    for (Value init : op->getOperands().drop_front(given)) {
      Type element = cast<ShapedType>(init.getType()).getElementType();
      Value zero = rewriter.create<arith::ConstantOp>(op->getLoc(), rewriter.getZeroAttr(element));
      results.push_back(rewriter.create<linalg::FillOp>(op->getLoc(), zero, init).getResult(0));
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void aft::populateDecomposeEmptyPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeEmpty>(patterns.getContext());
}
