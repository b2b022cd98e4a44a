//===- LowerThreads.cpp - Kernels as functions of a thread ----------------===//

#include "compiler/kernels/Interface.h"
#include "compiler/llvm/Descriptors.h"
#include "compiler/nvvm/Device.h"
#include "compiler/nvvm/Passes.h"
#include "compiler/nvvm/WarpOps.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "llvm/ADT/MapVector.h"

namespace aft {
#define GEN_PASS_DEF_LOWERTHREADS
#include "compiler/nvvm/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// The driver's limit on the parameters of a kernel.
static constexpr int64_t kMostParameterBytes = 4096;
static constexpr unsigned kSharedSpace = 3;

/// A special register as an index.
template <typename OpT> static Value readIndex(OpBuilder &builder, Location loc) {
  Value number = builder.create<OpT>(loc, builder.getI32Type());
  return builder.create<arith::IndexCastUIOp>(loc, builder.getIndexType(), number);
}

namespace {

class KernelLowering {
public:
  KernelLowering(func::FuncOp kernel, ModuleOp device)
      : kernel(kernel), device(device), builder(kernel.getContext()) {}
  LogicalResult run();

private:
  void inlineThreads(scf::ForallOp forall, Value thread);
  bool needsBarrier(scf::ForallOp forall);
  LLVM::GlobalOp makeShared(int64_t bytes);
  void share(memref::AllocOp alloc, LLVM::GlobalOp global);
  int64_t shareAll(ArrayRef<memref::AllocOp> allocs);
  LogicalResult keepOwnRow(memref::AllocaOp memory, Value thread);
  void lowerMath(Operation *op);
  void lowerExp2(math::Exp2Op op);
  bool isAligned(Value memref);
  LogicalResult setParameters();

  func::FuncOp kernel;
  ModuleOp device;
  OpBuilder builder;
  int64_t threads = kWarpThreads;
};

} // namespace

/// Not where the kernel ends.
bool KernelLowering::needsBarrier(scf::ForallOp forall) {
  for (Operation *op = forall; op != kernel; op = op->getParentOp()) {
    // The loop over a block's groups, of which there is one, is no reason to wait.
    bool isGroupLoop = isa<scf::ForOp>(op) && op->getParentOp() == kernel;
    if (op != forall && isa<LoopLikeOpInterface>(op) && !isGroupLoop)
      return true;
    for (Operation *next = op->getNextNode(); next; next = next->getNextNode())
      if (!isMemoryEffectFree(next))
        return true;
  }
  return false;
}

void KernelLowering::inlineThreads(scf::ForallOp forall, Value thread) {
  Location loc = forall.getLoc();
  int64_t count = *getConstantIntValue(forall.getMixedUpperBound()[0]);
  builder.setInsertionPoint(forall);
  forall.getInductionVar(0).replaceAllUsesWith(thread);
  Block *body = forall.getBody();
  Block *into = forall->getBlock();
  Block::iterator before(forall);
  if (count < threads) {
    Emitter e(builder, loc);
    auto guard = builder.create<scf::IfOp>(loc, e.less(thread, e.index(count)), false);
    into = guard.thenBlock();
    before = into->getTerminator()->getIterator();
  }
  into->getOperations().splice(before, body->getOperations(), body->begin(),
                               std::prev(body->end()));
  if (needsBarrier(forall)) {
    builder.setInsertionPoint(forall);
    builder.create<NVVM::Barrier0Op>(loc);
  }
  forall.erase();
}

/// A variable for memory that threads share.
LLVM::GlobalOp KernelLowering::makeShared(int64_t bytes) {
  OpBuilder top = OpBuilder::atBlockBegin(device.getBody());
  std::string name;
  int number = 0;
  do
    name = (kernel.getName() + ".shared" + Twine(number++)).str();
  while (device.lookupSymbol(name));
  return top.create<LLVM::GlobalOp>(kernel.getLoc(),
                                    LLVM::LLVMArrayType::get(top.getI8Type(), bytes),
                                    /*isConstant=*/false, LLVM::Linkage::Internal, name,
                                    Attribute(), /*alignment=*/16, kSharedSpace);
}

void KernelLowering::share(memref::AllocOp alloc, LLVM::GlobalOp global) {
  MemRefType type = alloc.getType();
  Location loc = alloc.getLoc();
  builder.setInsertionPoint(alloc);
  Value shared = builder.create<LLVM::AddressOfOp>(loc, global);
  Value pointer = builder.create<LLVM::AddrSpaceCastOp>(
      loc, LLVM::LLVMPointerType::get(builder.getContext()), shared);
  DescriptorBuilder descriptors(builder, loc);
  alloc.replaceAllUsesWith(descriptors.memref(type, pointer, SmallVector<Value>(type.getRank())));
  alloc.erase();
}

/// What threads share becomes variables; their bytes. A block does a group of one grid, so that
/// grids use the same ones: a variable for the largest memory of each, one for the next, ….
int64_t KernelLowering::shareAll(ArrayRef<memref::AllocOp> allocs) {
  auto bytesOfOne = [](memref::AllocOp alloc) {
    return std::max<int64_t>(1, bytesOf(alloc.getType()));
  };
  llvm::MapVector<Operation *, SmallVector<memref::AllocOp>> byGrid;
  for (memref::AllocOp alloc : allocs)
    byGrid[gridOf(alloc)].push_back(alloc);
  SmallVector<int64_t> sizes;
  int64_t bytes = 0;
  for (auto &[grid, own] : byGrid) {
    llvm::sort(own,
               [&](memref::AllocOp a, memref::AllocOp b) { return bytesOfOne(a) > bytesOfOne(b); });
    if (grid && sizes.size() < own.size())
      sizes.resize(own.size());
    for (auto [i, alloc] : llvm::enumerate(own))
      grid ? sizes[i] = std::max(sizes[i], bytesOfOne(alloc)) : bytes += bytesOfOne(alloc);
  }
  SmallVector<LLVM::GlobalOp> globals;
  for (int64_t size : sizes) {
    globals.push_back(makeShared(size));
    bytes += size;
  }
  for (auto &[grid, own] : byGrid)
    for (auto [i, alloc] : llvm::enumerate(own))
      share(alloc, grid ? globals[i] : makeShared(bytesOfOne(alloc)));
  return bytes;
}

/// Of memory with a row per thread, each thread has its own row only.
LogicalResult KernelLowering::keepOwnRow(memref::AllocaOp memory, Value thread) {
  builder.setInsertionPointAfterValue(thread);
  Value own = builder.create<memref::AllocaOp>(
      memory.getLoc(),
      MemRefType::get(memory.getType().getShape().drop_front(), memory.getType().getElementType()),
      builder.getI64IntegerAttr(16));
  for (OpOperand &use : llvm::make_early_inc_range(memory->getUses())) {
    Operation *user = use.getOwner();
    if (!isa<memref::LoadOp, memref::StoreOp, vector::LoadOp, vector::StoreOp>(user) ||
        user->getOperand(use.getOperandNumber() + 1) != thread)
      return user->emitError() << "memory of threads must be used by the thread's own row";
    unsigned position = use.getOperandNumber();
    use.set(own);
    user->eraseOperand(position + 1);
  }
  memory.erase();
  return success();
}

/// 2^x of each lane by the instruction, which is off by two units in the last place at most.
/// As exp everywhere, it gives 0 for what would be smaller than a normal number.
void KernelLowering::lowerExp2(math::Exp2Op op) {
  builder.setInsertionPoint(op);
  Location loc = op.getLoc();
  auto power = [&](Value x) -> Value {
    return builder
        .create<LLVM::CallIntrinsicOp>(loc, TypeRange{x.getType()},
                                       builder.getStringAttr("llvm.nvvm.ex2.approx.ftz.f"),
                                       ValueRange{x})
        .getResult(0);
  };
  Value result = op.getOperand();
  auto type = dyn_cast<VectorType>(op.getType());
  if (!type) {
    result = power(result);
  } else {
    for (int64_t lane = 0; lane < type.getNumElements(); ++lane) {
      SmallVector<int64_t> place = delinearize(lane, computeStrides(type.getShape()));
      Value x = builder.create<vector::ExtractOp>(loc, op.getOperand(), place);
      result = builder.create<vector::InsertOp>(loc, power(x), result, place);
    }
  }
  op.replaceAllUsesWith(result);
  op.erase();
}

/// Uses instructions of a GPU that the conversions for any target do not.
void KernelLowering::lowerMath(Operation *op) {
  if (auto power = dyn_cast<math::Exp2Op>(op))
    return lowerExp2(power);
  // One instruction each: else comparisons and choices, for the sake of NaN.
  auto vector = dyn_cast<VectorType>(op->getResult(0).getType());
  if (!getElementTypeOrSelf(op->getResult(0)).isF32() || (vector && vector.getRank() != 1))
    return;
  builder.setInsertionPoint(op);
  Value a = op->getOperand(0), b = op->getOperand(1), result;
  if (isa<arith::MaximumFOp>(op))
    result = builder.create<LLVM::MaximumOp>(op->getLoc(), a, b);
  else
    result = builder.create<LLVM::MinimumOp>(op->getLoc(), a, b);
  op->replaceAllUsesWith(ValueRange{result});
  op->erase();
}

/// Whether a memref is a part of an operand that begins where chunks may.
bool KernelLowering::isAligned(Value memref) {
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  auto argument = dyn_cast<BlockArgument>(memref);
  auto aligned = kernel->getAttrOfType<DenseBoolArrayAttr>(alignedAttrName);
  return argument && argument.getOwner() == &kernel.front() && aligned &&
         argument.getArgNumber() < aligned.size() && aligned[argument.getArgNumber()];
}

/// Pointers and extents in place of memrefs, and no result.
LogicalResult KernelLowering::setParameters() {
  Location loc = kernel.getLoc();
  Block &block = kernel.front();
  unsigned count = block.getNumArguments() - 2;
  builder.setInsertionPointToStart(&block);
  DescriptorBuilder descriptors(builder, loc);
  SmallVector<Value> memrefs(block.getArguments().begin(), block.getArguments().begin() + count);
  SmallVector<Type> types;
  for (unsigned i = 0; i < count; ++i)
    types.push_back(descriptors.pointerType());
  int64_t extents = 0;
  for (Value memref : memrefs)
    extents += cast<MemRefType>(memref.getType()).getRank();
  types.append(extents, descriptors.integerType());
  if (static_cast<int64_t>(types.size()) * 8 > kMostParameterBytes)
    return kernel.emitError() << "not supported yet on a GPU: kernel '" << kernel.getName()
                              << "' takes " << types.size() << " pointers and extents, more than "
                              << kMostParameterBytes / 8;
  SmallVector<BlockArgument> parameters;
  for (Type type : types)
    parameters.push_back(block.addArgument(type, loc));
  unsigned next = count;
  for (auto [i, memref] : llvm::enumerate(memrefs)) {
    auto type = cast<MemRefType>(memref.getType());
    SmallVector<Value> sizes;
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      sizes.push_back(parameters[next++]);
    memref.replaceAllUsesWith(descriptors.memref(type, parameters[i], sizes));
  }
  // Each block does the group of its number.
  Value begin = readIndex<NVVM::BlockIdXOp>(builder, loc);
  Value one = builder.create<arith::ConstantIndexOp>(loc, 1);
  block.getArgument(count).replaceAllUsesWith(begin);
  block.getArgument(count + 1).replaceAllUsesWith(builder.create<arith::AddIOp>(loc, begin, one));
  block.eraseArguments(0, count + 2);
  block.getTerminator()->setOperands({});
  kernel.setFunctionType(builder.getFunctionType(types, {}));
  kernel.setAllArgAttrs(ArrayAttr::get(
      builder.getContext(), SmallVector<Attribute>(types.size(), builder.getDictionaryAttr({}))));
  // Operands never overlap.
  auto aligned = kernel->getAttrOfType<DenseBoolArrayAttr>(alignedAttrName);
  for (unsigned i = 0; i < count; ++i) {
    kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(), builder.getUnitAttr());
    if (aligned && i < aligned.size() && aligned[i])
      kernel.setArgAttr(i, LLVM::LLVMDialect::getAlignAttrName(),
                        builder.getI64IntegerAttr(kDeviceAlignment));
  }
  return success();
}

LogicalResult KernelLowering::run() {
  SmallVector<scf::ForallOp> foralls;
  SmallVector<memref::AllocOp> shared;
  SmallVector<memref::AllocaOp> rows, own;
  SmallVector<Operation *> functions;
  kernel.walk([&](Operation *op) {
    if (isa<math::Exp2Op, arith::MaximumFOp, arith::MinimumFOp>(op)) {
      functions.push_back(op);
    } else if (auto forall = dyn_cast<scf::ForallOp>(op)) {
      foralls.push_back(forall);
      threads = std::max(threads, *getConstantIntValue(forall.getMixedUpperBound()[0]));
    } else if (auto alloc = dyn_cast<memref::AllocOp>(op)) {
      shared.push_back(alloc);
    } else if (auto alloca = dyn_cast<memref::AllocaOp>(op)) {
      (alloca->getParentOfType<scf::ForallOp>() ? own : rows).push_back(alloca);
    }
  });
  kernel.walk([&](CopyChunkOp copy) {
    if (!isAligned(copy.getFrom()))
      copyAtOnce(copy);
  });
  builder.setInsertionPointToStart(&kernel.front());
  Value thread = readIndex<NVVM::ThreadIdXOp>(builder, kernel.getLoc());
  for (scf::ForallOp forall : foralls)
    inlineThreads(forall, thread);
  for (memref::AllocaOp memory : own)
    memory->moveAfter(thread.getDefiningOp());
  for (memref::AllocaOp memory : rows)
    if (failed(keepOwnRow(memory, thread)))
      return failure();
  int64_t bytes = shareAll(shared);
  for (Operation *function : functions)
    lowerMath(function);
  kernel->setAttr(threadsAttrName, builder.getI64IntegerAttr(threads));
  kernel->setAttr(sharedAttrName, builder.getI64IntegerAttr(bytes));
  return setParameters();
}

namespace {
struct LowerThreads : aft::impl::LowerThreadsBase<LowerThreads> {
  void runOnOperation() override {
    for (auto kernel : llvm::to_vector(getOperation().getOps<func::FuncOp>()))
      if (kernel->hasAttr(kernelAttrName) && failed(KernelLowering(kernel, getOperation()).run()))
        return signalPassFailure();
  }
};
} // namespace
