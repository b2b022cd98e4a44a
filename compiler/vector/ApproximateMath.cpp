//===- ApproximateMath.cpp - Vector polynomials of f32 functions ----------===//

#include "compiler/vector/Passes.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace aft {
#define GEN_PASS_DEF_APPROXIMATEMATH
#include "compiler/vector/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

namespace {

/// exp for f32: exp(x) = 2^n * exp(r) with n = round(x / ln 2), |r| <= ln 2 / 2.
/// Right at both infinities and at NaN; below the smallest normal number the
/// result is 0, since terms that small never matter beside the largest.
struct ExpF32 : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ExpOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is approximated");
    Location loc = op.getLoc();
    Value x = op.getOperand();
    auto splat = [&](TypedAttr scalar, Type of) -> Value {
      if (auto vector = dyn_cast<VectorType>(of))
        scalar = DenseElementsAttr::get(vector, scalar);
      return rewriter.create<arith::ConstantOp>(loc, scalar);
    };
    auto constant = [&](double value) {
      return splat(rewriter.getF32FloatAttr(static_cast<float>(value)), type);
    };
    auto fma = [&](Value a, Value b, Value c) -> Value {
      return rewriter.create<math::FmaOp>(loc, a, b, c);
    };
    Type intType = rewriter.getI32Type();
    if (auto vector = dyn_cast<VectorType>(type))
      intType = VectorType::get(vector.getShape(), intType);

    // Beside 1.5 * 2^23 a number has no fraction: the sum is rounded to n, which
    // stands in its low bits.
    Value magic = constant(12582912);
    Value shifted = fma(x, constant(1.44269504088896341), magic);
    Value n = rewriter.create<arith::SubFOp>(loc, shifted, magic);
    // ln 2 in two parts, so that r is exact.
    Value r = fma(n, constant(-0.693359375), x);
    r = fma(n, constant(2.12194440e-4), r);
    Value p = constant(1.9875691500e-4);
    for (double coefficient :
         {1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1})
      p = fma(p, r, constant(coefficient));
    Value square = rewriter.create<arith::MulFOp>(loc, r, r);
    p = rewriter.create<arith::AddFOp>(loc, fma(p, square, r), constant(1));
    // n is added to the exponent: between the bounds below the sum is that of a
    // normal number even for n = 128, where p is less than 1.
    auto bits = [&](Value value) -> Value {
      return rewriter.create<arith::BitcastOp>(loc, intType, value);
    };
    Value places = splat(rewriter.getI32IntegerAttr(23), intType);
    Value exponent = rewriter.create<arith::ShLIOp>(loc, bits(shifted), places);
    Value result = rewriter.create<arith::BitcastOp>(
        loc, type, rewriter.create<arith::AddIOp>(loc, bits(p), exponent));
    // Beyond them what was computed means nothing.
    auto when = [&](arith::CmpFPredicate predicate, double bound, Value value) {
      Value condition = rewriter.create<arith::CmpFOp>(loc, predicate, x, constant(bound));
      result = rewriter.create<arith::SelectOp>(loc, condition, value, result);
    };
    when(arith::CmpFPredicate::OLT, -87.3365, constant(0));
    // Infinity, or NaN for NaN.
    Value above =
        rewriter.create<arith::AddFOp>(loc, x, constant(std::numeric_limits<double>::infinity()));
    when(arith::CmpFPredicate::UGT, 88.7228, above);
    rewriter.replaceOp(op, result);
    return success();
  }
};

struct ApproximateMath : aft::impl::ApproximateMathBase<ApproximateMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpF32>(&getContext(), /*benefit=*/10);
    // tanh and erf are bounded: absolute errors of 1e-7 are harmless there.
    populateMathPolynomialApproximationPatterns(patterns);
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
