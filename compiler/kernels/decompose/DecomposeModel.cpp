//===- DecomposeModel.cpp - embedding and finish as generics --------------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"

#include <limits>

using namespace mlir;
using namespace aft;

namespace {

/// An id outside the table reads row 0 and gives a row of NaN.
struct DecomposeEmbedding : OpRewritePattern<EmbeddingOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(EmbeddingOp op, PatternRewriter &rewriter) const override {
    if (!op.getInits().empty())
      return rewriter.notifyMatchFailure(op, "has destinations");
    Generic g(rewriter, op.getLoc());
    Value table = op.getTable();
    Type element = elementOf(table);
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(g.b, g.b.getLoc(), op.getIds());
    sizes.push_back(tensor::getMixedSize(g.b, g.b.getLoc(), table, 1));
    Value rows = g.b.create<tensor::DimOp>(table, 0);
    unsigned loops = sizes.size();
    Value y =
        g.parallel({g.leading(op.getIds(), loops)}, {g.leading(g.empty(sizes, element), loops)},
                   [&](ImplicitLocOpBuilder &b, ValueRange args) {
                     Value id = b.create<arith::IndexCastOp>(b.getIndexType(), args[0]);
                     Value valid = b.create<arith::CmpIOp>(arith::CmpIPredicate::ult, id, rows);
                     Value zero = b.create<arith::ConstantIndexOp>(0);
                     Value safe = b.create<arith::SelectOp>(valid, id, zero);
                     Value column = b.create<linalg::IndexOp>(loops - 1);
                     Value found = b.create<tensor::ExtractOp>(table, ValueRange{safe, column});
                     Value nan = number(b, element, std::numeric_limits<double>::quiet_NaN());
                     return SmallVector<Value>{b.create<arith::SelectOp>(valid, found, nan)};
                   })[0];
    replaceWithCasts(rewriter, op, y);
    return success();
  }
};

Value applyGate(ImplicitLocOpBuilder &b, Gate gate, Value x) {
  Type type = x.getType();
  switch (gate) {
  case Gate::none:
    return number(b, type, 1);
  case Gate::relu:
    return b.create<arith::MaximumFOp>(x, number(b, type, 0));
  case Gate::tanh:
    return b.create<math::TanhOp>(x);
  case Gate::sigmoid:
    break;
  }
  Value one = number(b, type, 1);
  Value e = b.create<math::ExpOp>(b.create<arith::NegFOp>(x));
  return b.create<arith::DivFOp>(one, b.create<arith::AddFOp>(one, e));
}

struct DecomposeFinish : OpRewritePattern<FinishOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(FinishOp op, PatternRewriter &rewriter) const override {
    if (!op.getInits().empty())
      return rewriter.notifyMatchFailure(op, "has destinations");
    Generic g(rewriter, op.getLoc());
    Type element = elementOf(op.getQ()), acc = accumulationType(element);
    unsigned loops = rankOf(op.getQ());
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(g.b, g.b.getLoc(), op.getQ());
    Value y = g.parallel(
        {g.leading(op.getQ(), loops), g.leading(op.getN(), loops), g.leading(op.getZ(), loops)},
        {g.leading(g.empty(sizes, element), loops)}, [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value gate = applyGate(b, op.getGate(), toFloat(b, args[0], acc));
          Value zero = number(b, acc, 0);
          Value empty = b.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, args[2], zero);
          Value mean = b.create<arith::DivFOp>(args[1], args[2]);
          Value seen = b.create<arith::MulFOp>(gate, mean);
          Value result = b.create<arith::SelectOp>(empty, zero, seen);
          return SmallVector<Value>{toFloat(b, result, element)};
        })[0];
    replaceWithCasts(rewriter, op, y);
    return success();
  }
};

} // namespace

void aft::replaceWithCasts(RewriterBase &rewriter, Operation *op, ValueRange values) {
  SmallVector<Value> replacements;
  for (auto [value, result] : llvm::zip_equal(values, op->getResults())) {
    if (value.getType() == result.getType())
      replacements.push_back(value);
    else
      replacements.push_back(
          rewriter.create<tensor::CastOp>(op->getLoc(), result.getType(), value));
  }
  rewriter.replaceOp(op, replacements);
}

void aft::populateDecomposeModelPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeEmbedding, DecomposeFinish>(patterns.getContext());
}
