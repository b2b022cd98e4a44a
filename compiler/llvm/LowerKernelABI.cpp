//===- LowerKernelABI.cpp - The calling convention of kernels -------------===//

#include "compiler/kernels/Interface.h"
#include "compiler/llvm/Descriptors.h"
#include "compiler/llvm/Passes.h"
#include "compiler/llvm/Symbols.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

namespace aft {
#define GEN_PASS_DEF_LOWERKERNELABI
#include "compiler/llvm/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// Checks that a function has the form the vector phase leaves.
static LogicalResult checkKernel(func::FuncOp kernel) {
  FunctionType type = kernel.getFunctionType();
  unsigned count = type.getNumInputs();
  if (count < 2 || !type.getInput(count - 1).isIndex() || !type.getInput(count - 2).isIndex() ||
      type.getNumResults() != 1 || !type.getResult(0).isIndex())
    return kernel.emitError() << "kernel '" << functionOf(kernel.getName())
                              << "' must have type (memrefs..., index, index) -> index, found "
                              << type;
  for (Type input : type.getInputs().drop_back(2)) {
    auto memref = dyn_cast<MemRefType>(input);
    if (!memref || !memref.getLayout().isIdentity())
      return kernel.emitError() << "kernel '" << functionOf(kernel.getName())
                                << "' must take contiguous memrefs, found " << input;
  }
  return success();
}

/// Moves a kernel's code into a function on pointers: (pointers…, dims, begin,
/// end). Operands never overlap, which LLVM can only learn from arguments.
static func::FuncOp makeBody(func::FuncOp kernel, OpBuilder &builder) {
  Location loc = kernel.getLoc();
  unsigned buffers = kernel.getNumArguments() - 2;
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  SmallVector<Type> inputs(buffers + 1, pointer);
  inputs.append(2, builder.getIndexType());
  auto body = builder.create<func::FuncOp>(
      loc, (kernel.getName() + ".body").str(),
      builder.getFunctionType(inputs, kernel.getFunctionType().getResults()));
  body.setPrivate();
  for (unsigned i = 0; i < buffers; ++i)
    body.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());

  // The kernel's region becomes the body's; its memref arguments are rebuilt.
  body.getBody().takeBody(kernel.getBody());
  Block &block = body.getBody().front();
  OpBuilder inner = OpBuilder::atBlockBegin(&block);
  DescriptorBuilder descriptors(inner, loc);
  SmallVector<Value> memrefs(block.getArguments().begin(),
                             block.getArguments().begin() + buffers);
  SmallVector<BlockArgument> pointers;
  for (unsigned i = 0; i < buffers; ++i)
    pointers.push_back(block.insertArgument(i, pointer, loc));
  BlockArgument dims = block.insertArgument(buffers, pointer, loc);
  int64_t position = 0;
  for (unsigned i = 0; i < buffers; ++i) {
    auto type = cast<MemRefType>(memrefs[i].getType());
    SmallVector<Value> extents(type.getRank());
    for (int64_t dim = 0; dim < type.getRank(); ++dim, ++position)
      if (type.isDynamicDim(dim))
        extents[dim] = descriptors.loadInteger(dims, position);
    memrefs[i].replaceAllUsesWith(descriptors.memref(type, pointers[i], extents));
  }
  block.eraseArguments(buffers + 1, buffers);
  return body;
}

/// Fills the emptied kernel with the unpacking of aft_kernel_t's arguments.
static void makeWrapper(func::FuncOp kernel, func::FuncOp body, OpBuilder &builder) {
  Location loc = kernel.getLoc();
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type index = builder.getIndexType();
  unsigned buffers = body.getNumArguments() - 3;
  kernel.setFunctionType(builder.getFunctionType({pointer, pointer, index, index}, {index}));
  kernel.setAllArgAttrs(ArrayAttr::get(builder.getContext(),
                                       SmallVector<Attribute>(4, builder.getDictionaryAttr({}))));
  Block *entry = kernel.addEntryBlock();
  OpBuilder inner = OpBuilder::atBlockBegin(entry);
  DescriptorBuilder descriptors(inner, loc);
  SmallVector<Value> operands;
  for (unsigned i = 0; i < buffers; ++i)
    operands.push_back(descriptors.loadPointer(entry->getArgument(0), i));
  for (unsigned i : {1, 2, 3})
    operands.push_back(entry->getArgument(i));
  auto call = inner.create<func::CallOp>(loc, body, operands);
  inner.create<func::ReturnOp>(loc, call.getResults());
  kernel.setPublic();
}

namespace {
struct LowerKernelABI : aft::impl::LowerKernelABIBase<LowerKernelABI> {
  void runOnOperation() override {
    for (auto kernel : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (!kernel->hasAttr(kernelAttrName) || kernel.isExternal())
        continue;
      if (failed(checkKernel(kernel)))
        return signalPassFailure();
      OpBuilder builder(kernel);
      makeWrapper(kernel, makeBody(kernel, builder), builder);
    }
  }
};
} // namespace
