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

/// exp for f32: exp(x) = 2^n * exp(r) with n = round(x / ln 2), |r| <= ln 2 / 2, in
/// 17 instructions; the largest error is 0.65 units in the last place. Right at both
/// infinities and at NaN; what would be smaller than a normal number is 0.
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
    TypedAttr mantissaBits = rewriter.getI32IntegerAttr(23);
    if (auto vector = dyn_cast<VectorType>(type)) {
      auto ints = VectorType::get(vector.getShape(), intType);
      mantissaBits = DenseElementsAttr::get(ints, cast<IntegerAttr>(mantissaBits).getValue());
      intType = ints;
    }

    // Numbers near 1.5 * 2^23 have no fraction: adding one rounds to n, which then
    // lies in the low bits.
    Value shift = constant(12582912);
    Value shifted = fma(x, constant(1.44269504088896341), shift);
    Value n = rewriter.create<arith::SubFOp>(loc, shifted, shift);
    // ln 2 in two parts, so that r is exact.
    Value r = fma(n, constant(-0.693359375), x);
    r = fma(n, constant(2.12194440e-4), r);
    // Least relative error, 3.1e-9, with the first two coefficients given. In pairs:
    // the latency of a chain would be that of the loops around.
    auto pair = [&](double low, double high) { return fma(constant(high), r, constant(low)); };
    Value square = rewriter.create<arith::MulFOp>(loc, r, r);
    Value high = fma(constant(1.3814540579915047e-3), square,
                     pair(4.166838899254799e-2, 8.36874544620514e-3));
    Value p = fma(fma(high, square, pair(4.999999403953552e-1, 1.666652113199234e-1)), square,
                  pair(1, 1));
    // n is added to the exponent: between the bounds below the sum is that of a
    // normal number even for n = 128, where p is less than 1.
    auto bits = [&](Value value) -> Value {
      return rewriter.create<arith::BitcastOp>(loc, intType, value);
    };
    Value exponent = rewriter.create<arith::ShLIOp>(
        loc, bits(shifted), rewriter.create<arith::ConstantOp>(loc, mantissaBits));
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

/// erf for f32: x times a quotient of polynomials in x^2, fitted for the least absolute
/// error (1.6e-8) up to where erf rounds to 1; with rounding 3.2e-7, absolute and
/// relative. Exactly 1 and -1 beyond, NaN for NaN. One division, no table of intervals.
struct ErfF32 : OpRewritePattern<math::ErfOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ErfOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is approximated");
    static constexpr double most = 3.92;
    static constexpr double numerator[] = {1.12837899,    0.192763805,    0.0530604571,
                                           0.00386831933, 0.000287479634, 2.03474201e-06};
    static constexpr double denominator[] = {1.0,          0.504164159,   0.115084521,
                                             0.0151722794, 0.00118811405, 3.80707279e-05};
    Location loc = op.getLoc();
    Value x = op.getOperand();
    auto constant = [&](double value) -> Value {
      TypedAttr scalar = rewriter.getF32FloatAttr(static_cast<float>(value));
      if (auto vector = dyn_cast<VectorType>(type))
        scalar = DenseElementsAttr::get(vector, scalar);
      return rewriter.create<arith::ConstantOp>(loc, scalar);
    };
    auto when = [&](arith::CmpFPredicate predicate, double bound, double value, Value otherwise) {
      Value condition = rewriter.create<arith::CmpFOp>(loc, predicate, x, constant(bound));
      return rewriter.create<arith::SelectOp>(loc, condition, constant(value), otherwise);
    };
    // Only so that nothing overflows.
    Value inside = when(arith::CmpFPredicate::OGT, most, most, x);
    inside = when(arith::CmpFPredicate::OLT, -most, -most, inside);
    Value square = rewriter.create<arith::MulFOp>(loc, inside, inside);
    auto polynomial = [&](ArrayRef<double> coefficients) {
      Value sum = constant(coefficients.back());
      for (double coefficient : llvm::reverse(coefficients.drop_back()))
        sum = rewriter.create<math::FmaOp>(loc, sum, square, constant(coefficient));
      return sum;
    };
    Value top = rewriter.create<arith::MulFOp>(loc, inside, polynomial(numerator));
    Value result = rewriter.create<arith::DivFOp>(loc, top, polynomial(denominator));
    result = when(arith::CmpFPredicate::OGE, most, 1, result);
    rewriter.replaceOp(op, when(arith::CmpFPredicate::OLE, -most, -1, result));
    return success();
  }
};

struct ApproximateMath : aft::impl::ApproximateMathBase<ApproximateMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<ExpF32, ErfF32>(&getContext(), /*benefit=*/10);
    // tanh is bounded: absolute errors of 1e-7 are harmless there.
    populateMathPolynomialApproximationPatterns(patterns);
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
