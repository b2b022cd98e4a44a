//===- DecomposeMirror.cpp - A flipped tensor is read, not summed -----------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/MirrorForm.h"
#include "compiler/kernels/decompose/Decompose.h"

using namespace mlir;
using namespace aft;

namespace {

struct DecomposeMirror : OpRewritePattern<linalg::GenericOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(linalg::GenericOp op, PatternRewriter &rewriter) const override {
    std::optional<MirrorForm> form = mirrorFormOf(op);
    if (!form)
      return rewriter.notifyMatchFailure(op, "is no flipped tensor");
    Value source = op.getDpsInputs()[0];
    AffineMap read = op.getMatchingIndexingMap(op.getDpsInputOperand(0)),
              written = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
    Generic g(rewriter, op.getLoc());
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(g.b, g.b.getLoc(), op.getDpsInits()[0]);
    Value extent = getValueOrCreateConstantIndexOp(g.b, g.b.getLoc(), form->extent);
    // Where each of the result's dimensions is among those of the source.
    unsigned from = *read.getResultPosition(g.b.getAffineDimExpr(form->summed));
    Value end = g.b.create<tensor::DimOp>(source, from);
    Type element = elementOf(op->getResult(0));
    Value init = g.empty(sizes, element);
    Value y =
        g.parallel({}, {g.leading(init, sizes.size())}, [&](ImplicitLocOpBuilder &b, ValueRange) {
          SmallVector<Value> indices;
          Value valid;
          for (AffineExpr expr : read.getResults()) {
            auto loop = static_cast<int64_t>(cast<AffineDimExpr>(expr).getPosition());
            bool mirrored = loop == form->summed;
            unsigned dim =
                *written.getResultPosition(b.getAffineDimExpr(mirrored ? form->place : loop));
            indices.push_back(b.create<linalg::IndexOp>(dim));
            if (!mirrored)
              continue;
            Value last = b.create<arith::SubIOp>(extent, b.create<arith::ConstantIndexOp>(1));
            Value place = b.create<arith::SubIOp>(last, indices.back());
            valid = b.create<arith::CmpIOp>(arith::CmpIPredicate::ult, place, end);
            indices.back() =
                b.create<arith::SelectOp>(valid, place, b.create<arith::ConstantIndexOp>(0));
          }
          Value found = toFloat(b, b.create<tensor::ExtractOp>(source, indices), element);
          return SmallVector<Value>{b.create<arith::SelectOp>(valid, found, number(b, element, 0))};
        })[0];
    replaceWithCasts(rewriter, op, y);
    return success();
  }
};

} // namespace

void aft::populateDecomposeMirrorPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeMirror>(patterns.getContext());
}
