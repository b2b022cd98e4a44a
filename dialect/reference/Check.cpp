//===- Check.cpp - Whether the shapes at run time fit an operation --------===//
// A verifier takes a dynamic extent for one that fits. Here all are known: the
// operation is verified once more on types that say them.

#include "dialect/reference/Interpreter.h"

#include "dialect/ir/AFT.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

static bool isChecked(Operation *op) {
  return isa<AFTDialect>(op->getDialect()) || isa<linalg::LinalgOp>(op) ||
         op->hasTrait<OpTrait::Elementwise>();
}

static Type withShape(Type type, ArrayRef<int64_t> shape) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor ? Type(tensor.clone(shape)) : type;
}

static ValueRange destinationsOf(Operation *op) {
  if (auto structured = dyn_cast<linalg::LinalgOp>(op))
    return structured.getDpsInits();
  return llvm::TypeSwitch<Operation *, ValueRange>(op)
      .Case<
#define GET_OP_LIST
#include "dialect/ir/AFTOps.cpp.inc"
          >([](auto own) -> ValueRange {
        if constexpr (requires { own.getInits(); })
          return own.getInits();
        return {};
      })
      .Default(ValueRange());
}

/// What a result is of at run time, as far as the operands say it.
static Type resultType(OpResult result) {
  Operation *op = result.getOwner();
  if (op->hasTrait<OpTrait::Elementwise>())
    for (Value operand : op->getOperands())
      if (auto tensor = dyn_cast<RankedTensorType>(operand.getType()))
        return withShape(result.getType(), tensor.getShape());
  ValueRange destinations = destinationsOf(op);
  return destinations.empty() ? result.getType()
                              : destinations[result.getResultNumber()].getType();
}

LogicalResult aft::checkShapes(Operation *op, const Frame &frame) {
  auto isDynamic = [](Type type) {
    auto tensor = dyn_cast<RankedTensorType>(type);
    return tensor && !tensor.hasStaticShape();
  };
  std::optional<RegisteredOperationName> name = op->getRegisteredInfo();
  if (!name || !isChecked(op) || llvm::none_of(op->getOperandTypes(), isDynamic))
    return success();
  OpBuilder builder(op->getContext());
  SmallVector<Operation *> stand;
  IRMapping map;
  for (Value operand : op->getOperands()) {
    if (map.contains(operand))
      continue;
    Type type = withShape(operand.getType(), frame.get(operand).shape);
    stand.push_back(
        builder.create<UnrealizedConversionCastOp>(op->getLoc(), type, ValueRange()));
    map.map(operand, stand.back()->getResult(0));
  }
  Operation *clone = op->clone(map);
  for (OpResult result : clone->getResults())
    result.setType(resultType(result));
  // What linalg says of shapes belongs to the verification with regions.
  LogicalResult result = failure();
  if (succeeded(name->verifyInvariants(clone)))
    result = name->verifyRegionInvariants(clone);
  clone->erase();
  for (Operation *operand : stand)
    operand->erase();
  return result;
}
