//===- VectorizeLinalg.cpp - linalg on memrefs becomes vector code --------===//

#include "compiler/kernels/Interface.h"
#include "compiler/vector/GenericEmission.h"
#include "compiler/vector/Passes.h"
#include "compiler/vector/product/Epilogue.h"
#include "compiler/vector/product/MatmulEmission.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Linalg/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace aft {
#define GEN_PASS_DEF_VECTORIZELINALG
#include "compiler/vector/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// Squares in registers are transposed by shuffles.
static LogicalResult lowerTransposes(func::FuncOp function) {
  RewritePatternSet patterns(function.getContext());
  vector::VectorTransformsOptions options;
  options.setVectorTransposeLowering(vector::VectorTransposeLowering::Shuffle16x16);
  vector::populateVectorTransposeLoweringPatterns(patterns, options);
  return applyPatternsAndFoldGreedily(function, std::move(patterns));
}

namespace {
struct VectorizeLinalg : aft::impl::VectorizeLinalgBase<VectorizeLinalg> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function->hasAttr(kernelAttrName))
      return;
    expandCopies(function);
    SmallVector<linalg::LinalgOp> ops;
    function.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
    DenseSet<Operation *> overwriting = dropZeros(ops);
    DenseSet<Operation *> emitted;
    for (linalg::LinalgOp op : ops) {
      if (!op.hasPureBufferSemantics()) {
        op->emitOpError() << "must be on memrefs before it is vectorised";
        return signalPassFailure();
      }
      if (emitted.contains(op))
        continue;
      OpBuilder builder(op);
      if (isMatmul(op)) {
        linalg::GenericOp epilogue = epilogueOf(op);
        // What it reads is known only there.
        if (epilogue)
          builder.setInsertionPoint(epilogue);
        emitted.insert(epilogue);
        bool dropsC = epilogue && isSeenByEpilogueAlone(op, epilogue);
        if (failed(emitMatmul(
                op, builder,
                {vectorBits, overwriting.contains(op), manyRows, pairDots, epilogue, dropsC})))
          return signalPassFailure();
      } else if (std::optional<ScanForm> scan = scanFormOf(op)) {
        if (failed(emitScan(op, *scan, builder, vectorBits)))
          return signalPassFailure();
      } else if (failed(emitGeneric(op, builder, vectorBits))) {
        return signalPassFailure();
      }
    }
    for (linalg::LinalgOp op : ops)
      op->erase();
    if (failed(lowerTransposes(function)))
      return signalPassFailure();
  }
};
} // namespace
