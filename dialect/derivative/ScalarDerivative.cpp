//===- ScalarDerivative.cpp - The derivative of a body of scalars ---------===//

#include "dialect/derivative/ScalarDerivative.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/TypeSwitch.h"

#include <numbers>

using namespace mlir;

namespace {

/// The rules: each turns the gradient of an operation's result into those of
/// its operands.
class ScalarAdjoint {
public:
  ScalarAdjoint(OpBuilder &builder, const IRMapping &values, DenseMap<Value, Value> &gradients)
      : b(builder.getUnknownLoc(), builder), values(values),
        gradients(gradients) {}

  LogicalResult visit(Operation *op);

private:
  bool visitArith(Operation *op, Value dy);
  bool visitUnaryMath(Operation *op, Value dy);
  bool visitOtherMath(Operation *op, Value dy);

  void add(Value original, Value gradient) {
    if (!isa<FloatType>(original.getType()))
      return;
    Value &sum = gradients[original];
    sum = sum ? b.create<arith::AddFOp>(sum, gradient).getResult() : gradient;
  }
  /// The clone of operand i, and of result 0.
  Value x(Operation *op, unsigned i = 0) { return values.lookupOrDefault(op->getOperand(i)); }
  Value y(Operation *op) { return values.lookupOrDefault(op->getResult(0)); }

  Value mul(Value l, Value r) { return b.create<arith::MulFOp>(l, r); }
  Value sub(Value l, Value r) { return b.create<arith::SubFOp>(l, r); }
  Value div(Value l, Value r) { return b.create<arith::DivFOp>(l, r); }
  Value neg(Value v) { return b.create<arith::NegFOp>(v); }
  Value num(Value like, double number) {
    return b.create<arith::ConstantOp>(b.getFloatAttr(like.getType(), number));
  }
  Value when(arith::CmpFPredicate predicate, Value l, Value r, Value yes, Value no) {
    Value holds = b.create<arith::CmpFOp>(predicate, l, r);
    return b.create<arith::SelectOp>(holds, yes, no);
  }
  /// The larger (or smaller) operand takes the gradient; equal ones share it.
  void addExtremum(Operation *op, Value dy) {
    Value result = y(op), zero = num(dy, 0), half = mul(dy, num(dy, 0.5));
    Value shared = when(arith::CmpFPredicate::OEQ, x(op, 0), x(op, 1), half, dy);
    for (unsigned i : {0u, 1u})
      add(op->getOperand(i), when(arith::CmpFPredicate::OEQ, x(op, i), result, shared, zero));
  }

  ImplicitLocOpBuilder b;
  const IRMapping &values;
  DenseMap<Value, Value> &gradients;
};

} // namespace

bool ScalarAdjoint::visitArith(Operation *op, Value dy) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<arith::AddFOp>([&](auto) {
        add(op->getOperand(0), dy);
        add(op->getOperand(1), dy);
        return true;
      })
      .Case<arith::SubFOp>([&](auto) {
        add(op->getOperand(0), dy);
        add(op->getOperand(1), neg(dy));
        return true;
      })
      .Case<arith::MulFOp>([&](auto) {
        add(op->getOperand(0), mul(dy, x(op, 1)));
        add(op->getOperand(1), mul(dy, x(op, 0)));
        return true;
      })
      .Case<arith::DivFOp>([&](auto) {
        Value share = div(dy, x(op, 1));
        add(op->getOperand(0), share);
        add(op->getOperand(1), neg(mul(share, y(op))));
        return true;
      })
      .Case<arith::NegFOp>([&](auto) {
        add(op->getOperand(0), neg(dy));
        return true;
      })
      .Case<arith::MaximumFOp, arith::MaxNumFOp, arith::MinimumFOp, arith::MinNumFOp>([&](auto) {
        addExtremum(op, dy);
        return true;
      })
      .Case<arith::SelectOp>([&](auto) {
        Value zero = num(dy, 0), condition = x(op, 0);
        add(op->getOperand(1), b.create<arith::SelectOp>(condition, dy, zero));
        add(op->getOperand(2), b.create<arith::SelectOp>(condition, zero, dy));
        return true;
      })
      .Case<arith::ExtFOp>([&](auto) {
        add(op->getOperand(0), b.create<arith::TruncFOp>(op->getOperand(0).getType(), dy));
        return true;
      })
      .Case<arith::TruncFOp>([&](auto) {
        add(op->getOperand(0), b.create<arith::ExtFOp>(op->getOperand(0).getType(), dy));
        return true;
      })
      .Default([](Operation *) { return false; });
}

/// y = f(x): dx = dy * f'(x).
bool ScalarAdjoint::visitUnaryMath(Operation *op, Value dy) {
  using std::numbers::pi;
  Value slope =
      llvm::TypeSwitch<Operation *, Value>(op)
          .Case<math::ExpOp>([&](auto) { return y(op); })
          .Case<math::Exp2Op>([&](auto) { return mul(y(op), num(dy, std::numbers::ln2)); })
          .Case<math::ExpM1Op>(
              [&](auto) { return b.create<arith::AddFOp>(y(op), num(dy, 1)); })
          .Case<math::LogOp>([&](auto) { return div(num(dy, 1), x(op)); })
          .Case<math::Log2Op>(
              [&](auto) { return div(num(dy, std::numbers::log2e), x(op)); })
          .Case<math::Log1pOp>([&](auto) {
            return div(num(dy, 1), b.create<arith::AddFOp>(x(op), num(dy, 1)));
          })
          .Case<math::SqrtOp>([&](auto) { return div(num(dy, 0.5), y(op)); })
          .Case<math::RsqrtOp>([&](auto) {
            return mul(num(dy, -0.5), mul(y(op), mul(y(op), y(op))));
          })
          .Case<math::TanhOp>([&](auto) { return sub(num(dy, 1), mul(y(op), y(op))); })
          .Case<math::SinOp>([&](auto) { return b.create<math::CosOp>(x(op)); })
          .Case<math::CosOp>([&](auto) { return neg(b.create<math::SinOp>(x(op))); })
          .Case<math::ErfOp>([&](auto) {
            Value square = mul(x(op), x(op));
            return mul(num(dy, 2 / std::sqrt(pi)), b.create<math::ExpOp>(neg(square)));
          })
          .Case<math::AbsFOp>([&](auto) {
            Value zero = num(dy, 0), sign = b.create<math::CopySignOp>(num(dy, 1), x(op));
            return when(arith::CmpFPredicate::OEQ, x(op), zero, zero, sign);
          })
          .Default([](Operation *) { return Value(); });
  if (!slope)
    return false;
  add(op->getOperand(0), mul(dy, slope));
  return true;
}

bool ScalarAdjoint::visitOtherMath(Operation *op, Value dy) {
  return llvm::TypeSwitch<Operation *, bool>(op)
      .Case<math::FloorOp, math::CeilOp, math::RoundOp, math::RoundEvenOp, math::TruncOp>(
          [&](auto) { return true; }) // piecewise constant
      .Case<math::FmaOp>([&](auto) {
        add(op->getOperand(0), mul(dy, x(op, 1)));
        add(op->getOperand(1), mul(dy, x(op, 0)));
        add(op->getOperand(2), dy);
        return true;
      })
      .Case<math::PowFOp>([&](auto) {
        Value one = num(dy, 1), zero = num(dy, 0);
        Value lower = b.create<math::PowFOp>(x(op, 0), sub(x(op, 1), one));
        Value slope = mul(x(op, 1), lower);
        // x^0 is constant, also at 0 where the lower power is infinite.
        add(op->getOperand(0),
            mul(dy, when(arith::CmpFPredicate::OEQ, x(op, 1), zero, zero, slope)));
        // 0^p is constant in p for p > 0.
        Value log = b.create<math::LogOp>(x(op, 0));
        Value byPower = mul(y(op), log);
        add(op->getOperand(1),
            mul(dy, when(arith::CmpFPredicate::OEQ, x(op, 0), zero, zero, byPower)));
        return true;
      })
      .Case<math::FPowIOp>([&](auto) {
        Value one = b.create<arith::ConstantOp>(b.getIntegerAttr(x(op, 1).getType(), 1));
        Value power = b.create<arith::SubIOp>(x(op, 1), one);
        Value exponent = b.create<arith::SIToFPOp>(dy.getType(), x(op, 1));
        Value lower = b.create<math::FPowIOp>(x(op, 0), power);
        add(op->getOperand(0), mul(dy, mul(exponent, lower)));
        return true;
      })
      .Default([](Operation *) { return false; });
}

LogicalResult ScalarAdjoint::visit(Operation *op) {
  if (op->getNumResults() != 1)
    return success();
  Value dy = gradients.lookup(op->getResult(0));
  if (!dy || op->getNumOperands() == 0)
    return success();
  // Nothing that a gradient could flow to: casts of integers and the like.
  if (llvm::none_of(op->getOperandTypes(), [](Type type) { return isa<FloatType>(type); }))
    return success();
  b.setLoc(op->getLoc());
  if (visitArith(op, dy) || visitUnaryMath(op, dy) || visitOtherMath(op, dy))
    return success();
  return op->emitOpError("has no derivative, and the loss depends on a parameter through it");
}

LogicalResult aft::differentiateScalars(OpBuilder &builder, Block &block, const IRMapping &values,
                                        DenseMap<Value, Value> &gradients) {
  ScalarAdjoint adjoint(builder, values, gradients);
  for (Operation &op : llvm::reverse(block.without_terminator()))
    if (failed(adjoint.visit(&op)))
      return failure();
  return success();
}
