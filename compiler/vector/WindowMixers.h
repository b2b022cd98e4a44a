//===- WindowMixers.h - Mixers whose bias lives in a window ---------------===//

#ifndef AFT_COMPILER_VECTOR_WINDOWMIXERS_H
#define AFT_COMPILER_VECTOR_WINDOWMIXERS_H

#include "compiler/vector/MixerCommon.h"

namespace aft {

/// The window of simple, local and 1-D conv, forward or derivative: query t has
/// a bias for the keys from t - before to t + after; all others have bias 0.
/// simple has the empty window before = -1, after = 0.
struct WindowMixer {
  explicit WindowMixer(mlir::Operation *op);

  mlir::Value q, k, v, bias, lengths;
  mlir::ValueRange inits;
  mlir::Value dy, ratio, logz; ///< derivatives only
  Gate gate = Gate::sigmoid;
  bool causal = false, perHeadBias = false;
  int64_t before = -1, after = 0, taps = 0, channels = 0, heads = 0;

  int64_t perHead() const { return heads ? channels / heads : 1; }
  /// The bias of tap j of query t for the channels of a lane group.
  mlir::Value weight(LaneEmitter &group, mlir::Value t, mlir::Value tap) const;
  /// The visible keys in the window of query t: [first, last).
  std::pair<mlir::Value, mlir::Value> keysOf(Emitter &e, mlir::Value t, mlir::Value keys) const;
  /// Tap of key `key` for query `t`.
  mlir::Value tapOf(Emitter &e, mlir::Value t, mlir::Value key) const;
};

/// A key inside a query's window and where it is stored.
struct WindowKey {
  mlir::Value k, v, index, tap;
};

using WindowBody = llvm::function_ref<Emitter::Values(const WindowKey &, mlir::ValueRange)>;
/// Calls its body for every key of a window, with carried values.
using WindowLoop = llvm::function_ref<Emitter::Values(mlir::ValueRange, WindowBody)>;

/// The sums outside of query t's window and the keys inside as one state.
MixState foldWindow(const WindowMixer &mixer, LaneEmitter &group, mlir::Value t,
                    mlir::ArrayRef<MixState> outside, WindowLoop window);

/// y of a query whose sums are `state`.
mlir::Value gatedRatio(const WindowMixer &mixer, LaneEmitter &group, mlir::Value t,
                       const MixState &state);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOWMIXERS_H
