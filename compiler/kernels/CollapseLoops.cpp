//===- CollapseLoops.cpp - Batch and time become one loop -----------------===//
// Outside the mixers [B, T, d] is B * T rows: one loop over the rows makes
// generics alike whatever rank their tensors came in, and lets them fuse with
// the matmuls, which are written on rows anyway.

#include "compiler/kernels/Passes.h"
#include "mlir/Dialect/Linalg/Transforms/Transforms.h"

using namespace mlir;

namespace aft {
#define GEN_PASS_DEF_COLLAPSELOOPS
#include "compiler/kernels/Passes.h.inc"
} // namespace aft

using namespace aft;

/// Whether the body uses the index of a loop in [0, count).
static bool usesIndexBelow(linalg::GenericOp op, int64_t count) {
  return llvm::any_of(op.getBody()->getOps<linalg::IndexOp>(),
                      [&](linalg::IndexOp index) {
                        return index.getDim() < uint64_t(count);
                      });
}

/// The number of leading loops that can become one; the last loop stays.
static int64_t collapsibleLoops(linalg::GenericOp op) {
  SmallVector<AffineMap> maps = op.getIndexingMapsArray();
  if (!llvm::all_of(maps, [](AffineMap map) {
        return map.isProjectedPermutation();
      }))
    return 0;
  SmallVector<utils::IteratorType> iterators = op.getIteratorTypesArray();
  for (int64_t count = int64_t(op.getNumLoops()) - 1; count >= 2; --count) {
    auto leading = ArrayRef(iterators).take_front(count);
    ReassociationIndices group = llvm::to_vector(llvm::seq<int64_t>(0, count));
    if (llvm::all_equal(leading) && !usesIndexBelow(op, count) &&
        linalg::areDimSequencesPreserved(maps, {group}))
      return count;
  }
  return 0;
}

namespace {
/// One operand with its leading loops collapsed.
struct Collapsed {
  AffineMap map;
  SmallVector<ReassociationIndices> groups;
  bool changed = false;
};
} // namespace

static Collapsed collapseMap(AffineMap map, int64_t count) {
  Collapsed result;
  SmallVector<AffineExpr> exprs;
  MLIRContext *context = map.getContext();
  for (auto [position, expr] : llvm::enumerate(map.getResults())) {
    int64_t loop = cast<AffineDimExpr>(expr).getPosition();
    if (loop > 0 && loop < count) {
      result.groups.back().push_back(position);
      result.changed = true;
      continue;
    }
    result.groups.push_back({int64_t(position)});
    exprs.push_back(
        getAffineDimExpr(std::max<int64_t>(loop - count + 1, 0), context));
  }
  result.map = AffineMap::get(map.getNumDims() - count + 1, 0, exprs, context);
  return result;
}

static void collapse(linalg::GenericOp op, int64_t count,
                     RewriterBase &rewriter) {
  Location loc = op.getLoc();
  SmallVector<Value> operands;
  SmallVector<AffineMap> maps;
  SmallVector<Collapsed> collapsed;
  for (OpOperand &operand : op->getOpOperands()) {
    collapsed.push_back(
        collapseMap(op.getMatchingIndexingMap(&operand), count));
    maps.push_back(collapsed.back().map);
    operands.push_back(operand.get());
    if (collapsed.back().changed)
      operands.back() = rewriter.create<tensor::CollapseShapeOp>(
          loc, operand.get(), collapsed.back().groups);
  }
  unsigned inputs = op.getNumDpsInputs();
  auto inits = ArrayRef(operands).drop_front(inputs);
  auto generic = rewriter.create<linalg::GenericOp>(
      loc, ValueRange(inits).getTypes(), ArrayRef(operands).take_front(inputs),
      inits, maps,
      ArrayRef(op.getIteratorTypesArray()).drop_front(count - 1));
  rewriter.inlineRegionBefore(op.getRegion(), generic.getRegion(),
                              generic.getRegion().end());
  for (auto index : generic.getBody()->getOps<linalg::IndexOp>())
    index.setDim(index.getDim() - count + 1);
  SmallVector<Value> results;
  for (auto [number, result] : llvm::enumerate(generic.getResults())) {
    const Collapsed &shape = collapsed[inputs + number];
    if (!shape.changed) {
      results.push_back(result);
      continue;
    }
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(rewriter, loc, op.getDpsInits()[number]);
    results.push_back(rewriter.create<tensor::ExpandShapeOp>(
        loc, op->getResultTypes()[number], result, shape.groups, sizes));
  }
  rewriter.replaceOp(op, results);
}

namespace {

struct CollapseLoops : aft::impl::CollapseLoopsBase<CollapseLoops> {
  void runOnOperation() override {
    SmallVector<linalg::GenericOp> generics;
    getOperation().walk(
        [&](linalg::GenericOp op) { generics.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (linalg::GenericOp op : generics) {
      int64_t count = collapsibleLoops(op);
      if (count == 0)
        continue;
      rewriter.setInsertionPoint(op);
      collapse(op, count, rewriter);
    }
  }
};

} // namespace
