//===- ApproximateMath.cpp - Vector polynomials of f32 functions ----------===//

#include "compiler/vector/Passes.h"
#include "compiler/vector/RegisterMath.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
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

/// An f32 constant, in all lanes of a vector type.
static Value constantOf(PatternRewriter &rewriter, Location loc, Type type, double value) {
  TypedAttr scalar = rewriter.getF32FloatAttr(static_cast<float>(value));
  if (auto vector = dyn_cast<VectorType>(type))
    scalar = DenseElementsAttr::get(vector, scalar);
  return rewriter.create<arith::ConstantOp>(loc, scalar);
}

/// An integer constant of the type of `like`.
static Value integerOf(PatternRewriter &rewriter, Location loc, Type like, int32_t value) {
  TypedAttr scalar = rewriter.getI32IntegerAttr(value);
  if (auto vector = dyn_cast<VectorType>(like))
    scalar = DenseElementsAttr::get(vector, cast<IntegerAttr>(scalar).getValue());
  return rewriter.create<arith::ConstantOp>(loc, scalar);
}

/// The i32 of which an f32, or a vector of them, consists.
static Type bitsOf(Type type) {
  Type bits = IntegerType::get(type.getContext(), 32);
  auto vector = dyn_cast<VectorType>(type);
  return vector ? vector.clone(bits) : bits;
}

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
    auto constant = [&](double value) { return constantOf(rewriter, loc, type, value); };
    auto fma = [&](Value a, Value b, Value c) -> Value {
      return rewriter.create<math::FmaOp>(loc, a, b, c);
    };
    Type intType = bitsOf(type);

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
    Value exponent =
        rewriter.create<arith::ShLIOp>(loc, bits(shifted), integerOf(rewriter, loc, intType, 23));
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

/// exp for f32 where 2^x is an instruction: exp(x) = 2^h * (1 + l ln 2), where h is x / ln 2
/// as rounded and l what that leaves, 8 instructions. Besides the error of 2^h, at most 1.4
/// units in the last place. Right at both infinities and at NaN.
struct ExpByExp2 : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ExpOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is approximated");
    Location loc = op.getLoc();
    auto constant = [&](double value) { return constantOf(rewriter, loc, type, value); };
    auto fma = [&](Value a, Value b, Value c) -> Value {
      return rewriter.create<math::FmaOp>(loc, a, b, c);
    };
    // Beyond these, where 2^h is 0 or infinity, l would be no small number any more.
    Value x = op.getOperand();
    x = rewriter.create<arith::MaximumFOp>(loc, x, constant(-104));
    x = rewriter.create<arith::MinimumFOp>(loc, x, constant(89));
    // 1 / ln 2 in two parts.
    Value scale = constant(1.44269504088896341);
    Value h = rewriter.create<arith::MulFOp>(loc, x, scale);
    Value l = fma(x, scale, rewriter.create<arith::NegFOp>(loc, h));
    l = fma(x, constant(1.44269504088896341 - static_cast<float>(1.44269504088896341)), l);
    Value power = rewriter.create<math::Exp2Op>(loc, h);
    rewriter.replaceOpWithNewOp<arith::MulFOp>(op, power,
                                               fma(l, constant(0.69314718055994531), constant(1)));
    return success();
  }
};

/// erf(x) = x * p(x^2) up to kErfEnd, 1 with the sign of x beyond, where it differs from
/// erf by 3e-8: 23 instructions and no division. The largest error is 1.8e-7, relative to
/// erf 3e-7. NaN stays NaN.
struct ErfF32 : OpRewritePattern<math::ErfOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ErfOp op, PatternRewriter &rewriter) const override {
    // Least squares in the Chebyshev points of [0, kErfEnd^2], in t = 2 x^2 / kErfEnd^2 - 1:
    // so coefficients are small, and nothing cancels.
    static constexpr double kErfEnd = 3.92;
    static constexpr double kCoefficients[] = {
        3.607368132e-01, -1.801086513e-01, 1.340843425e-01, -1.091782106e-01,
        9.060089727e-02, -7.403249221e-02, 5.836926969e-02, -4.336807751e-02,
        2.978298209e-02, -2.018414934e-02, 1.407150326e-02, -7.385242997e-03,
        2.030119058e-03, -1.596563911e-03, 2.064629494e-03, -7.851401735e-04};
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is approximated");
    Location loc = op.getLoc();
    auto constant = [&](double value) { return constantOf(rewriter, loc, type, value); };
    Value x = op.getOperand(), square = rewriter.create<arith::MulFOp>(loc, x, x);
    Value t =
        rewriter.create<math::FmaOp>(loc, square, constant(2 / (kErfEnd * kErfEnd)), constant(-1));
    Value p = constant(kCoefficients[std::size(kCoefficients) - 1]);
    for (double coefficient : llvm::reverse(ArrayRef<double>(kCoefficients).drop_back()))
      p = rewriter.create<math::FmaOp>(loc, p, t, constant(coefficient));
    Value inside = rewriter.create<arith::MulFOp>(loc, x, p);
    Value beyond = rewriter.create<arith::CmpFOp>(
        loc, arith::CmpFPredicate::OGT, rewriter.create<math::AbsFOp>(loc, x), constant(kErfEnd));
    Value one = rewriter.create<math::CopySignOp>(loc, constant(1), x);
    rewriter.replaceOpWithNewOp<arith::SelectOp>(op, beyond, one, inside);
    return success();
  }
};

/// log and log2 for f32: x = 2^e * (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2). The largest
/// error is 0.9 units in the last place for log. Right at 0, infinity, negative numbers and NaN,
/// and, unlike upstream's, for numbers smaller than the smallest normal one.
template <typename Op> struct LogF32 : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is approximated");
    constexpr double infinity = std::numeric_limits<double>::infinity();
    Location loc = op.getLoc();
    Value x = op.getOperand();
    auto constant = [&](double value) { return constantOf(rewriter, loc, type, value); };
    auto compare = [&](arith::CmpFPredicate predicate, double bound) -> Value {
      return rewriter.create<arith::CmpFOp>(loc, predicate, x, constant(bound));
    };
    auto select = [&](Value condition, Value yes, Value no) -> Value {
      return rewriter.create<arith::SelectOp>(loc, condition, yes, no);
    };
    // What is not normal becomes so when it is multiplied by 2^23.
    Value tiny = compare(arith::CmpFPredicate::OLT, std::numeric_limits<float>::min());
    Value normal = select(tiny, rewriter.create<arith::MulFOp>(loc, x, constant(1 << 23)), x);
    auto [exponent, f] = split(rewriter, loc, normal);
    exponent =
        rewriter.create<arith::AddFOp>(loc, exponent, select(tiny, constant(-23), constant(0)));
    Value result = combine(rewriter, loc, exponent, f);
    result = select(compare(arith::CmpFPredicate::OEQ, infinity), constant(infinity), result);
    result = select(compare(arith::CmpFPredicate::OEQ, 0), constant(-infinity), result);
    // Of negative numbers and of NaN.
    result = select(compare(arith::CmpFPredicate::ULT, 0),
                    constant(std::numeric_limits<double>::quiet_NaN()), result);
    rewriter.replaceOp(op, result);
    return success();
  }

private:
  /// e, as a float, and f.
  static std::pair<Value, Value> split(PatternRewriter &rewriter, Location loc, Value x) {
    Type type = x.getType(), intType = bitsOf(type);
    auto integer = [&](int32_t value) { return integerOf(rewriter, loc, intType, value); };
    // In the bits of a float above those of sqrt(1/2), the exponent counts from there.
    constexpr int32_t bitsOfRoot = 0x3f3504f3;
    Value bits = rewriter.create<arith::BitcastOp>(loc, intType, x);
    Value e = rewriter.create<arith::ShRSIOp>(
        loc, rewriter.create<arith::SubIOp>(loc, bits, integer(bitsOfRoot)), integer(23));
    bits = rewriter.create<arith::SubIOp>(loc, bits,
                                          rewriter.create<arith::ShLIOp>(loc, e, integer(23)));
    Value f =
        rewriter.create<arith::SubFOp>(loc, rewriter.create<arith::BitcastOp>(loc, type, bits),
                                       constantOf(rewriter, loc, type, 1));
    return {rewriter.create<arith::SIToFPOp>(loc, type, e), f};
  }

  /// The logarithm of 2^e * (1 + f).
  static Value combine(PatternRewriter &rewriter, Location loc, Value e, Value f) {
    Type type = f.getType();
    auto constant = [&](double value) { return constantOf(rewriter, loc, type, value); };
    auto fma = [&](Value a, Value b, Value c) -> Value {
      return rewriter.create<math::FmaOp>(loc, a, b, c);
    };
    // log(1 + f) = f - f^2 / 2 + f^3 p(f), with the least relative error, 5.8e-9. In pairs,
    // as for exp.
    auto pair = [&](double low, double high) { return fma(constant(high), f, constant(low)); };
    Value square = rewriter.create<arith::MulFOp>(loc, f, f);
    Value p = pair(1.2761574983596802e-1, -7.634492963552475e-2);
    p = fma(p, square, pair(1.4201758801937103e-1, -1.3160182535648346e-1));
    p = fma(p, square, pair(2.0001226663589478e-1, -1.6623356938362122e-1));
    p = fma(p, square, pair(3.333333134651184e-1, -2.500081956386566e-1));
    p = fma(p, f, constant(-0.5));
    if constexpr (std::is_same_v<Op, math::Log2Op>) {
      // 1 / ln 2 in two parts, the first of few digits: what is large has no error.
      Value tail = rewriter.create<arith::MulFOp>(loc, p, square);
      Value small = fma(f, constant(4.4269504088896341e-1),
                        rewriter.create<arith::MulFOp>(loc, tail, constant(1.44269504088896341)));
      return rewriter.create<arith::AddFOp>(loc, e, rewriter.create<arith::AddFOp>(loc, f, small));
    }
    // ln 2 in two parts: e times the first is exact.
    Value tail = fma(p, square, rewriter.create<arith::MulFOp>(loc, e, constant(-2.12194440e-4)));
    return fma(e, constant(0.693359375), rewriter.create<arith::AddFOp>(loc, f, tail));
  }
};

/// Upstream reduces the argument in f32: sin(1000) is off by 6e-5, sin(1e30) infinite. The
/// function of libm is right everywhere; LLVM makes its f32 form of this.
template <typename Op> struct PreciseF32 : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;

  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const override {
    Type type = op.getType(), wide = rewriter.getF64Type();
    if (!getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "only f32 is approximated");
    if (auto shaped = dyn_cast<ShapedType>(type))
      wide = shaped.clone(wide);
    Value x = rewriter.create<arith::ExtFOp>(op.getLoc(), wide, op.getOperand());
    Value y = rewriter.create<Op>(op.getLoc(), x);
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, type, y);
    return success();
  }
};

/// What is asked of bf16 in f32, as arithmetic is: what no approximation is for would be a call
/// of a function that nobody provides.
struct WidenMath : RewritePattern {
  explicit WidenMath(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/30, context) {}

  static Type widened(Type type) {
    Type wide = Float32Type::get(type.getContext());
    if (!getElementTypeOrSelf(type).isBF16())
      return type;
    auto shaped = dyn_cast<ShapedType>(type);
    return shaped ? Type(shaped.clone(wide)) : wide;
  }

  static bool applies(Operation *op) {
    return isa_and_nonnull<math::MathDialect>(op->getDialect()) &&
           getElementTypeOrSelf(op->getResult(0)).isBF16();
  }

  LogicalResult matchAndRewrite(Operation *op, PatternRewriter &rewriter) const override {
    if (!applies(op))
      return failure();
    // Not rounded in between where arithmetic follows, which is widened in the same way.
    auto contract = arith::FastMathFlagsAttr::get(getContext(), arith::FastMathFlags::contract);
    OperationState state(op->getLoc(), op->getName());
    for (Value operand : op->getOperands()) {
      Type wide = widened(operand.getType());
      state.operands.push_back(
          wide == operand.getType()
              ? operand
              : rewriter.create<arith::ExtFOp>(op->getLoc(), wide, operand, contract));
    }
    state.types.push_back(widened(op->getResult(0).getType()));
    state.attributes = op->getAttrs();
    Value result = rewriter.create(state)->getResult(0);
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, op->getResult(0).getType(), result,
                                                 arith::RoundingModeAttr(), contract);
    return success();
  }
};

/// By way of f32, for rounding f64 to bf16 would be a call of such a function, too.
struct RoundByF32 : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  static bool applies(arith::TruncFOp op) {
    return getElementTypeOrSelf(op.getType()).isBF16() &&
           getElementTypeOrSelf(op.getOperand().getType()).isF64();
  }

  LogicalResult matchAndRewrite(arith::TruncFOp op, PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!applies(op))
      return rewriter.notifyMatchFailure(op, "not from f64 to bf16");
    Value single =
        rewriter.create<arith::TruncFOp>(op.getLoc(), WidenMath::widened(type), op.getOperand());
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, type, single);
    return success();
  }
};

/// Whether all that becomes of a number is rounded to bf16 after some arithmetic.
bool isRoundedToBF16(Value number) {
  return llvm::all_of(number.getUsers(), [](Operation *user) {
    if (isa<arith::TruncFOp>(user))
      return getElementTypeOrSelf(user->getResult(0)).isBF16();
    return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::NegFOp>(user) &&
           isRoundedToBF16(user->getResult(0));
  });
}

/// Whether numbers fill registers of AVX-512.
bool fillRegisters(Value numbers) {
  auto type = dyn_cast<VectorType>(numbers.getType());
  return type && type.getElementType().isF32() && type.getRank() == 1 &&
         type.getDimSize(0) % kRegisterLanes == 0;
}

/// Whether something is taken away from a positive number: what is left, as of exp(x) - 1,
/// may be much smaller.
bool isReduced(Value number) {
  return llvm::any_of(number.getUsers(), [&](Operation *user) {
    if (!isa<arith::AddFOp>(user))
      return isa<arith::SubFOp>(user);
    APFloat added(0.f);
    Value other = user->getOperand(user->getOperand(0) == number ? 1 : 0);
    return !matchPattern(other, m_ConstantFloat(&added)) || added.isNegative();
  });
}

/// exp of which only a bf16 is wanted.
struct ExpForBF16 : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(math::ExpOp op, PatternRewriter &rewriter) const override {
    Value result = op.getResult();
    if (!fillRegisters(result) || !isRoundedToBF16(result) || isReduced(result))
      return rewriter.notifyMatchFailure(op, "not rounded to bf16");
    Emitter e(rewriter, op.getLoc());
    rewriter.replaceOp(op, expForBF16(e, op.getOperand()));
    return success();
  }
};

/// 1 + erf(x), of which GELU and its derivative are made, and of which only a bf16 is wanted.
/// Where erf is near -1 it is as precise as elsewhere.
struct OnePlusErfForBF16 : OpRewritePattern<arith::AddFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::AddFOp op, PatternRewriter &rewriter) const override {
    auto erf = op.getLhs().getDefiningOp<math::ErfOp>();
    if (!erf || !matchPattern(op.getRhs(), m_OneFloat()))
      return rewriter.notifyMatchFailure(op, "not 1 + erf(x)");
    if (!fillRegisters(op.getResult()) || !isRoundedToBF16(op.getResult()))
      return rewriter.notifyMatchFailure(op, "not rounded to bf16");
    Emitter e(rewriter, op.getLoc());
    rewriter.replaceOp(op, onePlusErfForBF16(e, erf.getOperand()));
    return success();
  }
};

struct ApproximateMath : aft::impl::ApproximateMathBase<ApproximateMath> {
  using Base::Base;
  void runOnOperation() override {
    // Few kernels have them.
    WalkResult found = getOperation().walk([](Operation *op) {
      auto rounding = dyn_cast<arith::TruncFOp>(op);
      bool applies = WidenMath::applies(op) || (rounding && RoundByF32::applies(rounding));
      return applies ? WalkResult::interrupt() : WalkResult::advance();
    });
    RewritePatternSet wide(&getContext());
    wide.add<WidenMath, RoundByF32>(&getContext());
    if (found.wasInterrupted() &&
        failed(applyPatternsAndFoldGreedily(getOperation(), std::move(wide))))
      return signalPassFailure();
    RewritePatternSet patterns(&getContext());
    if (exp2)
      patterns.add<ExpByExp2>(&getContext(), /*benefit=*/20);
    patterns.add<ExpF32, ErfF32, LogF32<math::LogOp>, LogF32<math::Log2Op>, PreciseF32<math::SinOp>,
                 PreciseF32<math::CosOp>>(&getContext(), /*benefit=*/10);
    // tanh and erf are bounded: absolute errors of 1e-7 are harmless there.
    populateMathPolynomialApproximationPatterns(patterns);
    // First, for they look at what is there before anything is taken apart.
    if (avx512) {
      RewritePatternSet rounded(&getContext());
      rounded.add<ExpForBF16, OnePlusErfForBF16>(&getContext());
      if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(rounded))))
        return signalPassFailure();
    }
    if (failed(applyPatternsAndFoldGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
