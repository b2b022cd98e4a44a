//===- BufferizeKernels.cpp - Kernel functions on memrefs -----------------===//

#include "compiler/kernels/Interface.h"
#include "compiler/vector/Passes.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotModuleBufferize.h"
#include "mlir/Dialect/Bufferization/Transforms/Transforms.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"

namespace aft {
#define GEN_PASS_DEF_BUFFERIZEKERNELS
#include "compiler/vector/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// Larger temporaries do not belong on the stack.
static constexpr int64_t kMostStackBytes = 4 << 20;

/// The destinations are the last arguments, one per result; only they may be
/// written.
static void markWritable(func::FuncOp kernel) {
  unsigned inputs = kernel.getNumArguments() - kernel.getNumResults();
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
    kernel.setArgAttr(i, bufferization::BufferizationDialect::kWritableAttrName,
                      BoolAttr::get(kernel.getContext(), i >= inputs));
}

static bufferization::OneShotBufferizationOptions bufferizationOptions() {
  bufferization::OneShotBufferizationOptions options;
  options.bufferizeFunctionBoundaries = true;
  options.setFunctionBoundaryTypeConversion(
      bufferization::LayoutMapOption::IdentityLayoutMap);
  options.bufferAlignment = 64;
  options.opFilter.allowOperation([](Operation *op) {
    auto function = dyn_cast<func::FuncOp>(op);
    if (!function)
      function = op->getParentOfType<func::FuncOp>();
    return function && function->hasAttr(kernelAttrName);
  });
  return options;
}

/// Gives each user its own filled tensor: a copy of a shared one would cost
/// more than another fill.
static void splitFills(func::FuncOp kernel) {
  SmallVector<linalg::FillOp> fills;
  kernel.walk([&](linalg::FillOp fill) {
    if (fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>())
      fills.push_back(fill);
  });
  for (linalg::FillOp fill : fills) {
    OpBuilder builder(fill);
    Operation *empty = fill.getOutputs()[0].getDefiningOp();
    for (OpOperand &use : llvm::make_early_inc_range(llvm::drop_begin(fill->getUses()))) {
      Value own = builder.clone(*empty)->getResult(0);
      auto copy = cast<linalg::FillOp>(builder.clone(*fill));
      copy.getOutputsMutable()[0].assign(own);
      use.set(copy.getResult(0));
    }
  }
}

/// Returned buffers are the destinations; where the analysis had to make
/// another one its content is copied.
static void dropResults(func::FuncOp kernel) {
  auto terminator = cast<func::ReturnOp>(kernel.front().getTerminator());
  unsigned inputs = kernel.getNumArguments() - terminator.getNumOperands();
  OpBuilder builder(terminator);
  for (auto [index, value] : llvm::enumerate(terminator.getOperands())) {
    Value destination = kernel.getArgument(inputs + index), source = value;
    while (auto cast = source.getDefiningOp<memref::CastOp>())
      source = cast.getSource();
    if (source != destination)
      builder.create<memref::CopyOp>(terminator.getLoc(), source, destination);
  }
  terminator.getOperandsMutable().clear();
  kernel.setFunctionType(
      builder.getFunctionType(kernel.getFunctionType().getInputs(), {}));
  kernel.setAllResultAttrs(ArrayRef<DictionaryAttr>());
  for (unsigned i = 0; i < kernel.getNumArguments(); ++i)
    kernel.removeArgAttr(i, bufferization::BufferizationDialect::kWritableAttrName);
}

/// A heap allocation becomes memory of its largest possible size at the kernel's start: on
/// the stack, or still a memref.alloc, which is what a block of threads shares.
static LogicalResult makeStatic(memref::AllocOp alloc, bool shared) {
  MemRefType type = alloc.getType();
  SmallVector<int64_t> most(type.getShape());
  int64_t bytes = std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
  for (int64_t dim = 0; dim < type.getRank(); ++dim) {
    if (type.isDynamicDim(dim)) {
      FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
          presburger::BoundType::UB, alloc.getDynamicSizes()[type.getDynamicDimIndex(dim)],
          nullptr, /*closedUB=*/true);
      if (failed(bound))
        return alloc.emitError() << "a temporary of type " << type
                                 << " has no static bound in dimension " << dim;
      most[dim] = *bound;
    }
    bytes *= most[dim];
  }
  if (bytes > kMostStackBytes)
    return alloc.emitError() << "a temporary of type " << type << " takes up to " << bytes
                             << " bytes, expected at most " << kMostStackBytes;
  auto function = alloc->getParentOfType<func::FuncOp>();
  OpBuilder builder(alloc);
  OpBuilder top = OpBuilder::atBlockBegin(&function.front());
  auto largest = MemRefType::get(most, type.getElementType());
  Value stack =
      shared ? Value(top.create<memref::AllocOp>(alloc.getLoc(), largest))
             : Value(top.create<memref::AllocaOp>(alloc.getLoc(), largest,
                                                  top.getI64IntegerAttr(64)));
  if (!type.hasStaticShape()) {
    // A view of the wanted extents, rows packed as the type says.
    SmallVector<OpFoldResult> sizes = getMixedValues(type.getShape(), alloc.getDynamicSizes(),
                                                     builder);
    SmallVector<OpFoldResult> strides(sizes.size());
    Value stride = builder.create<arith::ConstantIndexOp>(alloc.getLoc(), 1);
    for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
      strides[dim] = getAsOpFoldResult(stride);
      stride = builder.createOrFold<arith::MulIOp>(
          alloc.getLoc(), stride,
          getValueOrCreateConstantIndexOp(builder, alloc.getLoc(), sizes[dim]));
    }
    stack = builder.create<memref::ReinterpretCastOp>(
        alloc.getLoc(), type, stack, builder.getIndexAttr(0), sizes, strides);
  }
  alloc.replaceAllUsesWith(stack);
  alloc.erase();
  return success();
}

namespace {
struct BufferizeKernels : aft::impl::BufferizeKernelsBase<BufferizeKernels> {
  using Base::Base;
  void getDependentDialects(DialectRegistry &registry) const override {
    registry.insert<bufferization::BufferizationDialect, memref::MemRefDialect, scf::SCFDialect,
                    arith::ArithDialect, linalg::LinalgDialect, tensor::TensorDialect>();
  }

  void runOnOperation() override {
    ModuleOp module = getOperation();
    SmallVector<func::FuncOp> kernels;
    for (auto function : module.getOps<func::FuncOp>())
      if (function->hasAttr(kernelAttrName) && !function.isExternal() &&
          llvm::any_of(function.getArgumentTypes(), llvm::IsaPred<TensorType>))
        kernels.push_back(function);
    for (func::FuncOp kernel : kernels) {
      markWritable(kernel);
      splitFills(kernel);
    }
    bufferization::OneShotBufferizationOptions options = bufferizationOptions();
    IRRewriter rewriter(module.getContext());
    for (func::FuncOp kernel : kernels) {
      bufferization::OneShotAnalysisState state(kernel, options);
      if (failed(bufferization::analyzeOp(kernel, state)) ||
          failed(bufferization::eliminateEmptyTensors(rewriter, kernel, state)))
        return signalPassFailure();
    }
    if (failed(bufferization::runOneShotModuleBufferize(module, options)))
      return signalPassFailure();
    for (func::FuncOp kernel : kernels) {
      dropResults(kernel);
      SmallVector<memref::AllocOp> allocations;
      kernel.walk([&](memref::AllocOp alloc) { allocations.push_back(alloc); });
      for (memref::AllocOp alloc : allocations)
        if (failed(makeStatic(alloc, threadBlocks)))
          return signalPassFailure();
    }
  }
};
} // namespace
