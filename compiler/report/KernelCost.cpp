//===- KernelCost.cpp - The work and the traffic of a kernel --------------===//

#include "compiler/report/KernelCost.h"

#include "compiler/kernels/ScanForm.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace aft;

//===----------------------------------------------------------------------===//
// Operations
//===----------------------------------------------------------------------===//

/// What one scalar operation counts.
static int64_t scalarFlops(Operation &op) {
  auto isFloat = [](Type type) { return isa<FloatType>(type); };
  if (!llvm::any_of(op.getOperandTypes(), isFloat))
    return 0;
  if (isa<math::FmaOp>(op))
    return 2;
  if (isa<math::MathDialect>(op.getDialect()))
    return 1;
  return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp, arith::RemFOp,
             arith::NegFOp, arith::MaximumFOp, arith::MinimumFOp, arith::MaxNumFOp,
             arith::MinNumFOp, arith::CmpFOp>(op);
}

/// The product of the extents of all loops.
static Expression iterations(linalg::LinalgOp op, ExtentReader &extents) {
  SmallVector<Expression> loops(op.getNumLoops());
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    for (auto [dim, expr] : llvm::enumerate(map.getResults()))
      if (auto loop = dyn_cast<AffineDimExpr>(expr); loop && !loops[loop.getPosition()].known())
        loops[loop.getPosition()] = extents.extent(operand.get(), dim);
  }
  // A running sum takes each term once.
  if (std::optional<ScanForm> scan = scanFormOf(op))
    loops[scan->summed] = 1;
  Expression product = 1;
  for (const Expression &loop : loops)
    product = product * loop;
  return product;
}

static Expression linalgFlops(linalg::LinalgOp op, ExtentReader &extents) {
  int64_t perIteration = 0;
  for (Operation &scalar : op.getBlock()->without_terminator())
    perIteration += scalarFlops(scalar);
  return perIteration == 0 ? Expression(0) : iterations(op, extents) * perIteration;
}

//===----------------------------------------------------------------------===//
// Bytes
//===----------------------------------------------------------------------===//

static int64_t elementBytes(Value tensor) {
  Type element = cast<ShapedType>(tensor.getType()).getElementType();
  return llvm::divideCeil(element.getIntOrFloatBitWidth(), 8);
}

/// Whether an operation only makes room for the results it gets an argument for.
static bool isOnlyDestination(OpOperand &use) {
  if (isa<linalg::FillOp>(use.getOwner()))
    return true;
  if (auto linalgOp = dyn_cast<linalg::LinalgOp>(use.getOwner()))
    return linalgOp.isDpsInit(&use) && !linalgOp.payloadUsesValueFromOperand(&use);
  Operation *op = use.getOwner();
  return isa<AFTDialect>(op->getDialect()) &&
         use.getOperandNumber() >= op->getNumOperands() - op->getNumResults();
}

/// The elements that a kernel reads of an argument.
static Expression elementsRead(BlockArgument argument, ExtentReader &extents) {
  Expression parts = 0;
  for (OpOperand &use : argument.getUses()) {
    Operation *op = use.getOwner();
    if (isa<tensor::DimOp, func::ReturnOp>(op) || isOnlyDestination(use))
      continue;
    if (isa<tensor::ExtractSliceOp>(op))
      parts = parts + extents.elements(op->getResult(0));
    else if (auto loops = op->getParentOfType<linalg::LinalgOp>();
             loops && isa<tensor::ExtractOp>(op))
      parts = parts + iterations(loops, extents);
    else
      return extents.elements(argument);
  }
  return parts;
}

KernelCost aft::costOf(func::FuncOp kernel) {
  // A kernel that comes in a later form says nothing of this.
  if (!llvm::all_of(kernel.getArgumentTypes(), llvm::IsaPred<RankedTensorType>))
    return {};
  Block &block = kernel.front();
  ExtentReader extents(block);
  KernelCost cost{0, 0};
  for (Operation &op : block) {
    if (auto linalgOp = dyn_cast<linalg::LinalgOp>(op))
      cost.flops = cost.flops + linalgFlops(linalgOp, extents);
    else if (isa<AFTDialect>(op.getDialect()))
      cost.flops = cost.flops + mixerFlops(&op, extents);
  }
  for (BlockArgument argument : block.getArguments())
    cost.bytes = cost.bytes + elementsRead(argument, extents) * elementBytes(argument);
  unsigned firstResult = block.getNumArguments() - kernel.getNumResults();
  for (BlockArgument result : block.getArguments().drop_front(firstResult))
    cost.bytes = cost.bytes + extents.elements(result) * elementBytes(result);
  return cost;
}
