//===- MixerDerivatives.cpp - The mixers' closed-form derivatives ---------===//
// The forward operation saves the ratio N/Z and log Z; everything else is
// recomputed from its operands.

#include "dialect/derivative/Differentiable.h"
#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"

using namespace mlir;
using namespace aft;

static RankedTensorType typeLike(Value value, Type element) {
  return RankedTensorType::get(cast<RankedTensorType>(value.getType()).getShape(), element);
}

/// The same mixer with the results (y, ratio, logz).
template <typename OpT> static OpT saving(OpT op, OpBuilder &builder, Adjoints &adjoints) {
  if (op->getNumResults() == 3)
    return op;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(op);
  Value y = op->getResult(0);
  Type acc = accumulationType(getElementTypeOrSelf(y.getType()));
  RankedTensorType ratio = typeLike(y, acc), logz = ratio;
  if constexpr (std::is_same_v<OpT, ConvOp>)
    logz = typeLike(op.getK(), acc);
  auto saved = builder.create<OpT>(op.getLoc(), TypeRange{y.getType(), ratio, logz},
                                   op->getOperands(), op->getAttrs());
  adjoints.replace(y, saved->getResult(0));
  y.replaceAllUsesWith(saved->getResult(0));
  op.erase();
  return saved;
}

namespace {

/// OpT and its derivative GradT, whose operands are (dy, those of OpT but for
/// the lengths, ratio, logz, lengths).
template <typename OpT, typename GradT>
struct MixerDerivative
    : DifferentiableOpInterface::ExternalModel<MixerDerivative<OpT, GradT>, OpT> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto mixer = cast<OpT>(op);
    if (!mixer.getInits().empty())
      return op->emitOpError("with destinations (outs) has no derivative");
    if (op->getNumResults() == 3 &&
        (adjoints.of(op->getResult(1)) || adjoints.of(op->getResult(2))))
      return op->emitOpError("has no derivative through its results ratio and logz");
    OpT saved = saving(mixer, builder, adjoints);
    Value lengths = saved.getLengths();
    auto own = saved->getOperands().drop_back(lengths ? 1 : 0);
    SmallVector<Value> operands = {adjoints.of(saved->getResult(0))};
    llvm::append_range(operands, own);
    operands.push_back(saved->getResult(1));
    operands.push_back(saved->getResult(2));
    int32_t numOwn = operands.size();
    if (lengths)
      operands.push_back(lengths);
    SmallVector<NamedAttribute> attributes;
    for (NamedAttribute attribute : saved->getAttrs())
      if (attribute.getName() != saved.getOperandSegmentSizesAttrName())
        attributes.push_back(attribute);
    SmallVector<int32_t> segments(numOwn, 1);
    segments.append({lengths ? 1 : 0, 0});
    attributes.push_back(builder.getNamedAttr(GradT::getOperandSegmentSizeAttr(),
                                              builder.getDenseI32ArrayAttr(segments)));
    auto grad = builder.create<GradT>(saved.getLoc(), own.getTypes(), operands, attributes);
    for (auto [operand, gradient] : llvm::zip_equal(own, grad->getResults()))
      adjoints.add(builder, operand, gradient);
    return success();
  }
};

} // namespace

void aft::registerMixerDerivatives(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, AFTDialect *) {
    FullOp::attachInterface<MixerDerivative<FullOp, FullGradOp>>(*context);
    LocalOp::attachInterface<MixerDerivative<LocalOp, LocalGradOp>>(*context);
    SimpleOp::attachInterface<MixerDerivative<SimpleOp, SimpleGradOp>>(*context);
    ConvOp::attachInterface<MixerDerivative<ConvOp, ConvGradOp>>(*context);
  });
}
