//===- VectorizeMixers.cpp - Mixers on memrefs become vector code ---------===//

#include "compiler/kernels/Interface.h"
#include "compiler/vector/EmitMixer.h"
#include "compiler/vector/MixerCommon.h"
#include "compiler/vector/MixerEmission.h"
#include "compiler/vector/Passes.h"
#include "compiler/vector/window/CausalWindows.h"
#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/ADT/TypeSwitch.h"

namespace aft {
#define GEN_PASS_DEF_VECTORIZEMIXERS
#include "compiler/vector/Passes.h.inc"
} // namespace aft

using namespace mlir;
using namespace aft;

template <typename OpT> static bool onGrid(OpT op) {
  return op.getGrid() && op.getGrid()->size() > 1;
}

/// A gradient in parts is summed by vectors.
static LogicalResult checkParts(LocalGradOp op, unsigned vectorBits) {
  Value dband = op.getInits()[3];
  if (!op.hasBandInParts() || (bandPartsFor(op) && lanesFor(accumulationOf(dband), vectorBits) > 1))
    return success();
  return op.emitOpError()
         << "takes 'dband' in parts where it is causal, with at least 512 bytes of "
            "channels that fill vectors, of 16 numbers too, and no more taps than "
            "channels; found window = "
         << op.getWindow() << (op.getCausal() ? " causal, " : ", ")
         << cast<ShapedType>(op.getQ().getType()).getDimSize(2) << " channels, vectors of "
         << vectorBits << " bits";
}

LogicalResult aft::emitMixer(Operation *op, OpBuilder &builder, unsigned bits, PairDots pairDots) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<SimpleOp, LocalOp>([&](auto) {
        emitWindowMixer(op, builder, bits);
        return success();
      })
      .Case<SimpleGradOp>([&](auto) {
        emitWindowMixerGrad(op, builder, bits);
        return success();
      })
      .Case<LocalGradOp>([&](LocalGradOp grad) {
        if (failed(checkParts(grad, bits)))
          return failure();
        emitWindowMixerGrad(op, builder, bits);
        return success();
      })
      .Case<ConvOp>([&](ConvOp conv) {
        (onGrid(conv) ? emitGridMixer : emitWindowMixer)(op, builder, bits);
        return success();
      })
      .Case<ConvGradOp>([&](ConvGradOp conv) {
        (onGrid(conv) ? emitGridMixerGrad : emitWindowMixerGrad)(op, builder, bits);
        return success();
      })
      .Case<FullOp>([&](FullOp full) {
        emitFullMixer(full, builder, bits, pairDots);
        return success();
      })
      .Case<FullGradOp>([&](FullGradOp grad) {
        emitFullMixerGrad(grad, builder, bits, pairDots);
        return success();
      })
      .Case<SimpleOnlineOp, LocalOnlineOp, ConvOnlineOp>([&](auto) {
        emitOnlineMixer(op, builder, bits);
        return success();
      })
      .Case<FullOnlineOp>([&](FullOnlineOp online) {
        emitFullOnline(online, builder, bits);
        return success();
      })
      .Case<BandOp>([&](BandOp band) {
        emitBand(band, builder, bits);
        return success();
      })
      .Case<BandGradOp>([&](BandGradOp grad) {
        emitBandGrad(grad, builder, bits);
        return success();
      })
      .Case<EmbeddingGradOp>([&](EmbeddingGradOp grad) {
        emitEmbeddingGrad(grad, builder, bits);
        return success();
      })
      .Default([&](Operation *) {
        return op->emitOpError() << "cannot be vectorised: it should have been decomposed";
      });
}

namespace {
struct VectorizeMixers : aft::impl::VectorizeMixersBase<VectorizeMixers> {
  using Base::Base;
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (!function->hasAttr(kernelAttrName))
      return;
    SmallVector<Operation *> ops;
    function.walk([&](Operation *op) {
      if (isa<AFTDialect>(op->getDialect()))
        ops.push_back(op);
    });
    for (Operation *op : ops) {
      if (op->getNumResults() != 0) {
        op->emitOpError() << "must be in memref form before it is vectorised";
        return signalPassFailure();
      }
      OpBuilder builder(op);
      if (failed(emitMixer(op, builder, vectorBits, pairDots)))
        return signalPassFailure();
      op->erase();
    }
  }
};
} // namespace
