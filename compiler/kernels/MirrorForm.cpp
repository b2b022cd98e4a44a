//===- MirrorForm.cpp - Tensors read from their end -------------------------===//

#include "compiler/kernels/MirrorForm.h"

#include "compiler/kernels/ChoiceSum.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace aft;

static bool isZeroFill(Value value) {
  auto fill = value.getDefiningOp<linalg::FillOp>();
  return fill && matchPattern(fill.getInputs()[0], m_AnyZeroFloat());
}

/// What is one more than a number.
static std::optional<OpFoldResult> nextAfter(Value last) {
  Builder builder(last.getContext());
  if (std::optional<int64_t> number = getConstantIntValue(last))
    return builder.getIndexAttr(*number + 1);
  auto less = last.getDefiningOp<arith::SubIOp>();
  if (less && matchPattern(less.getRhs(), m_One()))
    return less.getLhs();
  // As the canonical form has it.
  auto more = last.getDefiningOp<arith::AddIOp>();
  if (more && getConstantIntValue(more.getRhs()) == -1)
    return more.getLhs();
  return std::nullopt;
}

/// The two indices whose sum a condition compares with a number.
static bool readCondition(arith::CmpIOp equal, linalg::LinalgOp op, MirrorForm &form) {
  if (!equal || equal.getPredicate() != arith::CmpIPredicate::eq)
    return false;
  for (int side : {0, 1}) {
    auto sum = equal->getOperand(side).getDefiningOp<arith::AddIOp>();
    std::optional<OpFoldResult> extent = nextAfter(equal->getOperand(1 - side));
    if (!sum || !extent)
      continue;
    auto loops = SummedAndPlace::of(op, sum.getLhs(), sum.getRhs());
    if (!loops)
      return false;
    form.summed = loops.summed.getDim();
    form.place = loops.place.getDim();
    form.extent = *extent;
    return true;
  }
  return false;
}

std::optional<MirrorForm> aft::mirrorFormOf(linalg::LinalgOp op) {
  if (!isa<linalg::GenericOp>(op) || !op.hasPureTensorSemantics() ||
      op.getNumReductionLoops() != 1 || op.getNumDpsInits() != 1 || op.getNumDpsInputs() != 1 ||
      !isZeroFill(op.getDpsInits()[0]))
    return std::nullopt;
  OpOperand *input = op.getDpsInputOperand(0), *init = op.getDpsInitOperand(0);
  AffineMap read = op.getMatchingIndexingMap(input), written = op.getMatchingIndexingMap(init);
  Value term = addendOf(op);
  if (!term || !read.isProjectedPermutation() || !written.isProjectedPermutation() ||
      read.getNumResults() + 1 != op.getNumLoops() ||
      written.getNumResults() + 1 != op.getNumLoops())
    return std::nullopt;
  auto choice = withoutCasts(term).getDefiningOp<arith::SelectOp>();
  MirrorForm form;
  if (!choice || !matchPattern(choice.getFalseValue(), m_AnyZeroFloat()) ||
      withoutCasts(choice.getTrueValue()) != op.getMatchingBlockArgument(input) ||
      !readCondition(choice.getCondition().getDefiningOp<arith::CmpIOp>(), op, form) ||
      read.isFunctionOfDim(form.place))
    return std::nullopt;
  return form;
}

Value aft::createMirrored(OpBuilder &builder, Location loc, Value tensor, int64_t dim) {
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t rank = type.getRank();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, tensor);
  Value zero = builder.create<arith::ConstantOp>(loc, builder.getZeroAttr(type.getElementType()));
  Value extent = getValueOrCreateConstantIndexOp(builder, loc, sizes[dim]);
  Value init = builder.create<tensor::EmptyOp>(loc, sizes, type.getElementType());
  init = builder.create<linalg::FillOp>(loc, zero, init).getResult(0);
  SmallVector<AffineExpr> read, written;
  for (int64_t loop = 0; loop < rank; ++loop) {
    written.push_back(builder.getAffineDimExpr(loop));
    read.push_back(builder.getAffineDimExpr(loop == dim ? rank : loop));
  }
  SmallVector<AffineMap> maps = {AffineMap::get(rank + 1, 0, read, builder.getContext()),
                                 AffineMap::get(rank + 1, 0, written, builder.getContext())};
  SmallVector<utils::IteratorType> loops(rank, utils::IteratorType::parallel);
  loops.push_back(utils::IteratorType::reduction);
  auto body = [&](OpBuilder &nested, Location loc, ValueRange args) {
    Value place = nested.create<linalg::IndexOp>(loc, dim);
    Value own = nested.create<linalg::IndexOp>(loc, rank);
    Value one = nested.create<arith::ConstantIndexOp>(loc, 1);
    Value last = nested.create<arith::SubIOp>(loc, extent, one);
    Value both = nested.create<arith::AddIOp>(loc, own, place);
    Value here = nested.create<arith::CmpIOp>(loc, arith::CmpIPredicate::eq, both, last);
    Value term = nested.create<arith::SelectOp>(loc, here, args[0], zero);
    nested.create<linalg::YieldOp>(loc,
                                   nested.create<arith::AddFOp>(loc, args[1], term).getResult());
  };
  return builder
      .create<linalg::GenericOp>(loc, TypeRange{init.getType()}, tensor, init, maps, loops, body)
      .getResult(0);
}
