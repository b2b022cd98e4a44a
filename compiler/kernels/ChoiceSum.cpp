//===- ChoiceSum.cpp - Sums over places of which a condition leaves some ----===//

#include "compiler/kernels/ChoiceSum.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace aft;

Value aft::withoutCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::TruncFOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

Value aft::addendOf(linalg::LinalgOp op) {
  Operation *sum = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddFOp, arith::AddIOp>(sum))
    return {};
  BlockArgument acc = op.getMatchingBlockArgument(op.getDpsInitOperand(0));
  if (!acc.hasOneUse() || (sum->getOperand(0) != acc && sum->getOperand(1) != acc))
    return {};
  return sum->getOperand(sum->getOperand(0) == acc ? 1 : 0);
}

SummedAndPlace SummedAndPlace::of(linalg::LinalgOp op, Value first, Value second) {
  auto a = first.getDefiningOp<linalg::IndexOp>(), b = second.getDefiningOp<linalg::IndexOp>();
  if (!a || !b)
    return {};
  auto isSummed = [&](linalg::IndexOp index) {
    return op.getIteratorTypesArray()[index.getDim()] == utils::IteratorType::reduction;
  };
  if (isSummed(a) == isSummed(b))
    return {};
  bool swapped = isSummed(b);
  return swapped ? SummedAndPlace{b, a, true} : SummedAndPlace{a, b, false};
}
