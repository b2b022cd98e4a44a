//===- WindowMixers.h - Mixers whose bias lives in a window ---------------===//

#ifndef AFT_COMPILER_VECTOR_WINDOW_WINDOWMIXERS_H
#define AFT_COMPILER_VECTOR_WINDOW_WINDOWMIXERS_H

#include "compiler/vector/grid/GridScan.h"
#include "compiler/vector/window/WindowScan.h"

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

  /// Planes, rows and columns of a grid; empty in 1-D.
  llvm::SmallVector<GridAxis> grid;
  /// The same for sums over queries, seen from a key, when `mirrored`.
  llvm::SmallVector<GridAxis> axesOf(bool mirrored) const;

  /// The operands with a row of channels per position.
  llvm::SmallVector<mlir::Value> sources() const;
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
  using Add = std::function<MixState(const MixState &, mlir::Value)>;
  using Finish = std::function<void(mlir::Value, llvm::ArrayRef<MixState>)>;
  /// Sums over what is outside of the windows: per query over `items` keys, or
  /// `mirrored`. For a sequence, and for a grid.
  WindowScan scanOf(LaneEmitter &group, bool mirrored, mlir::Value items, Add add,
                    Finish finish) const;
  void scanGrid(LaneEmitter &group, bool mirrored, mlir::Value items, Add add, Finish finish) const;

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

/// Writes query t's results.
void storeRow(const WindowMixer &mixer, LaneEmitter &group, mlir::Value t, const MixState &state);

/// simple, all of it, and its derivative.
void emitSimple(const WindowMixer &mixer, Emitter &e, unsigned vectorBits);
void emitSimpleGrad(const WindowMixer &mixer, Emitter &e, unsigned vectorBits);

/// All rows of a lane group on a grid, for any bias.
void emitGridRows(const WindowMixer &mixer, LaneEmitter &group);

/// What the derivative needs of a query: -logz (-inf without a key), G = dy * g(q)
/// and G * R.
struct QueryRow {
  mlir::Value exponent, g, gr;
};
QueryRow loadQueryRow(const WindowMixer &mixer, LaneEmitter &group, mlir::Value t);

/// Writes dq = dy * g'(q) * R of one position, or of all.
void storeQueryGradient(const WindowMixer &mixer, LaneEmitter &group, mlir::Value t);
void emitQueryGradient(const WindowMixer &mixer, LaneEmitter &group);

/// Takes dk of the channels of a lane group at one position.
using StoreKey = std::function<void(mlir::Value value, mlir::Value t)>;

/// dk and dv of a lane group on a grid, for any bias.
void emitGridKeys(const WindowMixer &mixer, LaneEmitter &group, const StoreKey &storeKey);

/// Writes dv and dk of one position, 0 where the key is hidden.
void storeKeyGradients(const WindowMixer &mixer, LaneEmitter &group, mlir::Value t, mlir::Value dv,
                       mlir::Value dk, const StoreKey &storeKey);

/// G (v[t'] - R[t]) p of one pair, a number per channel.
mlir::Value biasTerm(const WindowMixer &mixer, LaneEmitter &group, mlir::Value t, mlir::Value key,
                     mlir::Value tap);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOW_WINDOWMIXERS_H
