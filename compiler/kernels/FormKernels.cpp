//===- FormKernels.cpp - Outlines groups of operations into kernels -------===//

#include "compiler/kernels/Generic.h"
#include "compiler/kernels/Interface.h"
#include "compiler/kernels/Outline.h"
#include "compiler/kernels/Passes.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_FORMKERNELS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

namespace {

struct FormKernels : aft::impl::FormKernelsBase<FormKernels> {
  using FormKernelsBase::FormKernelsBase;
  FormKernels(bool forLibrary, CompileReport *report) : report(report) {
    libraryProducts = forLibrary;
  }

  void runOnOperation() override {
    SmallVector<func::FuncOp> functions;
    for (auto function : getOperation().getOps<func::FuncOp>())
      if (function.isPublic() && !function.isExternal() &&
          !function->hasAttr(entryAttrName) &&
          !function->hasAttr(planAttrName))
        functions.push_back(function);
    for (func::FuncOp function : functions)
      if (failed(form(function)))
        return signalPassFailure();
  }

  LogicalResult form(func::FuncOp function) {
    FailureOr<EntryInterface> interface = interfaceOf(function);
    if (failed(interface) || !function.getBody().hasOneBlock())
      return failure();
    copyConstants(function);
    {
      ShapeAnalysis shapes(function);
      if (failed(shapes.run()))
        return failure();
      copyScatteredSlices(function, shapes);
    }
    ShapeAnalysis shapes(function);
    if (failed(shapes.run()))
      return failure();
    SymbolTable symbols(function->getParentOfType<ModuleOp>());
    for (const KernelGroup &group : formGroups(function, libraryProducts, report))
      if (failed(outline(group, shapes, function, symbols)))
        return failure();
    eraseDead(function);
    function->setAttr(entryAttrName, UnitAttr::get(function.getContext()));
    writeInterface(function, *interface);
    return success();
  }

  static Value copyOf(OpBuilder &builder, Value value, ArrayRef<Value> sizes) {
    Generic g(builder, value.getLoc());
    auto type = cast<RankedTensorType>(value.getType());
    Value init = builder.create<tensor::EmptyOp>(value.getLoc(), type, sizes);
    unsigned loops = type.getRank();
    return g.parallel({g.leading(value, loops)}, {g.leading(init, loops)},
                      [](ImplicitLocOpBuilder &, ValueRange args) {
                        return SmallVector<Value>{args[0]};
                      })[0];
  }

  /// A constant that is returned or viewed must be computed by a kernel.
  static void copyConstants(func::FuncOp function) {
    SmallVector<OpOperand *> uses;
    function.walk([&](Operation *op) {
      if (op->getBlock() != &function.front() ||
          !isa<func::ReturnOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
               tensor::CastOp, tensor::ExtractSliceOp>(op))
        return;
      for (OpOperand &operand : op->getOpOperands())
        if (operand.get().getDefiningOp<arith::ConstantOp>() &&
            isa<RankedTensorType>(operand.get().getType()))
          uses.push_back(&operand);
    });
    for (OpOperand *use : uses) {
      OpBuilder builder(use->getOwner());
      use->set(copyOf(builder, use->get(), {}));
    }
  }

  /// A slice with gaps is read through a copy of its own.
  static void copyScatteredSlices(func::FuncOp function,
                                  ShapeAnalysis &shapes) {
    for (auto slice : llvm::make_early_inc_range(
             function.getOps<tensor::ExtractSliceOp>())) {
      if (isHostView(slice, shapes))
        continue;
      OpBuilder builder(slice->getContext());
      builder.setInsertionPointAfter(slice);
      SmallVector<Value> sizes;
      for (auto [dim, extent] : llvm::enumerate(shapes.shape(slice)))
        if (slice.getType().isDynamicDim(dim))
          sizes.push_back(getValueOrCreateConstantIndexOp(
              builder, slice.getLoc(), extent));
      Value copy = copyOf(builder, slice, sizes);
      slice.getResult().replaceAllUsesExcept(copy, copy.getDefiningOp());
    }
  }

  static void eraseDead(func::FuncOp function) {
    SmallVector<Operation *> ops;
    for (Operation &op : function.front().without_terminator())
      ops.push_back(&op);
    for (Operation *op : llvm::reverse(ops))
      if (isOpTriviallyDead(op) || (op->use_empty() && isComputeOp(op)))
        op->erase();
  }

  CompileReport *report = nullptr;
};

} // namespace

std::unique_ptr<Pass> aft::createFormKernels(bool libraryProducts, CompileReport *report) {
  return std::make_unique<FormKernels>(libraryProducts, report);
}
