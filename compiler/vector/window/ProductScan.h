//===- ProductScan.h - Windows of a sequence without an exponential per tap ===//
// In a block of outputs whose items and biases are moderate, a weight exp(w + x)
// is the product of exp(w) and exp(x - c), c the largest exponent of the block (of
// those that all outputs see, where it is causal): a window becomes a row of a
// banded matrix product. Other blocks, and outputs after an item that is too large,
// go through WindowScan. As every output sees items of its own block, the largest
// term of each sum stays far above the smallest number.

#ifndef AFT_COMPILER_VECTOR_WINDOW_PRODUCTSCAN_H
#define AFT_COMPILER_VECTOR_WINDOW_PRODUCTSCAN_H

#include "compiler/vector/window/WindowMixers.h"
#include "compiler/vector/window/WindowScan.h"

namespace aft {

/// The two sides of a window computation: rows of the mixer, or its derivative
/// by keys.
struct WindowCode {
  using Value = mlir::Value;
  /// An item adds exp(exponent) times first and second.
  struct Item {
    Value exponent, first, second;
  };

  bool mirrored;
  llvm::SmallVector<Value> sources; ///< what `load` reads, ...
  llvm::SmallVector<Value> visited; ///< ... who visits an item writes, ...
  llvm::SmallVector<Value> beside;  ///< ... `finish` reads, ...
  llvm::SmallVector<Value> results; ///< ... and `finish` writes
  std::function<Item(LaneEmitter &, Value item)> load;
  /// Receives the sums of an output, all of its items included.
  std::function<void(LaneEmitter &, Value output, const MixState &)> finish;
  /// Of the derivative: exp(k + base) of an output, and `finish` of one whose weight relative
  /// to the sums is known.
  std::function<Value(LaneEmitter &, Value output, Value base)> weigh;
  std::function<void(LaneEmitter &, Value output, const MixState &, Value weight)> finishWeighed;
  /// Calls `use` with the scan that does the same for any numbers.
  std::function<void(LaneEmitter &, llvm::function_ref<void(WindowScan &)> use)> exact;
};

/// Emits all outputs of `count` lane groups, `first` being the first of them.
void emitWindows(const WindowMixer &mixer, const WindowCode &code, LaneEmitter &first,
                 int64_t count);

/// Lane groups that share the exponentials of their biases.
int64_t sharedGroups(const WindowMixer &mixer, int64_t lanes);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_WINDOW_PRODUCTSCAN_H
