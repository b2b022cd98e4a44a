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
    auto constant = [&](double value) -> Value {
      TypedAttr scalar = rewriter.getF32FloatAttr(static_cast<float>(value));
      if (auto vector = dyn_cast<VectorType>(type))
        scalar = DenseElementsAttr::get(vector, scalar);
      return rewriter.create<arith::ConstantOp>(loc, scalar);
    };
    auto fma = [&](Value a, Value b, Value c) -> Value {
      return rewriter.create<math::FmaOp>(loc, a, b, c);
    };
    Type intType = rewriter.getI32Type();
    if (auto vector = dyn_cast<VectorType>(type))
      intType = VectorType::get(vector.getShape(), intType);
    auto integer = [&](int32_t value) -> Value {
      TypedAttr scalar = rewriter.getI32IntegerAttr(value);
      if (auto vector = dyn_cast<VectorType>(intType))
        scalar = DenseElementsAttr::get(vector, scalar);
      return rewriter.create<arith::ConstantOp>(loc, scalar);
    };

    // The polynomial sees only what it is good for; the ends are selected after.
    Value low = constant(-87.3365), high = constant(88.7228);
    Value clamped = rewriter.create<arith::MaxNumFOp>(
        loc, rewriter.create<arith::MinNumFOp>(loc, x, high), low);
    Value n = rewriter.create<math::RoundEvenOp>(
        loc, rewriter.create<arith::MulFOp>(loc, clamped, constant(1.44269504088896341)));
    // ln 2 in two parts, so that r is exact.
    Value r = fma(n, constant(-0.693359375), clamped);
    r = fma(n, constant(2.12194440e-4), r);
    Value p = constant(1.9875691500e-4);
    for (double coefficient : {1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
                               1.6666665459e-1, 5.0000001201e-1})
      p = fma(p, r, constant(coefficient));
    Value square = rewriter.create<arith::MulFOp>(loc, r, r);
    p = rewriter.create<arith::AddFOp>(loc, fma(p, square, r), constant(1));
    // 2^n in two factors: n reaches 128, one more than an exponent holds.
    Value exponent = rewriter.create<arith::FPToSIOp>(loc, intType, n);
    Value half = rewriter.create<arith::ShRSIOp>(loc, exponent, integer(1));
    Value rest = rewriter.create<arith::SubIOp>(loc, exponent, half);
    auto power = [&](Value value) -> Value {
      Value biased = rewriter.create<arith::AddIOp>(loc, value, integer(127));
      return rewriter.create<arith::BitcastOp>(
          loc, type, rewriter.create<arith::ShLIOp>(loc, biased, integer(23)));
    };
    Value result = rewriter.create<arith::MulFOp>(
        loc, rewriter.create<arith::MulFOp>(loc, p, power(half)), power(rest));
    auto when = [&](arith::CmpFPredicate predicate, Value bound, Value value) {
      Value condition = rewriter.create<arith::CmpFOp>(loc, predicate, x, bound);
      result = rewriter.create<arith::SelectOp>(loc, condition, value, result);
    };
    when(arith::CmpFPredicate::OLT, low, constant(0));
    when(arith::CmpFPredicate::OGT, high, constant(std::numeric_limits<float>::infinity()));
    when(arith::CmpFPredicate::UNO, x, x);
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
