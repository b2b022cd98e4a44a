//===- DecomposeNorm.cpp - layer_norm and its derivative as generics ------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"

using namespace mlir;
using namespace aft;

namespace {

/// [B, T, d] is normalised as B * T rows.
template <typename OpT> struct FlattenRows : OpRewritePattern<OpT> {
  using OpRewritePattern<OpT>::OpRewritePattern;

  LogicalResult matchAndRewrite(OpT op, PatternRewriter &rewriter) const override {
    unsigned rank = rankOf(op.getX());
    if (rank < 3 || !op.getInits().empty())
      return rewriter.notifyMatchFailure(op, "already on rows");
    Generic g(rewriter, op.getLoc());
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(g.flattened(operand, rank - 1));
    SmallVector<Type> types;
    for (Type type : op->getResultTypes())
      types.push_back(flattenedType(type, rank - 1));
    OperationState state(op.getLoc(), op->getName(), operands, types, op->getAttrs());
    Operation *flat = rewriter.create(state);
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(g.b, g.b.getLoc(), op.getX());
    SmallVector<Value> results;
    for (auto [result, old] : llvm::zip_equal(flat->getResults(), op->getResults()))
      results.push_back(g.unflattened(result, rank - 1, ArrayRef(sizes).take_front(rankOf(old))));
    replaceWithCasts(rewriter, op, results);
    return success();
  }
};

int64_t rowExtent(Value x) { return cast<ShapedType>(x.getType()).getShape().back(); }

/// What layer_norm and its derivative ask of x.
template <typename Op> LogicalResult checkRows(Op op, PatternRewriter &rewriter) {
  if (!op.getInits().empty() || rankOf(op.getX()) > 2)
    return rewriter.notifyMatchFailure(op, "has destinations or is not flat");
  if (ShapedType::isDynamic(rowExtent(op.getX())))
    return rewriter.notifyMatchFailure(op, "the last extent is dynamic");
  return success();
}

/// What both patterns know about x.
struct Rows {
  Rows(Generic &g, Value x)
      : rank(rankOf(x)), acc(accumulationType(elementOf(x))),
        sizes(tensor::getMixedSizes(g.b, g.b.getLoc(), x)), rowSizes(ArrayRef(sizes).drop_back()) {
    extent = rowExtent(x);
  }
  unsigned rank;
  Type acc;
  SmallVector<OpFoldResult> sizes, rowSizes;
  int64_t extent;
};

/// The sum over each row of what `term` makes of its operands.
Value rowSum(Generic &g, const Rows &rows, ArrayRef<Generic::Operand> ins,
             llvm::function_ref<Value(ImplicitLocOpBuilder &, ValueRange)> term) {
  Value zero = g.filled(rows.rowSizes, rows.acc, 0);
  return g.reduce(ins, {g.leading(zero, rows.rank)}, {rows.rank - 1},
                  [&](ImplicitLocOpBuilder &b, ValueRange args) {
                    Value sum = term(b, args);
                    return SmallVector<Value>{b.create<arith::AddFOp>(args.back(), sum)};
                  })[0];
}

/// The row scaled and shifted by two of its statistics: (x - mean) * rstd.
Value normalise(ImplicitLocOpBuilder &b, Value x, Value mean, Value rstd) {
  Value centred = b.create<arith::SubFOp>(toFloat(b, x, mean.getType()), mean);
  return b.create<arith::MulFOp>(centred, rstd);
}

struct DecomposeLayerNorm : OpRewritePattern<LayerNormOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LayerNormOp op, PatternRewriter &rewriter) const override {
    if (failed(checkRows(op, rewriter)))
      return failure();
    Generic g(rewriter, op.getLoc());
    Rows rows(g, op.getX());
    double share = 1.0 / rows.extent;
    Generic::Operand x = g.leading(op.getX(), rows.rank);
    Value mean = rowSum(g, rows, {x}, [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
      return b.create<arith::MulFOp>(toFloat(b, args[0], rows.acc), number(b, rows.acc, share));
    });
    Value variance = rowSum(g, rows, {x, g.leading(mean, rows.rank)},
                            [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                              Value c =
                                  b.create<arith::SubFOp>(toFloat(b, args[0], rows.acc), args[1]);
                              Value square = b.create<arith::MulFOp>(c, c);
                              return b.create<arith::MulFOp>(square, number(b, rows.acc, share));
                            });
    Value rstd = makeRstd(g, rows, variance, op.getEps().convertToDouble());
    SmallVector<Value> results = {scale(g, rows, op, mean, rstd)};
    if (op.getNumResults() == 3)
      results.append({mean, rstd});
    replaceWithCasts(rewriter, op, results);
    return success();
  }

  static Value makeRstd(Generic &g, const Rows &rows, Value variance, double eps) {
    unsigned loops = rows.rank - 1;
    Value init = g.empty(rows.rowSizes, rows.acc);
    return g.parallel({g.leading(variance, loops)}, {g.leading(init, loops)},
                      [&](ImplicitLocOpBuilder &b, ValueRange args) {
                        Value sum = b.create<arith::AddFOp>(args[0], number(b, rows.acc, eps));
                        Value root = b.create<math::SqrtOp>(sum);
                        return SmallVector<Value>{
                            b.create<arith::DivFOp>(number(b, rows.acc, 1), root)};
                      })[0];
  }

  static Value scale(Generic &g, const Rows &rows, LayerNormOp op, Value mean, Value rstd) {
    unsigned rank = rows.rank;
    Type element = elementOf(op.getResult(0));
    Value init = g.empty(rows.sizes, element);
    return g.parallel({g.leading(op.getX(), rank), g.leading(mean, rank), g.leading(rstd, rank),
                       g.at(op.getGamma(), rank, {rank - 1}), g.at(op.getBeta(), rank, {rank - 1})},
                      {g.leading(init, rank)}, [&](ImplicitLocOpBuilder &b, ValueRange args) {
                        Value x = normalise(b, args[0], args[1], args[2]);
                        x = b.create<arith::MulFOp>(x, toFloat(b, args[3], rows.acc));
                        x = b.create<arith::AddFOp>(x, toFloat(b, args[4], rows.acc));
                        return SmallVector<Value>{toFloat(b, x, element)};
                      })[0];
  }
};

/// With g = dy * gamma and h = (x - mean) * rstd:
///   dx = rstd * (g - mean(g) - h * mean(g * h)), dgamma = sum over the rows
/// of dy * h, dbeta = sum over the rows of dy.
struct DecomposeLayerNormGrad : OpRewritePattern<LayerNormGradOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(LayerNormGradOp op, PatternRewriter &rewriter) const override {
    if (failed(checkRows(op, rewriter)))
      return failure();
    Generic g(rewriter, op.getLoc());
    Rows rows(g, op.getX());
    replaceWithCasts(
        rewriter, op,
        {makeDx(g, rows, op), columnSum(g, rows, op, true), columnSum(g, rows, op, false)});
    return success();
  }

  static Value makeDx(Generic &g, const Rows &rows, LayerNormGradOp op) {
    unsigned rank = rows.rank;
    double share = 1.0 / rows.extent;
    auto scaled = [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
      return b.create<arith::MulFOp>(toFloat(b, args[0], rows.acc), toFloat(b, args[1], rows.acc));
    };
    Generic::Operand dy = g.leading(op.getDy(), rank),
                     gamma = g.at(op.getGamma(), rank, {rank - 1}), x = g.leading(op.getX(), rank),
                     mean = g.leading(op.getMean(), rank), rstd = g.leading(op.getRstd(), rank);
    Value first =
        rowSum(g, rows, {dy, gamma}, [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
          return b.create<arith::MulFOp>(scaled(b, args), number(b, rows.acc, share));
        });
    Value second = rowSum(g, rows, {dy, gamma, x, mean, rstd},
                          [&](ImplicitLocOpBuilder &b, ValueRange args) -> Value {
                            Value h = normalise(b, args[2], args[3], args[4]);
                            Value product = b.create<arith::MulFOp>(scaled(b, args), h);
                            return b.create<arith::MulFOp>(product, number(b, rows.acc, share));
                          });
    Type element = elementOf(op.getResult(0));
    Value init = g.empty(rows.sizes, element);
    return g.parallel({dy, gamma, x, mean, rstd, g.leading(first, rank), g.leading(second, rank)},
                      {g.leading(init, rank)}, [&](ImplicitLocOpBuilder &b, ValueRange args) {
                        Value h = normalise(b, args[2], args[3], args[4]);
                        Value hidden = b.create<arith::MulFOp>(h, args[6]);
                        Value d = b.create<arith::SubFOp>(scaled(b, args), args[5]);
                        d = b.create<arith::SubFOp>(d, hidden);
                        d = b.create<arith::MulFOp>(d, args[4]);
                        return SmallVector<Value>{toFloat(b, d, element)};
                      })[0];
  }

  /// dgamma (normalised) or dbeta.
  static Value columnSum(Generic &g, const Rows &rows, LayerNormGradOp op, bool normalised) {
    unsigned rank = rows.rank;
    SmallVector<unsigned> reduced = llvm::to_vector(llvm::seq<unsigned>(0, rank - 1));
    Type element = elementOf(op.getResult(1));
    Value zero = g.filled({rows.sizes.back()}, rows.acc, 0);
    SmallVector<Generic::Operand> ins = {g.leading(op.getDy(), rank)};
    if (normalised)
      ins.append({g.leading(op.getX(), rank), g.leading(op.getMean(), rank),
                  g.leading(op.getRstd(), rank)});
    Value sum =
        g.reduce(ins, {g.at(zero, rank, {rank - 1})}, reduced,
                 [&](ImplicitLocOpBuilder &b, ValueRange args) {
                   Value term = toFloat(b, args[0], rows.acc);
                   if (normalised)
                     term = b.create<arith::MulFOp>(term, normalise(b, args[1], args[2], args[3]));
                   return SmallVector<Value>{b.create<arith::AddFOp>(args.back(), term)};
                 })[0];
    if (element == rows.acc)
      return sum;
    Value init = g.empty({rows.sizes.back()}, element);
    return g.parallel({g.leading(sum, 1)}, {g.leading(init, 1)},
                      [&](ImplicitLocOpBuilder &b, ValueRange args) {
                        return SmallVector<Value>{toFloat(b, args[0], element)};
                      })[0];
  }
};

} // namespace

void aft::populateDecomposeNormPatterns(RewritePatternSet &patterns) {
  patterns.add<FlattenRows<LayerNormOp>, FlattenRows<LayerNormGradOp>, DecomposeLayerNorm,
               DecomposeLayerNormGrad>(patterns.getContext());
}
