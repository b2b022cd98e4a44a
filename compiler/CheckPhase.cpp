//===- CheckPhase.cpp - Whether a module has the form a phase promises ----===//

#include "compiler/CheckPhase.h"

#include "compiler/Passes.h"
#include "compiler/Pipeline.h"
#include "compiler/kernels/Interface.h"
#include "compiler/tile/TileSizes.h"
#include "compiler/vector/gpu/GpuOps.h"
#include "compiler/vector/gpu/Threads.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/STLExtras.h"

namespace aft {
#define GEN_PASS_DEF_CHECKPHASE
#include "compiler/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// What a kernel may take of the stack of a thread that launches it.
static constexpr int64_t kStackBytes = 4 << 20;
/// What each thread of a block may keep beside registers.
static constexpr int64_t kThreadBytes = 1 << 10;
/// More than a machine has addresses for; sums of so many bytes do not wrap around.
static constexpr int64_t kMostBytes = int64_t(1) << 48;

namespace {

enum class Role { Program, Kernel, Entry, Plan };

/// Checks one function. Every check reports what it found.
class FunctionCheck {
public:
  FunctionCheck(func::FuncOp function, Phase phase, Role role, bool threadBlocks)
      : function(function), phase(phase), role(role), threadBlocks(threadBlocks) {}
  LogicalResult run();

private:
  LogicalResult allowOnly(ArrayRef<StringRef> dialects);
  LogicalResult checkKernelType();
  LogicalResult checkEntry();
  LogicalResult checkMemory();
  LogicalResult checkBlocks();
  LogicalResult checkBlockMemory();
  LogicalResult checkWarps();
  InFlightDiagnostic leftOver(Operation *op) {
    return op->emitError() << "not supported yet: phase '" << aft::phaseName(phase) << "' left '"
                           << op->getName() << "' in @" << function.getName();
  }

  func::FuncOp function;
  Phase phase;
  Role role;
  bool threadBlocks;
};

} // namespace

static Role roleOf(func::FuncOp function) {
  if (function->hasAttr(kernelAttrName))
    return Role::Kernel;
  if (function->hasAttr(entryAttrName))
    return Role::Entry;
  return function->hasAttr(planAttrName) ? Role::Plan : Role::Program;
}

LogicalResult FunctionCheck::allowOnly(ArrayRef<StringRef> dialects) {
  WalkResult result = function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    if (op == function || llvm::is_contained(dialects, op->getName().getDialectNamespace()))
      return WalkResult::advance();
    leftOver(op);
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult FunctionCheck::checkKernelType() {
  FunctionType type = function.getFunctionType();
  unsigned count = type.getNumInputs();
  bool good = count >= 2 && type.getNumResults() == 1 && type.getResult(0).isIndex() &&
              type.getInput(count - 1).isIndex() && type.getInput(count - 2).isIndex() &&
              llvm::all_of(type.getInputs().drop_back(2),
                           [](Type input) { return isa<MemRefType>(input); });
  if (good)
    return success();
  return function.emitError() << "kernel @" << function.getName()
                              << " must have type (memrefs..., index, index) -> index after phase '"
                              << aft::phaseName(phase) << "', found " << type;
}

LogicalResult FunctionCheck::checkEntry() {
  for (Type input : function.getArgumentTypes())
    if (!isa<MemRefType>(input))
      return function.emitError() << "entry @" << function.getName()
                                  << " must take memrefs only, found " << input;
  if (!planOf(function))
    return function.emitError() << "entry @" << function.getName() << " has no plan @"
                                << function.getName() << planSuffix;
  if (failed(readInterface(function)))
    return failure();
  return allowOnly({"aft", "arith", "affine", "func", "memref", "scf"});
}

LogicalResult FunctionCheck::checkMemory() {
  int64_t stack = 0;
  WalkResult result = function.walk([&](Operation *op) {
    if (isa<memref::AllocOp>(op)) {
      leftOver(op) << ": kernels must not allocate";
      return WalkResult::interrupt();
    }
    auto local = dyn_cast<memref::AllocaOp>(op);
    if (!local)
      return WalkResult::advance();
    MemRefType type = local.getType();
    if (!type.hasStaticShape()) {
      leftOver(op) << " of a size known only at run time";
      return WalkResult::interrupt();
    }
    unsigned bits = type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth();
    stack += type.getNumElements() * ((bits + 7) / 8);
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  if (stack > kStackBytes)
    return function.emitError() << "not supported yet: kernel @" << function.getName() << " takes "
                                << stack << " bytes of stack, more than " << kStackBytes;
  return success();
}

/// The limits of a block of threads.
LogicalResult FunctionCheck::checkBlockMemory() {
  int64_t own = 0;
  WalkResult result = function.walk([&](Operation *op) {
    if (!isa<memref::AllocOp, memref::AllocaOp>(op))
      return WalkResult::advance();
    auto type = cast<MemRefType>(op->getResult(0).getType());
    if (!type.hasStaticShape()) {
      leftOver(op) << " of a size known only at run time";
      return WalkResult::interrupt();
    }
    bool perThread = !op->getParentOfType<scf::ForallOp>();
    if (isa<memref::AllocaOp>(op))
      own += bytesOf(type) / (perThread ? type.getDimSize(0) : 1);
    return WalkResult::advance();
  });
  if (result.wasInterrupted())
    return failure();
  auto tooMuch = [&](StringRef what, int64_t bytes, int64_t most) {
    return function.emitError() << "not supported yet on a GPU: kernel @" << function.getName()
                                << " takes " << bytes << " bytes of memory " << what
                                << ", more than " << most;
  };
  if (int64_t shared = sharedBytes(function.front()); shared > kSharedBytes)
    return tooMuch("that a block of threads shares", shared, kSharedBytes);
  if (own > kThreadBytes)
    return tooMuch("for each thread", own, kThreadBytes);
  return success();
}

/// Threads take numbers of each other only where all of a warp arrive.
LogicalResult FunctionCheck::checkWarps() {
  WalkResult result = function.walk([&](WarpReduceOp op) {
    if (op.isReachedByWarps())
      return WalkResult::advance();
    leftOver(op) << " where not all threads of a warp arrive";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

/// A kernel for blocks of threads: memory is written by threads only.
LogicalResult FunctionCheck::checkBlocks() {
  FunctionType type = function.getFunctionType();
  if (type.getNumResults() != 0 || !llvm::all_of(type.getInputs(), llvm::IsaPred<MemRefType>))
    return function.emitError() << "kernel @" << function.getName()
                                << " must have type (memrefs...) -> () after phase '"
                                << aft::phaseName(phase) << "' for a GPU, found " << type;
  WalkResult result = function.walk([&](Operation *op) {
    if (!isa<memref::StoreOp, vector::StoreOp, CopyChunkOp, WarpProductOp>(op))
      return WalkResult::advance();
    for (Operation *parent = op; (parent = parent->getParentOfType<scf::ForallOp>());)
      if (isThreadForall(cast<scf::ForallOp>(parent)))
        return WalkResult::advance();
    leftOver(op) << " outside of all threads";
    return WalkResult::interrupt();
  });
  if (result.wasInterrupted() || failed(checkBlockMemory()) || failed(checkWarps()))
    return failure();
  return allowOnly({"aft_gpu", "affine", "arith", "func", "math", "memref", "scf", "ub", "vector"});
}

LogicalResult FunctionCheck::run() {
  if (role == Role::Program) {
    if (phase == Phase::Graph)
      return allowOnly({"aft", "arith", "func", "linalg", "math", "tensor", "affine"});
    return function.emitError() << "not supported yet: phase '" << aft::phaseName(phase)
                                << "' left function @" << function.getName() << " as it was";
  }
  if (phase == Phase::Graph)
    return success();
  if (role == Role::Entry)
    return checkEntry();
  if (role == Role::Plan)
    return allowOnly({"affine", "arith", "func", "memref", "scf"});
  if (phase != Phase::Vector)
    return success();
  if (threadBlocks)
    return checkBlocks();
  if (failed(checkKernelType()) || failed(checkMemory()))
    return failure();
  return allowOnly({"affine", "arith", "cf", "func", "llvm", "math", "memref", "scf", "ub",
                    "vector", "x86vector", "amx"});
}

/// After the last phase there is only the LLVM dialect, for a GPU with NVVM.
static LogicalResult checkLowered(ModuleOp module, Phase phase) {
  WalkResult result = module.walk<WalkOrder::PreOrder>([&](Operation *op) {
    bool device = phase == Phase::NVVM && isa<ModuleOp>(op);
    device |= phase == Phase::NVVM && isa<NVVM::NVVMDialect>(op->getDialect());
    if (op == module || device || isa<LLVM::LLVMDialect>(op->getDialect()))
      return WalkResult::advance();
    op->emitError() << "not supported yet: phase '" << aft::phaseName(phase) << "' left '"
                    << op->getName() << "'";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

/// Whether what is known of a type's size is more than there can be. What is known only at run
/// time is looked at by plans.
static bool isTooLarge(Type type) {
  auto shaped = dyn_cast<ShapedType>(type);
  if (!shaped || !shaped.hasRank() || llvm::is_contained(shaped.getShape(), 0) ||
      !shaped.getElementType().isIntOrIndexOrFloat())
    return false;
  Type element = shaped.getElementType();
  int64_t bytes = llvm::divideCeil(element.isIndex() ? 64 : element.getIntOrFloatBitWidth(), 8);
  for (int64_t extent : shaped.getShape())
    if (!ShapedType::isDynamic(extent) &&
        (__builtin_mul_overflow(bytes, extent, &bytes) || bytes > kMostBytes))
      return true;
  return false;
}

static LogicalResult checkSizes(func::FuncOp function) {
  WalkResult result = function.walk<WalkOrder::PreOrder>([&](Operation *op) {
    auto refuse = [&](Type type) {
      op->emitError() << "needs more memory than there can be for " << type;
      return WalkResult::interrupt();
    };
    for (Type type : op->getResultTypes())
      if (isTooLarge(type))
        return refuse(type);
    if (op == function)
      for (Type type : function.getArgumentTypes())
        if (isTooLarge(type))
          return refuse(type);
    return WalkResult::advance();
  });
  return failure(result.wasInterrupted());
}

LogicalResult aft::checkPhase(ModuleOp module, Phase phase, bool threadBlocks) {
  if (phase == Phase::LLVM || phase == Phase::NVVM)
    return checkLowered(module, phase);
  if (phase == Phase::Graph || phase == Phase::Kernels)
    for (func::FuncOp function : module.getOps<func::FuncOp>())
      if (failed(checkSizes(function)))
        return failure();
  for (func::FuncOp function : module.getOps<func::FuncOp>())
    if (!function.isExternal() &&
        failed(FunctionCheck(function, phase, roleOf(function), threadBlocks).run()))
      return failure();
  return success();
}

namespace {
struct CheckPhase : aft::impl::CheckPhaseBase<CheckPhase> {
  using CheckPhaseBase::CheckPhaseBase;
  void runOnOperation() override {
    std::optional<Phase> known = phaseNamed(phase);
    if (!known) {
      getOperation().emitError() << "unknown phase '" << phase << "', expected graph, kernels, "
                                 << "tile, vector, llvm or nvvm";
      return signalPassFailure();
    }
    if (failed(checkPhase(getOperation(), *known, threadBlocks)))
      signalPassFailure();
  }
};
} // namespace
