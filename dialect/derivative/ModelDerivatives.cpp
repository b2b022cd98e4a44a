//===- ModelDerivatives.cpp - Derivatives of the model's operations -------===//

#include "dialect/derivative/Differentiable.h"
#include "dialect/ir/AFT.h"
#include "dialect/ir/ShapeCheck.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace aft;

/// Replaces `op` by itself with further results of the given types.
template <typename OpT>
static OpT withResults(OpT op, ArrayRef<Type> added, OpBuilder &builder, Adjoints &adjoints) {
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(op);
  SmallVector<Type> types = {op->getResult(0).getType()};
  types.append(added.begin(), added.end());
  auto saved =
      builder.create<OpT>(op.getLoc(), types, op->getOperands(), op->getAttrs());
  adjoints.replace(op->getResult(0), saved->getResult(0));
  op->getResult(0).replaceAllUsesWith(saved->getResult(0));
  op.erase();
  return saved;
}

static RankedTensorType rowsOf(Value x) {
  auto type = cast<RankedTensorType>(x.getType());
  return RankedTensorType::get(type.getShape().drop_back(),
                               accumulationType(type.getElementType()));
}

template <typename ModelT, typename OpT>
using Model = DifferentiableOpInterface::ExternalModel<ModelT, OpT>;

namespace {

struct BandDerivative : Model<BandDerivative, BandOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto band = cast<BandOp>(op);
    auto grad = builder.create<BandGradOp>(
        op->getLoc(), TypeRange{band.getU().getType(), band.getV().getType()},
        adjoints.of(op->getResult(0)), band.getU(), band.getV(), ValueRange(),
        band.getWindowAttr(), band.getCausalAttr());
    adjoints.add(builder, band.getU(), grad.getResult(0));
    adjoints.add(builder, band.getV(), grad.getResult(1));
    return success();
  }
};

struct LayerNormDerivative : Model<LayerNormDerivative, LayerNormOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto norm = cast<LayerNormOp>(op);
    if (norm->getNumResults() == 1)
      norm = withResults(norm, {rowsOf(norm.getX()), rowsOf(norm.getX())}, builder, adjoints);
    auto grad = builder.create<LayerNormGradOp>(
        norm.getLoc(),
        TypeRange{norm.getX().getType(), norm.getGamma().getType(), norm.getBeta().getType()},
        adjoints.of(norm.getResult(0)), norm.getX(), norm.getGamma(), norm.getResult(1),
        norm.getResult(2), ValueRange());
    adjoints.add(builder, norm.getX(), grad.getResult(0));
    adjoints.add(builder, norm.getGamma(), grad.getResult(1));
    adjoints.add(builder, norm.getBeta(), grad.getResult(2));
    return success();
  }
};

struct EmbeddingDerivative : Model<EmbeddingDerivative, EmbeddingOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto embedding = cast<EmbeddingOp>(op);
    Value table = embedding.getTable();
    if (!cast<ShapedType>(table.getType()).hasStaticShape())
      return op->emitOpError("has no derivative with respect to a table of dynamic shape");
    auto grad = builder.create<EmbeddingGradOp>(op->getLoc(), TypeRange{table.getType()},
                                                embedding.getIds(),
                                                adjoints.of(op->getResult(0)), ValueRange());
    adjoints.add(builder, table, grad.getResult(0));
    return success();
  }
};

struct CrossEntropyDerivative : Model<CrossEntropyDerivative, CrossEntropyOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto loss = cast<CrossEntropyOp>(op);
    if (loss->getNumResults() == 1)
      loss = withResults(loss, {rowsOf(loss.getLogits())}, builder, adjoints);
    auto grad = builder.create<CrossEntropyGradOp>(
        loss.getLoc(), TypeRange{loss.getLogits().getType()}, adjoints.of(loss.getResult(0)),
        loss.getLogits(), loss.getTargets(), loss.getResult(1), ValueRange());
    adjoints.add(builder, loss.getLogits(), grad.getResult(0));
    return success();
  }
};

/// Dropping the gradient of what was dropped: the same bits again.
struct DropoutDerivative : Model<DropoutDerivative, DropoutOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto dropout = cast<DropoutOp>(op);
    auto grad = builder.create<DropoutOp>(
        op->getLoc(), TypeRange{dropout.getX().getType()}, adjoints.of(op->getResult(0)),
        dropout.getSeed(), ValueRange(), dropout.getPAttr(), dropout.getStreamAttr());
    adjoints.add(builder, dropout.getX(), grad.getResult(0));
    return success();
  }
};

} // namespace

void aft::registerModelDerivatives(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, AFTDialect *) {
    BandOp::attachInterface<BandDerivative>(*context);
    LayerNormOp::attachInterface<LayerNormDerivative>(*context);
    EmbeddingOp::attachInterface<EmbeddingDerivative>(*context);
    CrossEntropyOp::attachInterface<CrossEntropyDerivative>(*context);
    DropoutOp::attachInterface<DropoutDerivative>(*context);
  });
}
