//===- PlainGrid.h - Windows of a grid without an exponential per tap -----===//
// Where a filter is moderate, exp(w + x) is the product of exp(w) and exp(x),
// each relative to its own largest value: all keys are visible to all queries of
// a grid, so that the largest term never vanishes. A window then costs a
// multiplication and an addition per tap, as in a matrix product.

#ifndef AFT_COMPILER_VECTOR_PLAINGRID_H
#define AFT_COMPILER_VECTOR_PLAINGRID_H

#include "compiler/vector/WindowMixers.h"

namespace aft {

/// Whether the filter of a lane group is moderate: its range, with the 0 outside
/// of it, is below 60. False where it hides keys (-inf) or has a NaN.
mlir::Value isModerate(const WindowMixer &mixer, LaneEmitter &group);

/// Two numbers for every place of a grid, with zeros left and right of each row.
class PlacePairs {
public:
  using Value = mlir::Value;
  using Pair = std::pair<Value, Value>;

  PlacePairs(const WindowMixer &mixer, LaneEmitter &group);
  static bool fits(const WindowMixer &mixer, mlir::Type element, int64_t lanes);

  void fill(llvm::function_ref<Pair(Value place)> pairOf);
  /// Where a row's column is kept; it may lie `padding` outside of the row.
  Value indexOf(Value row, Value column);
  Pair load(Value index, int64_t offset = 0);

private:
  LaneEmitter &group;
  int64_t rows, width, padding;
  Value memory;
};

/// Sums over a grid for one lane group.
class PlainGrid {
public:
  using Value = mlir::Value;

  PlainGrid(const WindowMixer &mixer, LaneEmitter &group, bool mirrored);

  /// Makes the weights; returns the logarithm of their scale.
  Value makeWeights();
  /// Calls `finish` with the two sums of every output.
  void scan(PlacePairs &items,
            llvm::function_ref<void(Value output, Value first, Value second)> finish);
  /// Adds the products of two grids at a distance of a tap, times the tap's
  /// weight and `factor`, to `sums[tap]`.
  void correlate(PlacePairs &queries, PlacePairs &keys, Value factor, Value sums);

private:
  void windows(PlacePairs &items, Value plane, Value row);
  void blockOfOutputs(PlacePairs &items, Value plane, Value row, Value first);
  void blockOfTaps(PlacePairs &queries, PlacePairs &keys, Value factor, Value sums, Value tapZ,
                   Value tapY, Value first);
  Emitter::Values correlateRow(PlacePairs &queries, PlacePairs &keys, Value row, Value keyRow,
                               Value first);
  Value weight(Value tap);
  Emitter::Values zeros(int64_t count);

  const WindowMixer &mixer;
  LaneEmitter group; ///< its sums have one scale
  Emitter &e;
  bool mirrored;
  llvm::SmallVector<GridAxis> axes;
  Value table, rowSums, outsideWeight;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PLAINGRID_H
