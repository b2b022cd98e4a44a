//===- LowerHostABI.cpp - The calling convention of entries and plans -----===//

#include "compiler/kernels/Interface.h"
#include "compiler/llvm/Descriptors.h"
#include "compiler/llvm/Passes.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace aft {
#define GEN_PASS_DEF_LOWERHOSTABI
#include "compiler/llvm/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

namespace {

/// Lowers the launches of one entry. The arrays for pointers and extents are
/// shared by all its launches: a launch is over before the next begins.
class LaunchLowering {
public:
  LaunchLowering(func::FuncOp entry, Value runtime) : entry(entry), runtime(runtime) {}
  void run();

private:
  void lower(LaunchOp launch);
  Value nameOf(StringRef kernel, OpBuilder &builder);

  func::FuncOp entry;
  Value runtime, pointers, extents;
};

} // namespace

void LaunchLowering::run() {
  SmallVector<LaunchOp> launches;
  int64_t mostPointers = 0, mostExtents = 0;
  entry.walk([&](LaunchOp launch) {
    launches.push_back(launch);
    int64_t count = 0;
    for (Value operand : launch.getOperands())
      count += cast<MemRefType>(operand.getType()).getRank();
    mostPointers = std::max<int64_t>(mostPointers, launch->getNumOperands());
    mostExtents = std::max(mostExtents, count);
  });
  OpBuilder builder = OpBuilder::atBlockBegin(&entry.front());
  DescriptorBuilder descriptors(builder, entry.getLoc());
  pointers = descriptors.stackArray(mostPointers);
  extents = descriptors.stackArray(mostExtents);
  for (LaunchOp launch : launches)
    lower(launch);
}

/// The address of the first element, an offset of the memref included.
static Value addressOf(OpBuilder &builder, Location loc, Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  // MLIR 19 takes the address of a memref.view for that of its source: the
  // shift is added here.
  Value source = memref, shift;
  while (auto view = source.getDefiningOp<ViewLikeOpInterface>()) {
    if (auto bytes = dyn_cast<memref::ViewOp>(*view))
      shift = shift ? builder.create<arith::AddIOp>(loc, shift, bytes.getByteShift()).getResult()
                    : bytes.getByteShift();
    source = view.getViewSource();
  }
  Value base = builder.create<memref::ExtractAlignedPointerAsIndexOp>(loc, source);
  if (shift)
    base = builder.create<arith::AddIOp>(loc, base, shift);
  if (!type.getLayout().isIdentity()) {
    auto metadata = builder.create<memref::ExtractStridedMetadataOp>(loc, memref);
    int64_t width = std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
    Value scale = builder.create<arith::ConstantIndexOp>(loc, width);
    Value offset = builder.create<arith::MulIOp>(loc, metadata.getOffset(), scale);
    base = builder.create<arith::AddIOp>(loc, base, offset);
  }
  Value integer = builder.create<arith::IndexCastOp>(loc, builder.getI64Type(), base);
  return builder.create<LLVM::IntToPtrOp>(
      loc, LLVM::LLVMPointerType::get(builder.getContext()), integer);
}

/// A private zero-terminated string with the kernel's name.
Value LaunchLowering::nameOf(StringRef kernel, OpBuilder &builder) {
  auto module = entry->getParentOfType<ModuleOp>();
  std::string symbol = (kernel + ".name").str();
  auto global = module.lookupSymbol<LLVM::GlobalOp>(symbol);
  if (!global) {
    std::string text = kernel.str() + '\0';
    OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
    global = top.create<LLVM::GlobalOp>(
        entry.getLoc(), LLVM::LLVMArrayType::get(top.getI8Type(), text.size()),
        /*isConstant=*/true, LLVM::Linkage::Internal, symbol, top.getStringAttr(text));
  }
  return builder.create<LLVM::AddressOfOp>(entry.getLoc(), global);
}

void LaunchLowering::lower(LaunchOp launch) {
  Location loc = launch.getLoc();
  OpBuilder builder(launch);
  DescriptorBuilder descriptors(builder, loc);
  int64_t position = 0;
  for (auto [index, operand] : llvm::enumerate(launch.getOperands())) {
    descriptors.store(addressOf(builder, loc, operand), pointers, index);
    auto type = cast<MemRefType>(operand.getType());
    for (int64_t dim = 0; dim < type.getRank(); ++dim, ++position) {
      Value extent = builder.create<memref::DimOp>(loc, operand, dim);
      descriptors.store(
          builder.create<arith::IndexCastOp>(loc, builder.getI64Type(), extent), extents,
          position);
    }
  }
  // aft_runtime_t: self, parallel_for.
  Type pointer = descriptors.pointerType();
  Value self = descriptors.loadPointer(runtime, 0);
  Value callback = descriptors.loadPointer(runtime, 1);
  Type index = builder.getIndexType();
  Value function = builder.create<func::ConstantOp>(
      loc, builder.getFunctionType({pointer, pointer, index, index}, {index}),
      launch.getKernelAttr());
  Value kernel =
      builder.create<UnrealizedConversionCastOp>(loc, pointer, function).getResult(0);
  auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(builder.getContext()),
                                          SmallVector<Type>(5, pointer));
  builder.create<LLVM::CallOp>(loc, type,
                               ValueRange{callback, self, kernel, pointers, extents,
                                          nameOf(launch.getKernel(), builder)});
  launch.erase();
}

/// Replaces the arguments by (buffers, dims, arena, runtime).
static LogicalResult lowerEntry(func::FuncOp entry) {
  Block &block = entry.front();
  unsigned count = block.getNumArguments();
  for (Type type : block.getArgumentTypes())
    if (!isa<MemRefType>(type))
      return entry.emitError() << "entry '" << entry.getName()
                               << "' must take memrefs only, found " << type;
  if (count == 0 || entry.getNumResults() != 0)
    return entry.emitError() << "entry '" << entry.getName()
                             << "' must take its arena last and return nothing";
  Location loc = entry.getLoc();
  OpBuilder builder = OpBuilder::atBlockBegin(&block);
  DescriptorBuilder descriptors(builder, loc);
  Type pointer = descriptors.pointerType();
  SmallVector<Value> memrefs(block.getArguments().begin(), block.getArguments().end());
  BlockArgument abi[4];
  for (unsigned i = 0; i < 4; ++i)
    abi[i] = block.insertArgument(i, pointer, loc);
  int64_t position = 0;
  for (unsigned i = 0; i + 1 < count; ++i) {
    auto type = cast<MemRefType>(memrefs[i].getType());
    SmallVector<Value> extents(type.getRank());
    for (int64_t dim = 0; dim < type.getRank(); ++dim, ++position)
      if (type.isDynamicDim(dim))
        extents[dim] = descriptors.loadInteger(abi[1], position);
    memrefs[i].replaceAllUsesWith(
        descriptors.memref(type, descriptors.loadPointer(abi[0], i), extents));
  }
  // Nothing looks at the arena's extent.
  memrefs.back().replaceAllUsesWith(
      descriptors.memref(cast<MemRefType>(memrefs.back().getType()), abi[2],
                         {descriptors.constant(std::numeric_limits<int64_t>::max())}));
  block.eraseArguments(4, count);
  entry.setFunctionType(builder.getFunctionType(block.getArgumentTypes(), {}));
  entry.setAllArgAttrs(ArrayAttr::get(
      entry.getContext(), SmallVector<Attribute>(4, builder.getDictionaryAttr({}))));
  LaunchLowering(entry, abi[3]).run();
  return success();
}

/// Replaces a plan's memrefs by pointers.
static LogicalResult lowerPlan(func::FuncOp plan) {
  Block &block = plan.front();
  unsigned count = block.getNumArguments();
  if (count != 3 || plan.getNumResults() != 1 || !plan.getResultTypes()[0].isIndex())
    return plan.emitError() << "plan '" << plan.getName()
                            << "' must take (dims, output dims, bytes) and return an index";
  Location loc = plan.getLoc();
  OpBuilder builder = OpBuilder::atBlockBegin(&block);
  DescriptorBuilder descriptors(builder, loc);
  SmallVector<Value> memrefs(block.getArguments().begin(), block.getArguments().end());
  for (unsigned i = 0; i < count; ++i) {
    BlockArgument argument = block.insertArgument(i, descriptors.pointerType(), loc);
    memrefs[i].replaceAllUsesWith(
        descriptors.memref(cast<MemRefType>(memrefs[i].getType()), argument,
                           {descriptors.constant(std::numeric_limits<int64_t>::max())}));
  }
  block.eraseArguments(count, count);
  plan.setFunctionType(builder.getFunctionType(block.getArgumentTypes(), plan.getResultTypes()));
  return success();
}

namespace {
struct LowerHostABI : aft::impl::LowerHostABIBase<LowerHostABI> {
  void runOnOperation() override {
    for (auto function : llvm::to_vector(getOperation().getOps<func::FuncOp>())) {
      if (function.isExternal())
        continue;
      LogicalResult result = success();
      if (function->hasAttr(entryAttrName))
        result = lowerEntry(function);
      else if (function->hasAttr(planAttrName))
        result = lowerPlan(function);
      if (failed(result))
        return signalPassFailure();
    }
  }
};
} // namespace
