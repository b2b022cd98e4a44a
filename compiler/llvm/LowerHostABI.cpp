//===- LowerHostABI.cpp - The calling convention of entries and plans -----===//

#include "compiler/kernels/Interface.h"
#include "compiler/llvm/Descriptors.h"
#include "compiler/llvm/LaunchTable.h"
#include "compiler/llvm/Passes.h"
#include "compiler/llvm/Symbols.h"
#include "dialect/ir/AFT.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace aft {
#define GEN_PASS_DEF_LOWERHOSTABI
#include "compiler/llvm/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// Replaces the extents that are asked of an argument.
static void loadExtents(Value memref, llvm::function_ref<Value(int64_t)> load) {
  llvm::SmallDenseMap<int64_t, Value> loaded;
  for (Operation *user : llvm::make_early_inc_range(memref.getUsers())) {
    auto dim = dyn_cast<memref::DimOp>(user);
    std::optional<int64_t> position = dim ? dim.getConstantIndex() : std::nullopt;
    if (!position)
      continue;
    Value &extent = loaded[*position];
    if (!extent) {
      Value integer = load(*position);
      OpBuilder builder(integer.getContext());
      builder.setInsertionPointAfterValue(integer);
      extent = builder.create<arith::IndexCastOp>(dim.getLoc(), builder.getIndexType(), integer);
    }
    dim.replaceAllUsesWith(extent);
    dim.erase();
  }
}

/// Replaces the arguments by (buffers, dims, arena, runtime).
static LogicalResult lowerEntry(func::FuncOp entry) {
  Block &block = entry.front();
  unsigned count = block.getNumArguments();
  for (Type type : block.getArgumentTypes())
    if (!isa<MemRefType>(type))
      return entry.emitError() << "entry '" << functionOf(entry.getName())
                               << "' must take memrefs only, found " << type;
  if (count == 0 || entry.getNumResults() != 0)
    return entry.emitError() << "entry '" << functionOf(entry.getName())
                             << "' must take its arena last and return nothing";
  Location loc = entry.getLoc();
  OpBuilder builder = OpBuilder::atBlockBegin(&block);
  DescriptorBuilder descriptors(builder, loc);
  Type pointer = descriptors.pointerType();
  SmallVector<BlockArgument> memrefs(block.getArguments());
  BlockArgument abi[4];
  for (unsigned i = 0; i < 4; ++i)
    abi[i] = block.insertArgument(i, pointer, loc);
  if (failed(LaunchTable(entry).lower()))
    return failure();
  // What is left are views that only launches used, and extents.
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block)))
    if (isOpTriviallyDead(&op))
      op.erase();
  builder.setInsertionPointToStart(&block);
  int64_t position = 0;
  for (unsigned i = 0; i + 1 < count; ++i) {
    auto type = cast<MemRefType>(memrefs[i].getType());
    int64_t first = position;
    position += type.getRank();
    loadExtents(memrefs[i], [&](int64_t dim) {
      return descriptors.loadInteger(abi[1], first + dim);
    });
    if (memrefs[i].use_empty())
      continue;
    SmallVector<Value> extents(type.getRank());
    for (int64_t dim = 0; dim < type.getRank(); ++dim)
      if (type.isDynamicDim(dim))
        extents[dim] = descriptors.loadInteger(abi[1], first + dim);
    memrefs[i].replaceAllUsesWith(
        descriptors.memref(type, descriptors.loadPointer(abi[0], i), extents));
  }
  // Nothing looks at the arena's extent.
  if (!memrefs.back().use_empty())
    memrefs.back().replaceAllUsesWith(
        descriptors.memref(cast<MemRefType>(memrefs.back().getType()), abi[2],
                           {descriptors.constant(std::numeric_limits<int64_t>::max())}));
  block.eraseArguments(4, count);
  entry.setFunctionType(builder.getFunctionType(block.getArgumentTypes(), {}));
  entry.setAllArgAttrs(ArrayAttr::get(
      entry.getContext(), SmallVector<Attribute>(4, builder.getDictionaryAttr({}))));
  return success();
}

/// Copies the constants that a plan stores to `memref` from one array: most extents
/// of a model's outputs are those of its parameters.
static void storeConstants(func::FuncOp plan, Value memref, Value array) {
  SmallVector<int64_t> values;
  SmallVector<memref::StoreOp> stores;
  llvm::SmallDenseSet<int64_t> seen;
  for (Operation *user : memref.getUsers()) {
    auto store = dyn_cast<memref::StoreOp>(user);
    if (!store || store.getMemRef() != memref || store->getBlock() != &plan.front())
      return;
    std::optional<int64_t> index = getConstantIntValue(store.getIndices()[0]);
    if (!index || *index < 0 || !seen.insert(*index).second)
      return;
    values.resize(std::max<size_t>(values.size(), *index + 1));
    if (std::optional<int64_t> value = getConstantIntValue(store.getValue())) {
      values[*index] = *value;
      stores.push_back(store);
    }
  }
  if (stores.empty())
    return;
  Location loc = plan.getLoc();
  auto module = plan->getParentOfType<ModuleOp>();
  OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
  auto global = top.create<LLVM::GlobalOp>(
      loc, LLVM::LLVMArrayType::get(top.getI64Type(), values.size()), /*isConstant=*/true,
      LLVM::Linkage::Internal, (plan.getName() + ".extents").str(), top.getI64TensorAttr(values));
  OpBuilder builder = OpBuilder::atBlockBegin(&plan.front());
  Value bytes = DescriptorBuilder(builder, loc).constant(8 * values.size());
  Value from = builder.create<LLVM::AddressOfOp>(loc, global);
  builder.create<LLVM::MemcpyOp>(loc, array, from, bytes, /*isVolatile=*/false);
  for (memref::StoreOp store : stores)
    store.erase();
}

/// Replaces a plan's memrefs by pointers.
static LogicalResult lowerPlan(func::FuncOp plan) {
  Block &block = plan.front();
  unsigned count = block.getNumArguments();
  if (count != 3 || plan.getNumResults() != 1 || !plan.getResultTypes()[0].isIndex())
    return plan.emitError() << "plan '" << functionOf(plan.getName())
                            << "' must take (dims, output dims, bytes) and return an index";
  Location loc = plan.getLoc();
  OpBuilder builder = OpBuilder::atBlockBegin(&block);
  DescriptorBuilder descriptors(builder, loc);
  SmallVector<Value> memrefs(block.getArguments().begin(), block.getArguments().end());
  for (unsigned i = 0; i < count; ++i) {
    BlockArgument argument = block.insertArgument(i, descriptors.pointerType(), loc);
    if (i == 1)
      storeConstants(plan, memrefs[i], argument);
    memrefs[i].replaceAllUsesWith(
        descriptors.memref(cast<MemRefType>(memrefs[i].getType()), argument,
                           {descriptors.constant(std::numeric_limits<int64_t>::max())}));
  }
  block.eraseArguments(count, count);
  plan.setFunctionType(builder.getFunctionType(block.getArgumentTypes(), plan.getResultTypes()));
  return success();
}

/// Straight-line code that runs once per call is not worth optimising: the code
/// generator takes more than linear time for long blocks.
static void compileQuickly(func::FuncOp function) {
  OpBuilder builder(function.getContext());
  function->setAttr("passthrough", builder.getStrArrayAttr({"noinline", "optnone"}));
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
      else
        continue;
      compileQuickly(function);
      if (failed(result))
        return signalPassFailure();
    }
  }
};
} // namespace
