//===- HeadGrid.h - Sums over a grid that a head's channels share ---------===//
// Keys, and so the denominator, are the same for all channels of a head, and so is
// what the gradient of a key subtracts. Such sums are formed once per head, on a
// grid of numbers in which a vector holds neighbouring columns.

#ifndef AFT_COMPILER_VECTOR_GRID_HEADGRID_H
#define AFT_COMPILER_VECTOR_GRID_HEADGRID_H

#include "compiler/vector/grid/HeadNumbers.h"
#include "compiler/vector/window/WindowMixers.h"

namespace aft {

/// A number for every place of a grid and some of the heads; they are 0 left and right
/// of each row.
class HeadGrid {
public:
  using Value = mlir::Value;

  HeadGrid(const WindowMixer &mixer, Emitter &e, mlir::Type element, int64_t heads, int64_t lanes);
  /// How many numbers are kept for a head.
  static int64_t numbersOf(const WindowMixer &mixer, int64_t lanes);
  void clear();
  void fill(Value head, llvm::function_ref<Value(Value place)> numberOf);

  /// Calls `finish` with the sum of every output of a head: the items in its window
  /// times exp(w - top), where `weights` has these factors, and all others times
  /// `outside`.
  void scan(Value head, bool mirrored, HeadNumbers &weights, Value outside,
            llvm::function_ref<void(Value output, Value sum)> finish);
  /// Calls `finish` with the sum, for every tap, of the products of a query here and a
  /// key of `keys` at the tap's distance.
  void correlate(Value head, HeadGrid &keys, llvm::function_ref<void(Value tap, Value sum)> finish);

private:
  Value indexOf(Value row, Value column);
  void windows(Value head, llvm::ArrayRef<GridAxis> axes, HeadNumbers &weights, Value plane,
               Value row);

  const WindowMixer &mixer;
  Emitter &e;
  mlir::Type element;
  int64_t heads, lanes, width, padding, stride;
  Value memory, rowSums;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GRID_HEADGRID_H
