//===- WindowMixers.h - Mixers whose bias lives in a window ---------------===//

#ifndef AFT_COMPILER_VECTOR_WINDOWMIXERS_H
#define AFT_COMPILER_VECTOR_WINDOWMIXERS_H

#include "compiler/vector/MixerCommon.h"

#include <functional>

namespace aft {

/// The window of simple, local and conv, forward or derivative: query t has a
/// bias for the keys from t - before to t + after; all others have bias 0.
/// simple has the empty window before = -1, after = 0. On a grid the same holds
/// on every axis.
struct WindowMixer {
  WindowMixer(mlir::Operation *op, mlir::OpBuilder &builder);

  mlir::Value q, k, v, bias, lengths;
  llvm::SmallVector<mlir::Value> inits;
  mlir::Value dy, ratio, logz; ///< derivatives only
  Gate gate = Gate::sigmoid;
  bool causal = false, perHeadBias = false;
  int64_t before = -1, after = 0, taps = 0, channels = 0, heads = 0;

  /// Extents and window of the grid, which always has three axes; none in 1-D.
  struct Axis {
    int64_t extent, before, after;
    int64_t taps() const { return before + after + 1; }
  };
  llvm::SmallVector<Axis, 3> grid;

  int64_t perHead() const { return heads ? channels / heads : 1; }
  /// The bias of tap j of query t for the channels of a lane group.
  mlir::Value weight(LaneEmitter &group, mlir::Value t, mlir::Value tap) const;

  using Body = llvm::function_ref<Emitter::Values(mlir::Value item, mlir::Value tap,
                                                  mlir::ValueRange carried)>;
  /// Goes through the window of query `at`: keys below `limit`, and their taps.
  Emitter::Values keysOf(Emitter &e, mlir::Value at, mlir::Value limit, mlir::ValueRange carried,
                         Body body) const;
  /// The queries whose window key `at` is in.
  Emitter::Values queriesOf(Emitter &e, mlir::Value at, mlir::Value limit, mlir::ValueRange carried,
                            Body body) const;
  /// Sums over what is outside of the windows, see WindowScan: per query over
  /// `items` keys, or `mirrored`.
  void scanOutside(LaneEmitter &group, bool mirrored, mlir::Value items, mlir::Value outputs,
                   std::function<MixState(const MixState &, mlir::Value)> add,
                   std::function<void(mlir::Value, llvm::ArrayRef<MixState>)> finish) const;

private:
  Emitter::Values overWindow(Emitter &e, mlir::Value at, mlir::Value limit, bool mirrored,
                             mlir::ValueRange carried, Body body) const;
  Emitter::Values overGrid(Emitter &e, mlir::Value at, mlir::Value limit, bool mirrored,
                           mlir::ValueRange carried, Body body) const;
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
