//===- ScanForm.cpp - Sums of all that comes before a place -----------------===//

#include "compiler/kernels/ScanForm.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace aft;

static Value withoutCasts(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    if (!isa<arith::ExtFOp, arith::TruncFOp>(op))
      break;
    value = op->getOperand(0);
  }
  return value;
}

static bool isZero(Value value) {
  return matchPattern(value, m_AnyZeroFloat()) || matchPattern(value, m_Zero());
}

/// What the yielded sum adds to the result so far; null where it is no such sum.
static Value addend(linalg::LinalgOp op) {
  Operation *sum = op.getBlock()->getTerminator()->getOperand(0).getDefiningOp();
  if (!isa_and_nonnull<arith::AddFOp, arith::AddIOp>(sum))
    return {};
  BlockArgument acc = op.getMatchingBlockArgument(op.getDpsInitOperand(0));
  if (!acc.hasOneUse() || (sum->getOperand(0) != acc && sum->getOperand(1) != acc))
    return {};
  return sum->getOperand(sum->getOperand(0) == acc ? 1 : 0);
}

/// Whether nothing but the condition knows of a loop.
static bool knowsOnly(linalg::LinalgOp op, int64_t loop, Operation *condition) {
  bool read = llvm::any_of(op.getDpsInputOperands(), [&](OpOperand *input) {
    return op.getMatchingIndexingMap(input).isFunctionOfDim(loop);
  });
  return !read && llvm::all_of(op.getBlock()->getOps<linalg::IndexOp>(), [&](linalg::IndexOp own) {
    return static_cast<int64_t>(own.getDim()) != loop ||
           llvm::all_of(own->getUsers(), [&](Operation *user) { return user == condition; });
  });
}

/// s before p, s behind p, and whether s = p belongs to it.
static bool readOrder(arith::CmpIPredicate predicate, ScanForm &form) {
  using P = arith::CmpIPredicate;
  form.fromEnd = llvm::is_contained({P::uge, P::sge, P::ugt, P::sgt}, predicate);
  form.inclusive = llvm::is_contained({P::ule, P::sle, P::uge, P::sge}, predicate);
  return predicate != P::eq && predicate != P::ne;
}

static arith::CmpIPredicate swapped(arith::CmpIPredicate predicate) {
  using P = arith::CmpIPredicate;
  switch (predicate) {
  case P::ult:
    return P::ugt;
  case P::ule:
    return P::uge;
  case P::ugt:
    return P::ult;
  case P::uge:
    return P::ule;
  case P::slt:
    return P::sgt;
  case P::sle:
    return P::sge;
  case P::sgt:
    return P::slt;
  case P::sge:
    return P::sle;
  default:
    return predicate;
  }
}

std::optional<ScanForm> aft::scanFormOf(linalg::LinalgOp op) {
  if (!isa<linalg::GenericOp>(op) || op.getNumReductionLoops() != 1 || op.getNumDpsInits() != 1)
    return std::nullopt;
  AffineMap result = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  if (!result.isProjectedPermutation() || result.getNumResults() + 1 != op.getNumLoops())
    return std::nullopt;
  ScanForm form;
  form.term = addend(op);
  auto choice = form.term ? withoutCasts(form.term).getDefiningOp<arith::SelectOp>() : nullptr;
  if (!choice)
    return std::nullopt;
  bool keepsFirst = isZero(choice.getFalseValue());
  auto order = choice.getCondition().getDefiningOp<arith::CmpIOp>();
  if ((!keepsFirst && !isZero(choice.getTrueValue())) || !order || !order->hasOneUse())
    return std::nullopt;
  auto left = order.getLhs().getDefiningOp<linalg::IndexOp>(),
       right = order.getRhs().getDefiningOp<linalg::IndexOp>();
  if (!left || !right)
    return std::nullopt;
  auto isSummed = [&](linalg::IndexOp index) {
    return op.getIteratorTypesArray()[index.getDim()] == utils::IteratorType::reduction;
  };
  if (isSummed(left) == isSummed(right))
    return std::nullopt;
  arith::CmpIPredicate predicate = order.getPredicate();
  if (!isSummed(left)) {
    std::swap(left, right);
    predicate = swapped(predicate);
  }
  form.summed = left.getDim();
  form.place = right.getDim();
  form.condition = order;
  if (!keepsFirst)
    predicate = arith::invertPredicate(predicate);
  if (!readOrder(predicate, form) || !knowsOnly(op, form.place, order))
    return std::nullopt;
  return form;
}
