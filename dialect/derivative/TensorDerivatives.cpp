//===- TensorDerivatives.cpp - Derivatives of operations on shapes --------===//
// They move elements; so do their derivatives, the other way.

#include "dialect/derivative/Differentiable.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace aft;

template <typename ModelT, typename OpT>
using Model = DifferentiableOpInterface::ExternalModel<ModelT, OpT>;

namespace {

struct CastDerivative : Model<CastDerivative, tensor::CastOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    // Adjoints::add casts to the operand's type.
    adjoints.add(builder, op->getOperand(0), adjoints.of(op->getResult(0)));
    return success();
  }
};

struct CollapseDerivative : Model<CollapseDerivative, tensor::CollapseShapeOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto collapse = cast<tensor::CollapseShapeOp>(op);
    Value source = collapse.getSrc();
    SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, op->getLoc(), source);
    Value grad = builder.create<tensor::ExpandShapeOp>(op->getLoc(), source.getType(),
                                                       adjoints.of(op->getResult(0)),
                                                       collapse.getReassociationIndices(), sizes);
    adjoints.add(builder, source, grad);
    return success();
  }
};

struct ExpandDerivative : Model<ExpandDerivative, tensor::ExpandShapeOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto expand = cast<tensor::ExpandShapeOp>(op);
    Value grad = builder.create<tensor::CollapseShapeOp>(
        op->getLoc(), adjoints.of(op->getResult(0)), expand.getReassociationIndices());
    adjoints.add(builder, expand.getSrc(), grad);
    return success();
  }
};

struct ExtractSliceDerivative : Model<ExtractSliceDerivative, tensor::ExtractSliceOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto slice = cast<tensor::ExtractSliceOp>(op);
    Value zeros = zerosLike(builder, op->getLoc(), slice.getSource());
    Value grad = builder.create<tensor::InsertSliceOp>(
        op->getLoc(), adjoints.of(op->getResult(0)), zeros, slice.getMixedOffsets(),
        slice.getMixedSizes(), slice.getMixedStrides());
    adjoints.add(builder, slice.getSource(), grad);
    return success();
  }
};

struct InsertSliceDerivative : Model<InsertSliceDerivative, tensor::InsertSliceOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto insert = cast<tensor::InsertSliceOp>(op);
    Location loc = op->getLoc();
    Value dy = adjoints.of(op->getResult(0));
    if (adjoints.isActive(insert.getSource())) {
      Value grad = builder.create<tensor::ExtractSliceOp>(
          loc, insert.getSourceType(), dy, insert.getMixedOffsets(), insert.getMixedSizes(),
          insert.getMixedStrides());
      adjoints.add(builder, insert.getSource(), grad);
    }
    if (adjoints.isActive(insert.getDest())) {
      Value zeros = zerosLike(builder, loc, insert.getSource());
      Value grad = builder.create<tensor::InsertSliceOp>(
          loc, zeros, dy, insert.getMixedOffsets(), insert.getMixedSizes(),
          insert.getMixedStrides());
      adjoints.add(builder, insert.getDest(), grad);
    }
    return success();
  }
};

/// The part of `whole` that starts at `offsets` and has the shape of `like`.
Value partLike(OpBuilder &builder, Value whole, ArrayRef<OpFoldResult> offsets, Value like) {
  Location loc = whole.getLoc();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, like),
                            strides(sizes.size(), builder.getIndexAttr(1));
  return builder.create<tensor::ExtractSliceOp>(loc, cast<RankedTensorType>(like.getType()),
                                                whole, offsets, sizes, strides);
}

struct ConcatDerivative : Model<ConcatDerivative, tensor::ConcatOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto concat = cast<tensor::ConcatOp>(op);
    Value dy = adjoints.of(op->getResult(0));
    SmallVector<OpFoldResult> offsets(concat.getRank(), builder.getIndexAttr(0));
    uint64_t dim = concat.getDim();
    for (Value input : concat.getInputs()) {
      if (adjoints.isActive(input))
        adjoints.add(builder, input, partLike(builder, dy, offsets, input));
      offsets[dim] = advance(builder, offsets[dim], input, dim);
    }
    return success();
  }

  static OpFoldResult advance(OpBuilder &builder, OpFoldResult offset, Value input, int64_t dim) {
    OpFoldResult extent = tensor::getMixedSize(builder, input.getLoc(), input, dim);
    std::optional<int64_t> left = getConstantIntValue(offset), right = getConstantIntValue(extent);
    if (left && right)
      return builder.getIndexAttr(*left + *right);
    Location loc = input.getLoc();
    return builder
        .create<arith::AddIOp>(loc, getValueOrCreateConstantIndexOp(builder, loc, offset),
                               getValueOrCreateConstantIndexOp(builder, loc, extent))
        .getResult();
  }
};

struct PadDerivative : Model<PadDerivative, tensor::PadOp> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto pad = cast<tensor::PadOp>(op);
    if (Value padding = pad.getConstantPaddingValue(); !padding || adjoints.isActive(padding))
      return op->emitOpError("has no derivative unless it pads with a constant");
    Value dy = adjoints.of(op->getResult(0));
    adjoints.add(builder, pad.getSource(),
                 partLike(builder, dy, pad.getMixedLowPad(), pad.getSource()));
    return success();
  }
};

} // namespace

void aft::registerTensorDerivatives(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    tensor::CastOp::attachInterface<CastDerivative>(*context);
    tensor::CollapseShapeOp::attachInterface<CollapseDerivative>(*context);
    tensor::ExpandShapeOp::attachInterface<ExpandDerivative>(*context);
    tensor::ExtractSliceOp::attachInterface<ExtractSliceDerivative>(*context);
    tensor::InsertSliceOp::attachInterface<InsertSliceDerivative>(*context);
    tensor::ConcatOp::attachInterface<ConcatDerivative>(*context);
    tensor::PadOp::attachInterface<PadDerivative>(*context);
  });
}
