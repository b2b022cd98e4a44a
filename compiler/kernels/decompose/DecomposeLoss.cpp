//===- DecomposeLoss.cpp - cross_entropy and its derivative ---------------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"

#include <limits>

using namespace mlir;
using namespace aft;

namespace {

/// Whether a row counts: one with a negative target does not.
Value counts(ImplicitLocOpBuilder &b, Value target) {
  Value zero = b.create<arith::ConstantOp>(b.getZeroAttr(target.getType()));
  return b.create<arith::CmpIOp>(arith::CmpIPredicate::sge, target, zero);
}

/// How many rows count, as a tensor of rank 0.
Value countedRows(Generic &g, Value targets, Type type) {
  return g.reduce({g.leading(targets, 1)}, {g.scalar(g.filled({}, type, 0), 1)}, {0},
                  [&](ImplicitLocOpBuilder &b, ValueRange args) {
                    Value one = b.create<arith::SelectOp>(counts(b, args[0]), number(b, type, 1),
                                                          number(b, type, 0));
                    return SmallVector<Value>{b.create<arith::AddFOp>(args[1], one)};
                  })[0];
}

/// value / count, both of rank 0.
Value perCountedRow(Generic &g, Value value, Value count, Type type) {
  return g.parallel({g.leading(value, 0), g.leading(count, 0)}, {g.leading(g.empty({}, type), 0)},
                    [&](ImplicitLocOpBuilder &b, ValueRange args) {
                      return SmallVector<Value>{b.create<arith::DivFOp>(args[0], args[1])};
                    })[0];
}

/// max + log(sum(exp(x - max))) of every row.
Value logSumExp(Generic &g, Value logits, ArrayRef<OpFoldResult> sizes, Type acc) {
  SmallVector<OpFoldResult> rows = {sizes[0]};
  Generic::Operand x = g.leading(logits, 2);
  Value lowest = g.filled(rows, acc, -std::numeric_limits<double>::infinity());
  Value max =
      g.reduce({x}, {g.leading(lowest, 2)}, {1}, [&](ImplicitLocOpBuilder &b, ValueRange args) {
        return SmallVector<Value>{b.create<arith::MaximumFOp>(args[1], toFloat(b, args[0], acc))};
      })[0];
  Value sum = g.reduce({x, g.leading(max, 2)}, {g.leading(g.filled(rows, acc, 0), 2)}, {1},
                       [&](ImplicitLocOpBuilder &b, ValueRange args) {
                         Value d = b.create<arith::SubFOp>(toFloat(b, args[0], acc), args[1]);
                         Value e = b.create<math::ExpOp>(d);
                         return SmallVector<Value>{b.create<arith::AddFOp>(args[2], e)};
                       })[0];
  return g.parallel({g.leading(max, 1), g.leading(sum, 1)}, {g.leading(g.empty(rows, acc), 1)},
                    [&](ImplicitLocOpBuilder &b, ValueRange args) {
                      Value log = b.create<math::LogOp>(args[1]);
                      return SmallVector<Value>{b.create<arith::AddFOp>(args[0], log)};
                    })[0];
}

/// lse - logits[target] of every row; 0 where it does not count, NaN where the
/// target is no class.
Value rowLosses(Generic &g, CrossEntropyOp op, Value lse, OpFoldResult rows, Type acc) {
  Value logits = op.getLogits();
  Value classes = g.b.create<tensor::DimOp>(logits, 1);
  return g.parallel(
      {g.leading(op.getTargets(), 1), g.leading(lse, 1)}, {g.leading(g.empty({rows}, acc), 1)},
      [&](ImplicitLocOpBuilder &b, ValueRange args) {
        Value target = b.create<arith::IndexCastOp>(b.getIndexType(), args[0]);
        Value valid = b.create<arith::CmpIOp>(arith::CmpIPredicate::ult, target, classes);
        Value zero = b.create<arith::ConstantIndexOp>(0);
        Value safe = b.create<arith::SelectOp>(valid, target, zero);
        Value row = b.create<linalg::IndexOp>(0);
        Value picked = b.create<tensor::ExtractOp>(logits, ValueRange{row, safe});
        Value loss = b.create<arith::SubFOp>(args[1], toFloat(b, picked, acc));
        Value nan = number(b, acc, std::numeric_limits<double>::quiet_NaN());
        Value known = b.create<arith::SelectOp>(valid, loss, nan);
        return SmallVector<Value>{
            b.create<arith::SelectOp>(counts(b, args[0]), known, number(b, acc, 0))};
      })[0];
}

struct DecomposeCrossEntropy : OpRewritePattern<CrossEntropyOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CrossEntropyOp op, PatternRewriter &rewriter) const override {
    if (!op.getInits().empty())
      return rewriter.notifyMatchFailure(op, "has destinations");
    Generic g(rewriter, op.getLoc());
    Type acc = accumulationType(elementOf(op.getLogits()));
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(g.b, g.b.getLoc(), op.getLogits());
    Value lse = logSumExp(g, op.getLogits(), sizes, acc);
    Value losses = rowLosses(g, op, lse, sizes[0], acc);
    Value count = countedRows(g, op.getTargets(), acc);
    Value total = g.reduce({g.leading(losses, 1)}, {g.scalar(g.filled({}, acc, 0), 1)}, {0},
                           [&](ImplicitLocOpBuilder &b, ValueRange args) {
                             return SmallVector<Value>{b.create<arith::AddFOp>(args[1], args[0])};
                           })[0];
    SmallVector<Value> results = {perCountedRow(g, total, count, acc)};
    if (op.getNumResults() == 2)
      results.push_back(lse);
    replaceWithCasts(rewriter, op, results);
    return success();
  }
};

/// (exp(x - lse) - [class is the target]) * dloss / count; 0 in rows that do not
/// count
struct DecomposeCrossEntropyGrad : OpRewritePattern<CrossEntropyGradOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(CrossEntropyGradOp op, PatternRewriter &rewriter) const override {
    if (!op.getInits().empty())
      return rewriter.notifyMatchFailure(op, "has destinations");
    Generic g(rewriter, op.getLoc());
    Type element = elementOf(op.getLogits());
    Type acc = accumulationType(element);
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(g.b, g.b.getLoc(), op.getLogits());
    Value count = countedRows(g, op.getTargets(), acc);
    Value share = perCountedRow(g, op.getDloss(), count, acc);
    Value gradient = g.parallel(
        {g.leading(op.getLogits(), 2), g.leading(op.getTargets(), 2), g.leading(op.getLse(), 2),
         g.scalar(share, 2)},
        {g.leading(g.empty(sizes, element), 2)}, [&](ImplicitLocOpBuilder &b, ValueRange args) {
          Value d = b.create<arith::SubFOp>(toFloat(b, args[0], acc), args[2]);
          Value p = b.create<math::ExpOp>(d);
          Value target = b.create<arith::IndexCastOp>(b.getIndexType(), args[1]);
          Value hit = b.create<arith::CmpIOp>(arith::CmpIPredicate::eq,
                                              b.create<linalg::IndexOp>(1), target);
          Value less = b.create<arith::SubFOp>(p, number(b, acc, 1));
          Value chosen = b.create<arith::SelectOp>(hit, less, p);
          Value part = b.create<arith::MulFOp>(chosen, args[3]);
          Value result = b.create<arith::SelectOp>(counts(b, args[1]), part, number(b, acc, 0));
          return SmallVector<Value>{toFloat(b, result, element)};
        })[0];
    replaceWithCasts(rewriter, op, gradient);
    return success();
  }
};

} // namespace

void aft::populateDecomposeLossPatterns(RewritePatternSet &patterns) {
  patterns.add<DecomposeCrossEntropy, DecomposeCrossEntropyGrad>(patterns.getContext());
}
