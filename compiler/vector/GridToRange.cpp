//===- GridToRange.cpp - A kernel works on a range of its groups ----------===//

#include "compiler/kernels/Interface.h"
#include "compiler/vector/Emitter.h"
#include "compiler/vector/Passes.h"
#include "compiler/vector/gpu/Threads.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/IRMapping.h"

namespace aft {
#define GEN_PASS_DEF_GRIDTORANGE
#include "compiler/vector/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

static Value product(Emitter &e, ArrayRef<Value> values) {
  Value result = e.index(1);
  for (Value value : values)
    result = e.mul(result, value);
  return result;
}

/// Extents of a grid: ceil((upper - lower) / step) of each dimension.
static SmallVector<Value> extentsOf(Emitter &e, scf::ForallOp forall) {
  SmallVector<Value> extents;
  for (auto [lower, upper, step] :
       llvm::zip_equal(forall.getMixedLowerBound(), forall.getMixedUpperBound(),
                       forall.getMixedStep())) {
    auto value = [&](OpFoldResult bound) {
      return getValueOrCreateConstantIndexOp(e.builder, e.loc, bound);
    };
    Value range = e.max(e.sub(value(upper), value(lower)), e.index(0));
    Value width = value(step);
    Value padded = e.sub(e.add(range, width), e.index(1));
    extents.push_back(e.builder.createOrFold<arith::DivUIOp>(e.loc, padded, width));
  }
  return extents;
}

/// Replaces a grid by the loop over its groups that fall in [begin, end), when
/// `offset` groups of other grids come before.
static void toLoop(scf::ForallOp forall, ArrayRef<Value> extents, Value offset, Value begin,
                   Value end) {
  OpBuilder builder(forall);
  Emitter e(builder, forall.getLoc());
  Value count = product(e, extents);
  Value lower = e.max(e.sub(begin, offset), e.index(0));
  Value upper = e.min(e.sub(end, offset), count);
  e.loop(lower, upper, e.index(1), [&](Value group) {
    IRMapping map;
    Value rest = group;
    for (int64_t dim = static_cast<int64_t>(extents.size()) - 1; dim >= 0; --dim) {
      Value index = rest;
      if (dim > 0) {
        index = e.builder.create<arith::RemUIOp>(e.loc, rest, extents[dim]);
        rest = e.builder.create<arith::DivUIOp>(e.loc, rest, extents[dim]);
      }
      Value lowerBound = getValueOrCreateConstantIndexOp(e.builder, e.loc,
                                                         forall.getMixedLowerBound()[dim]);
      Value step =
          getValueOrCreateConstantIndexOp(e.builder, e.loc, forall.getMixedStep()[dim]);
      map.map(forall.getInductionVar(dim), e.add(lowerBound, e.mul(index, step)));
    }
    for (Operation &inner : forall.getBody()->without_terminator())
      e.builder.clone(inner, map);
  });
  forall.erase();
}

namespace {
struct GridToRange : aft::impl::GridToRangeBase<GridToRange> {
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(kernelAttrName) || kernel.isExternal() || hasRange(kernel))
      return;
    if (kernel.getNumResults() != 0) {
      kernel.emitError() << "kernel '" << kernel.getName()
                         << "' must return nothing before its grid becomes a range";
      return signalPassFailure();
    }
    Block &block = kernel.front();
    auto terminator = cast<func::ReturnOp>(block.getTerminator());
    SmallVector<scf::ForallOp> grids;
    for (auto forall : block.getOps<scf::ForallOp>())
      if (!isThreadForall(forall))
        grids.push_back(forall);
    Type index = IndexType::get(&getContext());
    Location loc = kernel.getLoc();
    Value begin = block.addArgument(index, loc), end = block.addArgument(index, loc);
    if (grids.empty())
      guardWholeKernel(block, begin, end);
    // All extents first: the loops need those of the grids before them.
    OpBuilder builder(terminator);
    SmallVector<SmallVector<Value>> extents;
    Value total;
    for (scf::ForallOp grid : grids) {
      if (grid.getNumResults() != 0) {
        grid.emitError() << "a grid must be on memrefs before it becomes a range";
        return signalPassFailure();
      }
      OpBuilder here(grid);
      Emitter e(here, grid.getLoc());
      extents.push_back(extentsOf(e, grid));
      Value offset = total ? total : e.index(0);
      Value count = product(e, extents.back());
      total = e.add(offset, count);
      toLoop(grid, extents.back(), offset, begin, end);
    }
    if (!total)
      total = builder.create<arith::ConstantIndexOp>(loc, 1);
    terminator.getOperandsMutable().assign(total);
    kernel.setFunctionType(builder.getFunctionType(block.getArgumentTypes(), {index}));
  }

  /// Whether a kernel has its final form (memrefs..., begin, end) -> index.
  static bool hasRange(func::FuncOp kernel) {
    unsigned count = kernel.getNumArguments();
    return kernel.getNumResults() == 1 && kernel.getResultTypes()[0].isIndex() && count >= 2 &&
           kernel.getArgumentTypes()[count - 1].isIndex() &&
           kernel.getArgumentTypes()[count - 2].isIndex();
  }

  /// Without a grid everything is group 0: done when it is asked for.
  static void guardWholeKernel(Block &block, Value begin, Value end) {
    SmallVector<Operation *> body;
    for (Operation &op : block.without_terminator())
      if (!isa<memref::AllocaOp>(op))
        body.push_back(&op);
    OpBuilder builder(block.getTerminator());
    Value wanted = builder.create<arith::CmpIOp>(block.getTerminator()->getLoc(),
                                                 arith::CmpIPredicate::slt, begin, end);
    auto guard = builder.create<scf::IfOp>(block.getTerminator()->getLoc(), wanted,
                                           /*withElseRegion=*/false);
    for (Operation *op : body)
      op->moveBefore(guard.thenBlock()->getTerminator());
  }
};
} // namespace
