//===- Threads.cpp - What kernels for blocks of threads are made of -------===//

#include "compiler/vector/gpu/Threads.h"

#include "compiler/nvvm/Device.h"
#include "compiler/tile/TileSizes.h"
#include "compiler/vector/gpu/GpuOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/Interfaces/ValueBoundsOpInterface.h"
#include "llvm/ADT/MapVector.h"

using namespace mlir;
using namespace aft;

int64_t aft::bytesOf(MemRefType type) {
  unsigned bits = type.getElementType().isIndex() ? 64 : type.getElementTypeBitWidth();
  return type.getNumElements() * ((bits + 7) / 8);
}

bool aft::isThreadForall(scf::ForallOp forall) {
  std::optional<ArrayAttr> mapping = forall.getMapping();
  return mapping && !mapping->empty() && isa<gpu::GPUThreadMappingAttr>((*mapping)[0]);
}

/// x, y and z, or numbers where a grid has more dimensions.
static ArrayAttr blockMapping(MLIRContext *context, int64_t rank) {
  SmallVector<Attribute> mapping;
  auto first = rank <= 3 ? gpu::MappingId::DimX : gpu::MappingId::LinearDim0;
  for (int64_t dim = rank - 1; dim >= 0; --dim)
    mapping.push_back(gpu::GPUBlockMappingAttr::get(
        context, static_cast<gpu::MappingId>(static_cast<int64_t>(first) + dim)));
  return ArrayAttr::get(context, mapping);
}

static void emitForall(Emitter &e, ArrayRef<OpFoldResult> extents, ArrayAttr mapping,
                       llvm::function_ref<void(ArrayRef<Value>)> body) {
  auto forall = e.builder.create<scf::ForallOp>(e.loc, extents, ValueRange{}, mapping);
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPoint(forall.getTerminator());
  body(SmallVector<Value>(forall.getInductionVars()));
}

void aft::forEachBlock(Emitter &e, ArrayRef<Value> extents,
                       llvm::function_ref<void(ArrayRef<Value>)> body) {
  SmallVector<OpFoldResult> bounds;
  for (Value extent : extents)
    bounds.push_back(getAsOpFoldResult(extent));
  emitForall(e, bounds, blockMapping(e.builder.getContext(), extents.size()), body);
}

void aft::forEachThread(Emitter &e, int64_t count, llvm::function_ref<void(Value)> body) {
  MLIRContext *context = e.builder.getContext();
  auto mapping =
      ArrayAttr::get(context, {gpu::GPUThreadMappingAttr::get(context, gpu::MappingId::DimX)});
  emitForall(e, {e.builder.getIndexAttr(std::max(count, kWarpThreads))}, mapping,
             [&](ArrayRef<Value> indices) {
               if (count >= kWarpThreads)
                 return body(indices[0]);
               e.when(e.less(indices[0], e.index(count)), [&] { body(indices[0]); });
             });
}

void aft::shareOut(Emitter &e, Value thread, int64_t threads, Value count,
                   llvm::function_ref<void(Value)> body) {
  std::optional<int64_t> known = getConstantIntValue(count);
  if (known && *known <= threads)
    return e.when(e.less(thread, count), [&] { body(thread); });
  e.loop(thread, count, e.index(threads), body);
}

Emitter::Values aft::inBatches(
    Emitter &e, int64_t atOnce, Value first, Value end, Value step, ValueRange carried,
    llvm::function_ref<Emitter::Values(ArrayRef<Value>, ArrayRef<Value>, ValueRange)> body) {
  return e.loop(first, end, e.mul(step, atOnce), carried, [&](Value number, ValueRange carried) {
    SmallVector<Value> numbers, exist;
    for (int64_t i = 0; i < atOnce; ++i) {
      Value next = e.add(number, e.mul(step, i));
      exist.push_back(e.less(next, end));
      numbers.push_back(e.select(exist.back(), next, number));
    }
    return body(numbers, exist, carried);
  });
}

void aft::forEachTrue(Emitter &e, ValueRange conditions, llvm::function_ref<void(Value)> body) {
  OpBuilder &builder = e.builder;
  Type i32 = builder.getI32Type();
  Value bits = builder.create<arith::ConstantIntOp>(e.loc, 0, i32);
  for (auto [i, condition] : llvm::enumerate(conditions)) {
    Value bit = builder.create<arith::ConstantIntOp>(e.loc, int64_t(1) << i, i32);
    bits = e.select(condition, builder.create<arith::OrIOp>(e.loc, bits, bit), bits);
  }
  e.loop(e.index(0), e.index(conditions.size()), e.index(1), [&](Value i) {
    Value shift = builder.create<arith::IndexCastOp>(e.loc, i32, i);
    Value bit = builder.create<arith::TruncIOp>(e.loc, builder.getI1Type(),
                                                builder.create<arith::ShRUIOp>(e.loc, bits, shift));
    e.when(bit, [&] { body(i); });
  });
}

Value aft::reduceInWarp(Emitter &e, vector::CombiningKind kind, Value value, int64_t lanes,
                        int64_t stride) {
  if (lanes == 1)
    return value;
  // Threads hand each other 32 bits at least; what they sum is rounded once.
  Value wide = e.convert(value, computeType(value.getType()));
  return e.convert(e.builder.create<WarpReduceOp>(e.loc, kind, wide, lanes, stride),
                   value.getType());
}

static func::FuncOp kernelOf(Emitter &e) {
  Operation *parent = e.builder.getInsertionBlock()->getParentOp();
  auto kernel = dyn_cast<func::FuncOp>(parent);
  return kernel ? kernel : parent->getParentOfType<func::FuncOp>();
}

Operation *aft::gridOf(memref::AllocOp memory) {
  Block *block = memory->getBlock();
  Operation *grid = nullptr;
  for (Operation *user : memory->getUsers()) {
    Operation *top = block->findAncestorOpInBlock(*user);
    if (!isa_and_nonnull<scf::ForallOp, scf::ForOp>(top) || (grid && grid != top))
      return nullptr;
    grid = top;
  }
  return grid;
}

int64_t aft::sharedBytes(Block &kernel, ArrayRef<int64_t> oneMore) {
  llvm::MapVector<Operation *, SmallVector<int64_t>> byGrid;
  SmallVector<int64_t> next(oneMore);
  kernel.walk([&](memref::AllocOp memory) {
    SmallVector<int64_t> &sizes = memory->use_empty() ? next : byGrid[gridOf(memory)];
    sizes.push_back(bytesOf(memory.getType()));
  });
  int64_t bytes = 0;
  for (int64_t one : byGrid[nullptr])
    bytes += one;
  byGrid[nullptr] = next;
  SmallVector<int64_t> most;
  for (auto &[grid, sizes] : byGrid) {
    llvm::sort(sizes, std::greater<int64_t>());
    most.resize(std::max(most.size(), sizes.size()));
    for (auto [all, own] : llvm::zip(most, sizes))
      all = std::max(all, own);
  }
  for (int64_t one : most)
    bytes += one;
  return bytes;
}

bool aft::fitBesideGrids(Emitter &e, ArrayRef<int64_t> bytes) {
  return sharedBytes(kernelOf(e).front(), bytes) <= kSharedBytes;
}

void aft::setResidentBlocks(Emitter &e, int64_t blocks) {
  func::FuncOp kernel = kernelOf(e);
  if (auto other = kernel->getAttrOfType<IntegerAttr>(residentAttrName))
    blocks = std::min(blocks, other.getInt());
  kernel->setAttr(residentAttrName, e.builder.getI64IntegerAttr(blocks));
}

/// In front of everything else in the kernel.
template <typename OpT> static Value allocate(Emitter &e, ArrayRef<int64_t> shape, Type element) {
  OpBuilder::InsertionGuard guard(e.builder);
  e.builder.setInsertionPointToStart(&kernelOf(e).front());
  return e.builder.create<OpT>(e.loc, MemRefType::get(shape, element));
}

Value aft::sharedMemory(Emitter &e, ArrayRef<int64_t> shape, Type element) {
  return allocate<memref::AllocOp>(e, shape, element);
}

Value aft::threadMemory(Emitter &e, int64_t threads, ArrayRef<int64_t> shape, Type element) {
  SmallVector<int64_t> all = {threads};
  llvm::append_range(all, shape);
  return allocate<memref::AllocaOp>(e, all, element);
}

SmallVector<Value> aft::delinearize(Emitter &e, Value number, ArrayRef<Value> extents) {
  SmallVector<Value> indices(extents.size());
  for (int64_t dim = static_cast<int64_t>(extents.size()) - 1; dim >= 0; --dim) {
    if (dim == 0) {
      indices[dim] = number;
      break;
    }
    indices[dim] = e.rest(number, extents[dim]);
    number = e.builder.createOrFold<arith::DivUIOp>(e.loc, number, extents[dim]);
  }
  return indices;
}

Value aft::productOf(Emitter &e, ArrayRef<Value> extents) {
  Value product = e.index(1);
  for (Value extent : extents)
    product = e.mul(product, extent);
  return product;
}

std::optional<int64_t> aft::mostOf(Value extent) {
  FailureOr<int64_t> bound = ValueBoundsConstraintSet::computeConstantBound(
      presburger::BoundType::UB, extent, nullptr, /*closedUB=*/true);
  return failed(bound) ? std::nullopt : std::optional(*bound);
}

void aft::mapGrids(func::FuncOp kernel) {
  for (auto grid : kernel.front().getOps<scf::ForallOp>())
    if (!grid.getMapping())
      grid.setMappingAttr(blockMapping(kernel.getContext(), grid.getRank()));
}

/// The grid as one of blocks whose threads take a group each.
static void spread(scf::ForallOp grid, ArrayRef<memref::AllocaOp> scratch) {
  constexpr int64_t threads = 128;
  OpBuilder builder(grid);
  Emitter e(builder, grid.getLoc());
  SmallVector<Value> extents;
  for (OpFoldResult bound : grid.getMixedUpperBound())
    extents.push_back(getValueOrCreateConstantIndexOp(builder, e.loc, bound));
  Value count = productOf(e, extents);
  forEachBlock(e, {e.ceilDiv(count, threads)}, [&](ArrayRef<Value> block) {
    forEachThread(e, threads, [&](Value thread) {
      Value group = e.add(e.mul(block[0], threads), thread);
      e.when(e.less(group, count), [&] {
        IRMapping map;
        map.map(grid.getInductionVars(), delinearize(e, group, extents));
        for (memref::AllocaOp memory : scratch)
          e.builder.clone(*memory, map);
        for (Operation &inner : grid.getBody()->without_terminator())
          if (!isa<memref::PrefetchOp>(inner))
            e.builder.clone(inner, map);
      });
    });
  });
  grid.erase();
}

void aft::groupsToThreads(func::FuncOp kernel) {
  for (auto grid : llvm::to_vector(kernel.front().getOps<scf::ForallOp>())) {
    bool forThreads = false;
    grid.walk([&](scf::ForallOp inner) { forThreads |= isThreadForall(inner); });
    if (forThreads || grid.getMapping())
      continue;
    SmallVector<memref::AllocaOp> scratch;
    for (auto memory : kernel.front().getOps<memref::AllocaOp>())
      if (llvm::any_of(memory->getUsers(), [&](Operation *user) { return grid->isAncestor(user); }))
        scratch.push_back(memory);
    spread(grid, scratch);
  }
  kernel.walk([](memref::PrefetchOp prefetch) { prefetch.erase(); });
  for (auto memory : llvm::make_early_inc_range(kernel.front().getOps<memref::AllocaOp>()))
    if (memory->use_empty())
      memory->erase();
}
