//===- DecomposeEmpty.cpp - Bands of factors without columns --------------===//
// The kernels of bands go through the columns of the factors in vectors. Where there are
// none a band is zero, and the gradients of the factors are empty.

#include "compiler/kernels/decompose/Decompose.h"
#include "dialect/ir/AFT.h"

using namespace mlir;
using namespace aft;

namespace {

/// BandOp or BandGradOp, on destinations.
template <typename OpT> struct DecomposeEmpty : OpRewritePattern<OpT> {
  DecomposeEmpty(MLIRContext *context) : OpRewritePattern<OpT>(context, /*benefit=*/2) {}

  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    if (op.getInits().empty() || cast<ShapedType>(op.getU().getType()).getDimSize(1) != 0)
      return failure();
    SmallVector<Value> results;
    for (Value init : op.getInits()) {
      Type element = cast<ShapedType>(init.getType()).getElementType();
      Value zero = rewriter.create<arith::ConstantOp>(op.getLoc(), rewriter.getZeroAttr(element));
      results.push_back(rewriter.create<linalg::FillOp>(op.getLoc(), zero, init).getResult(0));
    }
    rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void aft::populateDecomposeEmptyPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeEmpty<BandOp>, DecomposeEmpty<BandGradOp>>(patterns.getContext());
}
