//===- WindowScan.h - Sums over everything outside a sliding window -------===//

#ifndef AFT_COMPILER_VECTOR_WINDOWSCAN_H
#define AFT_COMPILER_VECTOR_WINDOWSCAN_H

#include "compiler/vector/MixerCommon.h"

#include <functional>

namespace aft {

/// For every output i, sums over the items below i - before and, with
/// `bothSides`, over those above i + after, each as a state relative to its
/// largest term. Only additions are used; the cost is linear.
///
/// In the forward direction outputs are queries and items are keys; in the
/// derivative it is the other way round.
struct WindowScan {
  LaneEmitter &group;
  mlir::Value items, outputs; ///< how many there are
  int64_t before, after;
  bool below, above; ///< which sides are wanted
  /// Adds item `i` to a state.
  std::function<MixState(const MixState &, mlir::Value i)> add;
  /// Receives the sums outside the window of output `i`.
  std::function<void(mlir::Value i, llvm::ArrayRef<MixState>)> finish;

  void run();

private:
  using Value = mlir::Value;
  llvm::SmallVector<Value> rows(Value first, Value last, mlir::ValueRange carried,
                                Value suffixes);
  llvm::SmallVector<Value> emptyPair();
  Value makeCheckpoints(Value spacing);
  void makeSuffixes(Value checkpoints, Value spacing, Value suffixes, Value first, Value last);
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOWSCAN_H
