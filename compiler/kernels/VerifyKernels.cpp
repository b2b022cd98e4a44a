//===- VerifyKernels.cpp - Checks what the kernels phase hands on ---------===//

#include "compiler/kernels/Groups.h"
#include "compiler/kernels/Interface.h"
#include "compiler/kernels/Passes.h"
#include "compiler/kernels/decompose/Decompose.h"
#include "dialect/ir/AFT.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_VERIFYKERNELS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

namespace {

struct VerifyKernels : aft::impl::VerifyKernelsBase<VerifyKernels> {
  void runOnOperation() override {
    for (Operation &op : *getOperation().getBody())
      if (failed(verifyTop(&op)))
        signalPassFailure();
  }

  static LogicalResult verifyTop(Operation *op) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function)
      return op->emitOpError("expected only functions after the kernels phase");
    if (!function.getBody().hasOneBlock())
      return function.emitOpError("not supported yet: control flow between "
                                  "blocks, or a function without a body");
    if (function->hasAttr(kernelAttrName))
      return verifyKernel(function);
    if (function->hasAttr(entryAttrName))
      return verifyEntry(function);
    if (function->hasAttr(planAttrName))
      return verifyBody(function, "a plan", [](Operation *op) {
        return isa<arith::ArithDialect>(op->getDialect()) ||
               isa<memref::LoadOp, memref::StoreOp, func::ReturnOp>(op);
      });
    return function.emitOpError("must be a kernel, an entry or a plan after "
                                "the kernels phase");
  }

  static LogicalResult verifyBody(func::FuncOp function, StringRef what,
                                  llvm::function_ref<bool(Operation *)> isAllowed) {
    WalkResult result = function.walk([&](Operation *op) {
      if (op == function || isAllowed(op))
        return WalkResult::advance();
      op->emitOpError("not supported yet: this operation in ") << what;
      return WalkResult::interrupt();
    });
    return failure(result.wasInterrupted());
  }

  static bool isInKernel(Operation *op) {
    Dialect *dialect = op->getDialect();
    if (isa_and_nonnull<arith::ArithDialect, math::MathDialect>(dialect))
      return true;
    if (isa<linalg::GenericOp, linalg::FillOp, linalg::YieldOp, linalg::IndexOp, tensor::EmptyOp,
            tensor::DimOp, tensor::CastOp, tensor::ExtractOp, tensor::ExtractSliceOp,
            tensor::CollapseShapeOp, tensor::ExpandShapeOp, func::ReturnOp>(op) ||
        isMatmul(op))
      return true;
    return isKernelOp(op);
  }

  /// A kernel written by hand in the form of the vector phase.
  static bool isOnMemory(func::FuncOp kernel) {
    return llvm::any_of(kernel.getArgumentTypes(), [](Type type) { return isa<MemRefType>(type); });
  }

  static LogicalResult verifyKernel(func::FuncOp kernel) {
    if (isOnMemory(kernel))
      return success();
    ArrayRef<Type> arguments = kernel.getArgumentTypes(), results = kernel.getResultTypes();
    if (!kernel.isPrivate() || results.empty() || arguments.size() < results.size())
      return kernel.emitOpError("a kernel must be private and return one "
                                "tensor per destination");
    if (arguments.take_back(results.size()) != results)
      return kernel.emitOpError("the last arguments of a kernel must have the "
                                "types of its results");
    for (Type type : arguments)
      if (!isa<RankedTensorType>(type))
        return kernel.emitOpError("a kernel must take ranked tensors, found ") << type;
    return verifyBody(kernel, "a kernel", isInKernel);
  }

  static LogicalResult verifyLaunch(LaunchOp launch) {
    auto module = launch->getParentOfType<ModuleOp>();
    auto kernel = module.lookupSymbol<func::FuncOp>(launch.getKernel());
    if (!kernel || !kernel->hasAttr(kernelAttrName))
      return launch.emitOpError("must launch a kernel, found @") << launch.getKernel();
    if (isOnMemory(kernel))
      return success();
    if (kernel.getNumArguments() != launch->getNumOperands())
      return launch.emitOpError("must have ")
             << kernel.getNumArguments() << " operands as its kernel, found "
             << launch->getNumOperands();
    for (auto [index, pair] :
         llvm::enumerate(llvm::zip_equal(launch->getOperandTypes(), kernel.getArgumentTypes()))) {
      auto memref = dyn_cast<MemRefType>(std::get<0>(pair));
      auto tensor = cast<RankedTensorType>(std::get<1>(pair));
      if (!memref || !memref.getLayout().isIdentity() || memref.getShape() != tensor.getShape() ||
          memref.getElementType() != tensor.getElementType())
        return launch.emitOpError("operand ") << index << " must be a contiguous memref for "
                                              << tensor << ", found " << std::get<0>(pair);
    }
    return success();
  }

  static LogicalResult verifyEntry(func::FuncOp entry) {
    FailureOr<EntryInterface> interface = readInterface(entry);
    if (failed(interface))
      return failure();
    if (entry.getNumArguments() != interface->inputs.size() + interface->outputs.size() + 1 ||
        entry.getNumResults() != 0)
      return entry.emitOpError("an entry must take its inputs, its outputs and "
                               "the arena, and return nothing");
    for (Type type : entry.getArgumentTypes())
      if (!isa<MemRefType>(type))
        return entry.emitOpError("an entry must take memrefs, found ") << type;
    if (!planOf(entry))
      return entry.emitOpError("has no plan '@") << entry.getName() << planSuffix << "'";
    WalkResult launches = entry.walk([](LaunchOp launch) {
      return failed(verifyLaunch(launch)) ? WalkResult::interrupt() : WalkResult::advance();
    });
    if (launches.wasInterrupted())
      return failure();
    return verifyBody(entry, "an entry", [](Operation *op) {
      return isa<arith::ArithDialect>(op->getDialect()) ||
             isa<LaunchOp, func::ReturnOp, memref::DimOp, memref::ViewOp, memref::ReinterpretCastOp,
                 memref::CastOp, memref::CollapseShapeOp, memref::ExpandShapeOp>(op);
    });
  }
};

} // namespace
