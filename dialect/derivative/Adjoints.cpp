//===- Adjoints.cpp - The reverse pass over a function --------------------===//

#include "dialect/derivative/Differentiable.h"

#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace aft;

#include "dialect/derivative/Differentiable.cpp.inc"

static bool isFloat(Value value) {
  return isa<FloatType>(getElementTypeOrSelf(value.getType()));
}

void Adjoints::add(OpBuilder &builder, Value value, Value gradient) {
  if (!gradient || !isActive(value))
    return;
  Location loc = gradient.getLoc();
  if (gradient.getType() != value.getType())
    gradient = builder.create<tensor::CastOp>(loc, value.getType(), gradient);
  Value &sum = gradients[value];
  sum = sum ? builder.create<arith::AddFOp>(loc, sum, gradient).getResult() : gradient;
}

void Adjoints::replace(Value value, Value replacement) {
  // The old value's entries must go: its address may come back as another's.
  if (active.erase(value))
    markActive(replacement);
  if (Value gradient = of(value)) {
    gradients.erase(value);
    gradients[replacement] = gradient;
  }
}

Value aft::zerosLike(OpBuilder &builder, Location loc, Value like) {
  auto type = cast<RankedTensorType>(like.getType());
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(builder, loc, like);
  Value empty = builder.create<tensor::EmptyOp>(loc, sizes, type.getElementType());
  Value zero = builder.create<arith::ConstantOp>(loc, builder.getZeroAttr(type.getElementType()));
  return builder.create<linalg::FillOp>(loc, zero, empty).getResult(0);
}

/// The gradient that starts the reverse pass: 1, for a scalar.
static FailureOr<Value> seed(func::FuncOp function, OpBuilder &builder, Value loss) {
  auto type = dyn_cast<RankedTensorType>(loss.getType());
  if (!type || type.getRank() != 0 || !isa<FloatType>(type.getElementType()))
    return function.emitOpError() << "must return a scalar float tensor first to be "
                                     "differentiated, found "
                                  << loss.getType();
  Attribute one = builder.getFloatAttr(type.getElementType(), 1.0);
  return builder
      .create<arith::ConstantOp>(function.getLoc(), DenseElementsAttr::get(type, one))
      .getResult();
}

/// Marks what depends on active values, as operands or from inside a region. A
/// shape depends on no element.
static void propagate(Operation &op, Adjoints &adjoints) {
  if (isa<StopGradientOp>(op))
    return;
  WalkResult active = op.walk([&](Operation *inner) {
    bool uses = !isa<tensor::DimOp>(inner) &&
                llvm::any_of(inner->getOperands(),
                             [&](Value value) { return adjoints.isActive(value); });
    return uses ? WalkResult::interrupt() : WalkResult::advance();
  });
  if (!active.wasInterrupted())
    return;
  for (Value result : op.getResults())
    if (isFloat(result))
      adjoints.markActive(result);
}

FailureOr<SmallVector<Value>> aft::buildGradients(func::FuncOp function,
                                                  ArrayRef<unsigned> arguments) {
  if (!llvm::hasSingleElement(function.getBody()))
    return function.emitOpError("must have one block to be differentiated");
  Block &body = function.getBody().front();
  auto end = cast<func::ReturnOp>(body.getTerminator());
  if (end.getNumOperands() == 0)
    return function.emitOpError("must return a scalar float tensor first to be differentiated, "
                                "found no result");
  Adjoints adjoints;
  for (unsigned argument : arguments)
    adjoints.markActive(body.getArgument(argument));
  SmallVector<Operation *> ops;
  for (Operation &op : body.without_terminator()) {
    propagate(op, adjoints);
    ops.push_back(&op);
  }
  OpBuilder builder(end);
  Value loss = end.getOperand(0);
  FailureOr<Value> one = seed(function, builder, loss);
  if (failed(one))
    return failure();
  adjoints.add(builder, loss, *one);
  for (Operation *op : llvm::reverse(ops)) {
    if (llvm::none_of(op->getResults(), [&](Value v) { return adjoints.of(v); }))
      continue;
    auto differentiable = dyn_cast<DifferentiableOpInterface>(op);
    if (!differentiable)
      return op->emitOpError("has no derivative, and the loss depends on a parameter through it");
    if (failed(differentiable.buildDerivative(builder, adjoints)))
      return failure();
  }
  SmallVector<Value> gradients;
  for (unsigned argument : arguments) {
    Value value = body.getArgument(argument), gradient = adjoints.of(value);
    gradients.push_back(gradient ? gradient : zerosLike(builder, function.getLoc(), value));
  }
  return gradients;
}

void aft::registerDerivatives(DialectRegistry &registry) {
  registerMixerDerivatives(registry);
  registerModelDerivatives(registry);
  registerLinalgDerivatives(registry);
  registerTensorDerivatives(registry);
}
