//===- BiasGradient.h - Gradients of biases in a window -------------------===//
// dw[t,t'] sums G (v[t'] - R[t]) exp(k[t'] + w - logz[t]) over channels, batch
// and, for a filter, positions. Where keys and biases are moderate, the factor
// exp(w) comes last and what remains is a product of two numbers per pair.

#ifndef AFT_COMPILER_VECTOR_WINDOW_BIASGRADIENT_H
#define AFT_COMPILER_VECTOR_WINDOW_BIASGRADIENT_H

#include "compiler/vector/window/WindowMixers.h"

namespace aft {

/// dband[t, :] of a sequence.
void emitBandGradient(const WindowMixer &mixer, Emitter &e, unsigned vectorBits);

/// dfilter of a sequence.
void emitFilterGradient(const WindowMixer &mixer, Emitter &e, unsigned vectorBits);

/// dfilter: a work group per block of channels goes through the batch, and
/// `addEntry` adds one entry's part to sums[tap], a number per lane.
void emitFilterSums(const WindowMixer &mixer, const LaneBlocks &blocks, Emitter &e,
                    llvm::function_ref<void(LaneEmitter &, mlir::Value sums)> addEntry);

/// Adds one batch entry's part to sums[tap], or to sums[slot][tap], pair by pair.
void addTapsExactly(const WindowMixer &mixer, LaneEmitter &group, mlir::Value sums,
                    mlir::Value slot = mlir::Value());

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOW_BIASGRADIENT_H
