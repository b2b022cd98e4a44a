//===- ScanForm.cpp - Sums of all that comes before a place -----------------===//

#include "compiler/kernels/ScanForm.h"

#include "compiler/kernels/ChoiceSum.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace aft;

static bool isZero(Value value) {
  return matchPattern(value, m_AnyZeroFloat()) || matchPattern(value, m_Zero());
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
  form.term = addendOf(op);
  auto choice = form.term ? withoutCasts(form.term).getDefiningOp<arith::SelectOp>() : nullptr;
  if (!choice)
    return std::nullopt;
  bool keepsFirst = isZero(choice.getFalseValue());
  auto order = choice.getCondition().getDefiningOp<arith::CmpIOp>();
  if ((!keepsFirst && !isZero(choice.getTrueValue())) || !order || !order->hasOneUse())
    return std::nullopt;
  auto loops = SummedAndPlace::of(op, order.getLhs(), order.getRhs());
  if (!loops)
    return std::nullopt;
  arith::CmpIPredicate predicate = order.getPredicate();
  if (loops.swapped)
    predicate = swapped(predicate);
  form.summed = loops.summed.getDim();
  form.place = loops.place.getDim();
  form.condition = order;
  if (!keepsFirst)
    predicate = arith::invertPredicate(predicate);
  if (!readOrder(predicate, form) || !knowsOnly(op, form.place, order))
    return std::nullopt;
  return form;
}
