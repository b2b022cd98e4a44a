//===- OutlineDevice.cpp - What runs on the GPU apart from its launches ---===//

#include "compiler/kernels/Interface.h"
#include "compiler/nvvm/Device.h"
#include "compiler/nvvm/Passes.h"
#include "compiler/vector/gpu/Threads.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "llvm/ADT/StringMap.h"

namespace aft {
#define GEN_PASS_DEF_OUTLINEDEVICE
#include "compiler/nvvm/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// Functions that a GPU has no instructions for, and no library is linked for.
static LogicalResult checkMath(func::FuncOp kernel) {
  WalkResult result = kernel.walk([](Operation *op) {
    if (isa<math::Exp2Op>(op) && getElementTypeOrSelf(op->getResult(0)).isF32())
      return WalkResult::advance();
    if (!isa<math::MathDialect>(op->getDialect()) ||
        isa<math::AbsFOp, math::AbsIOp, math::CeilOp, math::CopySignOp, math::CountLeadingZerosOp,
            math::CountTrailingZerosOp, math::CtPopOp, math::FloorOp, math::FmaOp, math::RoundOp,
            math::RoundEvenOp, math::RsqrtOp, math::SqrtOp, math::TruncOp>(op))
      return WalkResult::advance();
    op->emitError() << "not supported yet on a GPU: '" << op->getName() << "' on "
                    << op->getResult(0).getType();
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

/// The operations of a block but its terminator, users first.
static SmallVector<Operation *> usersFirst(Block &block) {
  SmallVector<Operation *> ops;
  for (Operation &op : block.without_terminator())
    ops.push_back(&op);
  std::reverse(ops.begin(), ops.end());
  return ops;
}

/// Leaves the extents of a kernel's grid, from which the number of blocks follows.
static void strip(func::FuncOp kernel) {
  for (Operation *op : usersFirst(kernel.front())) {
    auto grid = dyn_cast<scf::ForallOp>(op);
    if (grid && !isThreadForall(grid)) {
      for (Operation *inner : usersFirst(*grid.getBody()))
        inner->erase();
      continue;
    }
    if (!isMemoryEffectFree(op) || isa<memref::AllocOp, memref::AllocaOp>(op) || op->use_empty())
      op->erase();
  }
}

/// Whether an operand of a launch begins where vectors of 16 bytes may: what callers hand
/// in does, and so do tensors in the arena.
static bool isAligned(Value operand) {
  while (Operation *op = operand.getDefiningOp()) {
    if (isa<memref::ViewOp>(op))
      return true;
    auto cast = dyn_cast<memref::ReinterpretCastOp>(op);
    bool moves = cast && getConstantIntValue(cast.getMixedOffsets()[0]) != 0;
    if (moves || !isa<memref::CastOp, memref::CollapseShapeOp, memref::ExpandShapeOp,
                      memref::ReinterpretCastOp>(op))
      return false;
    operand = op->getOperand(0);
  }
  return true;
}

/// Per kernel, which operands are aligned in all launches.
static llvm::StringMap<SmallVector<bool>> findAligned(ModuleOp module) {
  llvm::StringMap<SmallVector<bool>> aligned;
  module.walk([&](LaunchOp launch) {
    auto [it, isNew] =
        aligned.try_emplace(launch.getKernel(), SmallVector<bool>(launch->getNumOperands(), true));
    for (auto [good, operand] : llvm::zip_equal(it->second, launch->getOperands()))
      good &= isAligned(operand);
  });
  return aligned;
}

/// Gives the device the constants that a kernel reads.
static void copyConstants(func::FuncOp kernel, SymbolTable &host, SymbolTable &device) {
  kernel.walk([&](memref::GetGlobalOp op) {
    if (!device.lookup(op.getName()))
      device.insert(host.lookup(op.getName())->clone(),
                    device.getOp()->getRegion(0).front().begin());
  });
}

namespace {
struct OutlineDevice : aft::impl::OutlineDeviceBase<OutlineDevice> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
    auto device = builder.create<ModuleOp>(module.getLoc(), deviceModuleName);
    OpBuilder inner = OpBuilder::atBlockEnd(device.getBody());
    llvm::StringMap<SmallVector<bool>> aligned = findAligned(module);
    SymbolTable hostSymbols(module), deviceSymbols(device);
    for (auto kernel : module.getOps<func::FuncOp>()) {
      if (!kernel->hasAttr(kernelAttrName) || kernel.isExternal())
        continue;
      if (failed(checkMath(kernel)))
        return signalPassFailure();
      auto copy = cast<func::FuncOp>(inner.clone(*kernel));
      copy.setPublic();
      copyConstants(copy, hostSymbols, deviceSymbols);
      copy->setAttr(alignedAttrName, builder.getDenseBoolArrayAttr(aligned[kernel.getName()]));
      strip(kernel);
    }
  }
};
} // namespace
