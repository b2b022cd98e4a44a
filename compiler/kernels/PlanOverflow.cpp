//===- PlanOverflow.cpp - Sizes that 64 bits cannot count -----------------===//
// A size that wraps around may be small again: a buffer of as many bytes would be written beyond
// its end. A plan looks at every sum and product that it makes of extents.

#include "compiler/kernels/HostEmitter.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

/// Extents may be given as affine maps, whose sums and products do not show.
static void expandMaps(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(block)) {
    AffineMap map = llvm::TypeSwitch<Operation *, AffineMap>(&op)
                        .Case<affine::AffineApplyOp, affine::AffineMinOp, affine::AffineMaxOp>(
                            [](auto op) { return op.getMap(); })
                        .Default(AffineMap());
    if (!map)
      continue;
    ImplicitLocOpBuilder b(op.getLoc(), &op);
    auto values = affine::expandAffineMap(b, op.getLoc(), map, op.getOperands());
    if (!values)
      continue;
    Value result = values->front();
    for (Value other : llvm::drop_begin(*values))
      result = isa<affine::AffineMinOp>(op) ? b.create<arith::MinSIOp>(result, other).getResult()
                                            : b.create<arith::MaxSIOp>(result, other).getResult();
    op.getResult(0).replaceAllUsesWith(result);
    op.erase();
  }
}

/// A number that is negative where the sum or difference overflowed.
static Value signOf(ImplicitLocOpBuilder &b, Operation *op) {
  Value left = op->getOperand(0), right = op->getOperand(1), result = op->getResult(0);
  Value other = isa<arith::AddIOp>(op) ? result : left;
  return b.create<arith::AndIOp>(b.create<arith::XOrIOp>(left, result),
                                 b.create<arith::XOrIOp>(right, other));
}

/// A number that is not 0 where the product overflowed: its upper half is no more than the sign
/// of the lower one.
static Value excessOf(ImplicitLocOpBuilder &b, arith::MulIOp op) {
  auto counted = [&](Value value) -> Value {
    // Folded, an extended product of indices becomes one that does not verify.
    return value.getType().isIndex() ? b.create<arith::IndexCastOp>(b.getI64Type(), value) : value;
  };
  auto product = b.create<arith::MulSIExtendedOp>(counted(op.getLhs()), counted(op.getRhs()));
  Value last = b.create<arith::ConstantIntOp>(63, 64);
  return b.create<arith::XOrIOp>(product.getHigh(),
                                 b.create<arith::ShRSIOp>(product.getLow(), last));
}

Value aft::emitOverflow(ImplicitLocOpBuilder &b, Block &block) {
  expandMaps(block);
  SmallVector<Operation *> sums, products;
  for (Operation &op : block) {
    Type type = op.getNumResults() == 1 ? op.getResult(0).getType() : Type();
    if (!type || !(type.isIndex() || type.isInteger(64)))
      continue;
    if (isa<arith::MulIOp>(op))
      products.push_back(&op);
    else if (isa<arith::AddIOp, arith::SubIOp>(op))
      sums.push_back(&op);
  }
  Value signs, excess, zero = b.create<arith::ConstantIndexOp>(0);
  auto join = [&](Value &all, Value one) {
    if (one.getType().isInteger(64))
      one = b.create<arith::IndexCastOp>(b.getIndexType(), one);
    all = all ? b.create<arith::OrIOp>(all, one).getResult() : one;
  };
  for (Operation *op : sums)
    join(signs, signOf(b, op));
  for (Operation *op : products)
    join(excess, excessOf(b, cast<arith::MulIOp>(op)));
  Value result;
  if (signs)
    join(result, b.create<arith::CmpIOp>(arith::CmpIPredicate::slt, signs, zero));
  if (excess)
    join(result, b.create<arith::CmpIOp>(arith::CmpIPredicate::ne, excess, zero));
  return result;
}
