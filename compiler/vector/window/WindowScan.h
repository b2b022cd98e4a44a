//===- WindowScan.h - Sums over everything outside a sliding window -------===//

#ifndef AFT_COMPILER_VECTOR_WINDOW_WINDOWSCAN_H
#define AFT_COMPILER_VECTOR_WINDOW_WINDOWSCAN_H

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

  // Piece by piece, a block of outputs at a time.

  /// Outputs whose sums over later items are kept at once.
  static constexpr int64_t kBlockRows = 32;
  /// States that belong to one lane group.
  struct Memory {
    mlir::Value checkpoints, spacing; ///< of later items
    mlir::Value suffixes;             ///< of the outputs of a block
    mlir::Value number;               ///< of the lane group, if several share it
  };
  Memory makeMemory(int64_t groups);
  void makeCheckpoints(const Memory &memory);
  /// Outputs [first, last), one block; `older` are the items that left the window
  /// of the output before `first`. Returns those that left it at the end.
  MixState block(const Memory &memory, mlir::Value first, mlir::Value last, const MixState &older);
  /// The items after the window of the output before `last`.
  MixState later(const Memory &memory, mlir::Value last);

private:
  using Value = mlir::Value;
  Value checkpoint(const Memory &memory, Value index);
  void makeSuffixes(const Memory &memory, Value first, Value last);
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOW_WINDOWSCAN_H
