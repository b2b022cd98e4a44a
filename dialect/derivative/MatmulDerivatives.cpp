//===- MatmulDerivatives.cpp - The derivative of a matmul is two matmuls --===//

#include "dialect/derivative/Differentiable.h"
#include "dialect/derivative/LinalgDerivatives.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace aft;

/// A matmul into zeros, of the shape and type of `like`.
template <typename OpT>
static Value matmulLike(OpBuilder &builder, Location loc, Value like, Value left, Value right) {
  Value zeros = zerosLike(builder, loc, like);
  return builder.create<OpT>(loc, TypeRange{zeros.getType()}, ValueRange{left, right},
                             ValueRange{zeros})
      .getResult(0);
}

namespace {

/// OpT with the matmuls that give its operands' gradients: LeftT takes
/// (dy, b) or, with `swapLeft`, (b, dy); RightT takes (a, dy) or (dy, a).
template <typename OpT, typename LeftT, bool swapLeft, typename RightT, bool swapRight>
struct MatmulDerivative
    : DifferentiableOpInterface::ExternalModel<
          MatmulDerivative<OpT, LeftT, swapLeft, RightT, swapRight>, OpT> {
  LogicalResult buildDerivative(Operation *op, OpBuilder &builder, Adjoints &adjoints) const {
    auto matmul = cast<linalg::LinalgOp>(op);
    Location loc = op->getLoc();
    Value a = matmul.getDpsInputs()[0], b = matmul.getDpsInputs()[1];
    Value dy = adjoints.of(op->getResult(0));
    Type element = getElementTypeOrSelf(dy.getType());
    if (getElementTypeOrSelf(a.getType()) != getElementTypeOrSelf(b.getType()))
      return op->emitOpError() << "has no derivative for operands of different element types "
                               << a.getType() << " and " << b.getType();
    adjoints.add(builder, matmul.getDpsInits()[0], dy);
    if (getElementTypeOrSelf(a.getType()) != element)
      dy = convertElements(builder, loc, dy, getElementTypeOrSelf(a.getType()));
    if (adjoints.isActive(a))
      adjoints.add(builder, a,
                   swapLeft ? matmulLike<LeftT>(builder, loc, a, b, dy)
                            : matmulLike<LeftT>(builder, loc, a, dy, b));
    if (adjoints.isActive(b))
      adjoints.add(builder, b,
                   swapRight ? matmulLike<RightT>(builder, loc, b, dy, a)
                             : matmulLike<RightT>(builder, loc, b, a, dy));
    return success();
  }
};

} // namespace

void aft::attachMatmulDerivatives(MLIRContext &context) {
  using namespace linalg;
  // C = A B: dA = dC B^T, dB = A^T dC.
  MatmulOp::attachInterface<MatmulDerivative<MatmulOp, MatmulTransposeBOp, false,
                                             MatmulTransposeAOp, false>>(context);
  // C = A B^T: dA = dC B, dB = dC^T A.
  MatmulTransposeBOp::attachInterface<
      MatmulDerivative<MatmulTransposeBOp, MatmulOp, false, MatmulTransposeAOp, true>>(context);
  // C = A^T B: dA = B dC^T, dB = A dC.
  MatmulTransposeAOp::attachInterface<
      MatmulDerivative<MatmulTransposeAOp, MatmulTransposeBOp, true, MatmulOp, false>>(context);
  BatchMatmulOp::attachInterface<
      MatmulDerivative<BatchMatmulOp, BatchMatmulTransposeBOp, false, BatchMatmulTransposeAOp,
                       false>>(context);
  BatchMatmulTransposeBOp::attachInterface<
      MatmulDerivative<BatchMatmulTransposeBOp, BatchMatmulOp, false, BatchMatmulTransposeAOp,
                       true>>(context);
  BatchMatmulTransposeAOp::attachInterface<
      MatmulDerivative<BatchMatmulTransposeAOp, BatchMatmulTransposeBOp, true, BatchMatmulOp,
                       false>>(context);
}
