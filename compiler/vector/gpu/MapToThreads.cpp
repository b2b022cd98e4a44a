//===- MapToThreads.cpp - Kernels for the blocks of threads of a GPU ------===//

#include "compiler/kernels/Interface.h"
#include "compiler/vector/EmitMixer.h"
#include "compiler/vector/GenericEmission.h"
#include "compiler/vector/Passes.h"
#include "compiler/vector/gpu/GenericThreads.h"
#include "compiler/vector/gpu/GpuOps.h"
#include "compiler/vector/gpu/MixerThreads.h"
#include "compiler/vector/gpu/Threads.h"
#include "compiler/vector/product/MatmulEmission.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"

namespace aft {
#define GEN_PASS_DEF_MAPTOTHREADS
#include "compiler/vector/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

/// What is emitted for one thread takes numbers one by one.
static constexpr unsigned kScalarBits = 32;

static LogicalResult mapLinalg(func::FuncOp kernel, bool tf32) {
  expandCopies(kernel);
  SmallVector<linalg::LinalgOp> ops;
  kernel.walk([&](linalg::LinalgOp op) { ops.push_back(op); });
  DenseSet<Operation *> overwriting = dropZeros(ops);
  for (linalg::LinalgOp op : ops) {
    if (!op.hasPureBufferSemantics())
      return op->emitOpError() << "must be on memrefs before it is mapped to threads";
    OpBuilder builder(op);
    if (isMatmul(op)) {
      if (!emitMatmulTensorCores(op, builder, overwriting.contains(op), tf32))
        emitMatmulThreads(op, builder, overwriting.contains(op));
    } else if (failed(emitGenericThreads(op, builder))) {
      return failure();
    }
    op->erase();
  }
  return success();
}

static LogicalResult mapMixers(func::FuncOp kernel, bool tf32) {
  SmallVector<Operation *> ops;
  kernel.walk([&](Operation *op) {
    if (isa<AFTDialect>(op->getDialect()))
      ops.push_back(op);
  });
  for (Operation *op : ops) {
    OpBuilder builder(op);
    if (!emitMixerThreads(op, builder, tf32) && failed(emitMixer(op, builder, kScalarBits)))
      return failure();
    op->erase();
  }
  return success();
}

namespace {
struct MapToThreads : aft::impl::MapToThreadsBase<MapToThreads> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp kernel = getOperation();
    if (!kernel->hasAttr(kernelAttrName) || kernel.isExternal())
      return;
    if (failed(mapLinalg(kernel, tf32)) || failed(mapMixers(kernel, tf32)))
      return signalPassFailure();
    groupsToThreads(kernel);
    mapGrids(kernel);
  }
};
} // namespace
