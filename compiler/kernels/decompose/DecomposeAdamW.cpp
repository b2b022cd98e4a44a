//===- DecomposeAdamW.cpp - One AdamW update as a generic in place --------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "dialect/ir/AFT.h"

#include <cmath>
#include <map>

using namespace mlir;
using namespace aft;

namespace {

/// 1 / (1 - beta^step) as a rank-0 f64 tensor. The power is taken by squaring,
/// in f64: 1 - 0.999^1 would lose four digits in f32.
Value biasCorrection(Generic &g, Value step, double beta) {
  Type f64 = g.b.getF64Type();
  return g.parallel({g.scalar(step, 0)}, {g.scalar(g.empty({}, f64), 0)},
                    [&](ImplicitLocOpBuilder &b, ValueRange args) {
                      Value one = number(b, f64, 1), power = one;
                      double factor = beta;
                      for (int64_t bit = 0; bit < 31; ++bit, factor *= factor) {
                        Value mask = integer(b, int64_t(1) << bit);
                        Value set = b.create<arith::CmpIOp>(arith::CmpIPredicate::ne,
                                                            b.create<arith::AndIOp>(args[0], mask),
                                                            integer(b, 0));
                        // Later factors are zero too: one bit test covers them all.
                        bool last = factor == 0 || bit == 30;
                        if (last)
                          set = b.create<arith::CmpIOp>(arith::CmpIPredicate::sge, args[0], mask);
                        Value multiplied = b.create<arith::MulFOp>(power, number(b, f64, factor));
                        power = b.create<arith::SelectOp>(set, multiplied, power);
                        if (last)
                          break;
                      }
                      Value rest = b.create<arith::SubFOp>(one, power);
                      return SmallVector<Value>{b.create<arith::DivFOp>(one, rest)};
                    })[0];
}

/// The corrections of a block, each built once for all parameters of a step: before the
/// first update that needs it.
class BiasCorrections {
public:
  Value get(Generic &g, AdamWOp op, const APFloat &beta) {
    Value &known = values[{op->getBlock(), op.getStep().getAsOpaquePointer(),
                           beta.bitcastToAPInt().getZExtValue()}];
    if (!known)
      known = biasCorrection(g, op.getStep(), beta.convertToDouble());
    return known;
  }

private:
  std::map<std::tuple<Block *, void *, uint64_t>, Value> values;
};

/// Without destinations.
class DecomposeAdamW {
public:
  void rewrite(RewriterBase &rewriter, AdamWOp op) {
    rewriter.setInsertionPoint(op);
    Generic g(rewriter, op.getLoc());
    Value first = corrections.get(g, op, op.getBeta1());
    Value second = corrections.get(g, op, op.getBeta2());
    unsigned loops = rankOf(op.getParam());
    SmallVector<Value> results = g.parallel(
        {g.leading(op.getGrad(), loops), g.scalar(op.getLr(), loops),
         g.scalar(op.getScale(), loops), g.scalar(first, loops), g.scalar(second, loops)},
        {g.leading(op.getParam(), loops), g.leading(op.getM(), loops), g.leading(op.getV(), loops)},
        [&](ImplicitLocOpBuilder &b, ValueRange args) { return update(b, op, args); });
    replaceWithCasts(rewriter, op, results);
  }

private:
  /// args: grad, lr, scale, 1/(1-beta1^t), 1/(1-beta2^t), param, m, v.
  static SmallVector<Value> update(ImplicitLocOpBuilder &b, AdamWOp op, ValueRange args) {
    bool wide =
        llvm::any_of(args.drop_front(5), [](Value value) { return value.getType().isF64(); });
    Type type = wide ? Type(b.getF64Type()) : Type(b.getF32Type());
    SmallVector<Value> x;
    for (Value value : args)
      x.push_back(toFloat(b, value, type));
    auto add = [&](Value l, Value r) -> Value { return b.create<arith::AddFOp>(l, r); };
    auto mul = [&](Value l, Value r) -> Value { return b.create<arith::MulFOp>(l, r); };
    auto constant = [&](double value) { return number(b, type, value); };
    double beta1 = op.getBeta1().convertToDouble(), beta2 = op.getBeta2().convertToDouble();
    Value grad = mul(x[0], x[2]);
    Value m = add(mul(x[6], constant(beta1)), mul(grad, constant(1 - beta1)));
    Value v = add(mul(x[7], constant(beta2)), mul(mul(grad, grad), constant(1 - beta2)));
    Value root = b.create<math::SqrtOp>(mul(v, x[4]));
    Value change =
        b.create<arith::DivFOp>(mul(m, x[3]), add(root, constant(op.getEps().convertToDouble())));
    Value decay = mul(x[5], constant(op.getWeightDecay().convertToDouble()));
    Value param = b.create<arith::SubFOp>(x[5], mul(x[1], add(decay, change)));
    return {toFloat(b, param, args[5].getType()), toFloat(b, m, args[6].getType()),
            toFloat(b, v, args[7].getType())};
  }

  BiasCorrections corrections;
};

} // namespace

void aft::decomposeAdamWs(FunctionOpInterface function) {
  SmallVector<AdamWOp> updates;
  function.walk([&](AdamWOp op) {
    if (op.getInits().empty())
      updates.push_back(op);
  });
  IRRewriter rewriter(function.getContext());
  DecomposeAdamW decompose;
  for (AdamWOp op : updates)
    decompose.rewrite(rewriter, op);
}
