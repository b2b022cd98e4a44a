//===- Canonicalize.cpp - Simplifications of the mixers -------------------===//

#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

using namespace mlir;
using namespace aft;

/// Whether a value is a constant of one finite number everywhere.
static bool isFiniteSplat(Value value, bool zero) {
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)) || !elements.isSplat() ||
      !isa<FloatType>(elements.getElementType()))
    return false;
  APFloat number = elements.getSplatValue<APFloat>();
  return zero ? number.isZero() : number.isFinite();
}

template <typename OpT> static SimpleOp replaceBySimple(OpT op, PatternRewriter &rewriter) {
  return rewriter.replaceOpWithNewOp<SimpleOp>(op, op->getResultTypes(), op.getQ(), op.getK(),
                                               op.getV(), op.getLengths(), op.getInits(),
                                               op.getCausal(), op.getGate());
}

namespace {

/// full with one bias everywhere is simple: a constant added to a row of w
/// changes nothing.
struct FullWithConstantBias : OpRewritePattern<FullOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(FullOp op, PatternRewriter &rewriter) const override {
    if (!isFiniteSplat(op.getW(), /*zero=*/false))
      return rewriter.notifyMatchFailure(op, "w is not a finite splat constant");
    auto query = cast<ShapedType>(op.getQ().getType());
    auto key = cast<ShapedType>(op.getK().getType());
    if (ShapedType::isDynamic(query.getDimSize(1)) || query.getDimSize(1) != key.getDimSize(1))
      return rewriter.notifyMatchFailure(op, "simple needs T = S, both static");
    replaceBySimple(op, rewriter);
    return success();
  }
};

/// local with a zero band is simple.
struct LocalWithZeroBand : OpRewritePattern<LocalOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LocalOp op, PatternRewriter &rewriter) const override {
    if (!isFiniteSplat(op.getBand(), /*zero=*/true))
      return rewriter.notifyMatchFailure(op, "band is not constant zero");
    replaceBySimple(op, rewriter);
    return success();
  }
};

/// conv with a zero filter and a key per channel is simple.
struct ConvWithZeroFilter : OpRewritePattern<ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(ConvOp op, PatternRewriter &rewriter) const override {
    if (!isFiniteSplat(op.getFilter(), /*zero=*/true))
      return rewriter.notifyMatchFailure(op, "filter is not constant zero");
    if (op.getK().getType() != op.getV().getType())
      return rewriter.notifyMatchFailure(op, "a head has more than one channel");
    replaceBySimple(op, rewriter);
    return success();
  }
};

/// A window of s >= T taps reaches every key: those beyond the sequence go.
struct LocalWindowBeyondSequence : OpRewritePattern<LocalOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(LocalOp op, PatternRewriter &rewriter) const override {
    auto band = dyn_cast<RankedTensorType>(op.getBand().getType());
    auto query = cast<ShapedType>(op.getQ().getType());
    int64_t length = query.getDimSize(1), window = op.getWindow();
    if (!band || ShapedType::isDynamic(length) || length < 1 || window <= length)
      return rewriter.notifyMatchFailure(op, "the window does not exceed a static T");
    int64_t taps = op.getCausal() ? length : 2 * length - 1;
    auto index = [&](int64_t value) { return rewriter.getIndexAttr(value); };
    // Tap j is the key t + j - (s-1): with s = T the first s - T taps fall away.
    Value cropped = rewriter.create<tensor::ExtractSliceOp>(
        op.getLoc(), op.getBand(), ArrayRef<OpFoldResult>{index(0), index(window - length)},
        ArrayRef<OpFoldResult>{tensor::getMixedSize(rewriter, op.getLoc(), op.getBand(), 0),
                               index(taps)},
        ArrayRef<OpFoldResult>{index(1), index(1)});
    rewriter.modifyOpInPlace(op, [&] {
      op.getBandMutable().assign(cropped);
      op.setWindow(length);
    });
    return success();
  }
};

/// Constant lengths that reach the whole sequence hide nothing.
template <typename OpT> struct LengthsThatHideNothing : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;
  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    DenseElementsAttr lengths;
    if (!op.getLengths() || !matchPattern(op.getLengths(), m_Constant(&lengths)))
      return rewriter.notifyMatchFailure(op, "lengths are absent or not constant");
    int64_t keys = cast<ShapedType>(op.getK().getType()).getDimSize(1);
    if (ShapedType::isDynamic(keys) ||
        llvm::any_of(lengths.getValues<APInt>(),
                     [&](const APInt &length) { return length.getSExtValue() < keys; }))
      return rewriter.notifyMatchFailure(op, "a length may hide a key");
    rewriter.modifyOpInPlace(op, [&] { op.getLengthsMutable().clear(); });
    return success();
  }
};

/// The extent of an expanded dimension is an operand. MLIR 19's own pattern
/// divides the source's extent by the others of the group, which goes wrong when
/// two of them are dynamic (B and T); this one comes first.
struct DimOfExpandShape : OpRewritePattern<tensor::DimOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::DimOp op, PatternRewriter &rewriter) const override {
    auto expand = op.getSource().getDefiningOp<tensor::ExpandShapeOp>();
    std::optional<int64_t> dim = op.getConstantIndex();
    if (!expand || !dim || *dim < 0 || *dim >= expand.getResultType().getRank())
      return rewriter.notifyMatchFailure(op, "not a known dimension of an expand_shape");
    OpFoldResult extent =
        getMixedValues(expand.getStaticOutputShape(), expand.getOutputShape(), rewriter)[*dim];
    rewriter.replaceOp(op, getValueOrCreateConstantIndexOp(rewriter, op.getLoc(), extent));
    return success();
  }
};

/// Rows without numbers: nothing is left to loop over, in which ids could be computed.
struct EmbeddingOfNoWidth : OpRewritePattern<EmbeddingOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(EmbeddingOp op, PatternRewriter &rewriter) const override {
    auto type = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    auto ids = dyn_cast<RankedTensorType>(op.getIds().getType());
    if (!type || !ids || type.getDimSize(type.getRank() - 1) != 0)
      return rewriter.notifyMatchFailure(op, "the table has a width");
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, op.getLoc(), op.getIds());
    sizes.push_back(rewriter.getIndexAttr(0));
    Value none = rewriter.create<tensor::EmptyOp>(op.getLoc(), sizes, type.getElementType());
    if (none.getType() != type)
      none = rewriter.create<tensor::CastOp>(op.getLoc(), type, none);
    rewriter.replaceOp(op, none);
    return success();
  }
};

} // namespace

void AFTDialect::getCanonicalizationPatterns(RewritePatternSet &patterns) const {
  patterns.add<DimOfExpandShape>(patterns.getContext(), /*benefit=*/100);
  patterns.add<EmbeddingOfNoWidth>(patterns.getContext());
}

void FullOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<FullWithConstantBias, LengthsThatHideNothing<FullOp>>(context);
}

void LocalOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<LocalWithZeroBand, LocalWindowBeyondSequence, LengthsThatHideNothing<LocalOp>>(
      context);
}

void SimpleOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<LengthsThatHideNothing<SimpleOp>>(context);
}

void ConvOp::getCanonicalizationPatterns(RewritePatternSet &patterns, MLIRContext *context) {
  patterns.add<ConvWithZeroFilter, LengthsThatHideNothing<ConvOp>>(context);
}
