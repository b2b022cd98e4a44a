//===- Emit.h - Writes a recognised mixer -----------------------------------===//

#ifndef AFT_COMPILER_GRAPH_RAISE_EMIT_H
#define AFT_COMPILER_GRAPH_RAISE_EMIT_H

#include "compiler/graph/raise/Match.h"
#include "mlir/IR/PatternMatch.h"

namespace aft::raise {

/// A mixer, and what replaces the result of its root.
struct Emitted {
  mlir::Operation *mixer = nullptr;
  mlir::Value result;
};

/// Creates the mixer and what surrounds it; nothing, with a reason, where that
/// cannot be. `dims`: the variables of each dimension of the result that is not 1,
/// outermost first.
Emitted emitMixer(Formulas &formulas, const MixerMatch &match,
                  llvm::ArrayRef<llvm::SmallVector<int>> dims, mlir::Operation *root,
                  mlir::RewriterBase &rewriter, Miss &miss);

} // namespace aft::raise

#endif // AFT_COMPILER_GRAPH_RAISE_EMIT_H
