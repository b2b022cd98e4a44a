//===- WindowWeights.h - Exponentials of the biases of a block ------------===//

#ifndef AFT_COMPILER_VECTOR_WINDOW_WINDOWWEIGHTS_H
#define AFT_COMPILER_VECTOR_WINDOW_WINDOWWEIGHTS_H

#include "compiler/vector/window/WindowMixers.h"

namespace aft {

/// Numbers up to this size count as moderate, ...
inline constexpr double kModerate = 30;
/// ... and biases of a window, whose exponentials meet those of exponents that are as far apart.
inline constexpr double kLargestBias = 20;

/// Numbers of items leave this much below the largest of their type, for exponentials, numbers of
/// gradients and the sums of both.
inline constexpr double kRoom = 0x1p72;

/// 0 where two weighted numbers of an item are finite and leave room, NaN otherwise.
mlir::Value oddness(Emitter &e, mlir::Value one, mlir::Value two);

/// exp(w) for a block of outputs and the items around them. Output r of the block
/// has the items r + 1 to r + taps in its window; some more on either side of it
/// have weight 0.
class WindowWeights {
public:
  using Value = mlir::Value;

  /// Outputs that are computed together, which see each other's items.
  static constexpr int64_t kRows = 8;
  /// Weights 0 on either side of a row's taps.
  static constexpr int64_t kPadding = kRows;

  WindowWeights(const WindowMixer &mixer, LaneEmitter &group, bool mirrored, int64_t outputs);
  static bool fits(int64_t taps);

  /// Computes the weights of the block that starts at output `first`. Returns how many outputs,
  /// from the first on, have moderate biases alone; seen from keys, all or none.
  Value fill(Value first);
  /// Whether that is all of them.
  Value areModerate(Value moderate) { return e.same(moderate, e.index(outputs)); }
  /// The weight of item `item` in the window of output `row`.
  Value at(LaneEmitter &group, Value row, Value item);
  /// Seen from keys: those of outputs `row` and following in the window of item `item`.
  Value run(Value item, Value row, int64_t count);
  /// Adds to `sums`, a pair for each of `rows` outputs from `row` on, the weighted
  /// items of their windows, each loaded once for all of them.
  Emitter::Values addWindows(LaneEmitter &group, Value row, int64_t rows, Emitter::Values sums,
                             llvm::function_ref<std::pair<Value, Value>(Value item)> load);

private:
  Value fillHead();
  Value isAnyLarge(Value seen);
  Value fillBand(Value first);
  void fetchRow(Value query, Value tap);
  Value fillRow(Value query, Value tap, Value end, Value row, Value place, Value seen);

  const WindowMixer &mixer;
  LaneEmitter &group;
  Emitter &e;
  bool mirrored;
  int64_t outputs, lanes;
  Value table;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOW_WINDOWWEIGHTS_H
