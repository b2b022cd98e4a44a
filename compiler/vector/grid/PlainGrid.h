//===- PlainGrid.h - Windows of a grid without an exponential per tap -----===//
// Where a filter is moderate, exp(w + x) is the product of exp(w) and exp(x),
// each relative to its own largest value: all keys are visible to all queries of
// a grid, so that the largest term never vanishes. A window then costs a
// multiplication and an addition per tap, as in a matrix product.

#ifndef AFT_COMPILER_VECTOR_GRID_PLAINGRID_H
#define AFT_COMPILER_VECTOR_GRID_PLAINGRID_H

#include "compiler/vector/window/WindowMixers.h"

namespace aft {

/// Whether the numbers of a filter, with the 0 outside of it, lie within a moderate range: below
/// 60. False where it hides keys (-inf) or has a NaN.
mlir::Value isModerateRange(Emitter &e, mlir::Value range);

/// Two numbers for every place of a grid, or just the first of them, with zeros left
/// and right of each row.
class PlacePairs {
public:
  using Value = mlir::Value;
  using Pair = std::pair<Value, Value>; ///< the second may be null

  PlacePairs(const WindowMixer &mixer, LaneEmitter &group, int64_t parts = 2);
  static bool fits(const WindowMixer &mixer, mlir::Type element, int64_t lanes);

  void fill(llvm::function_ref<Pair(Value place)> pairOf);
  /// Where a row's column is kept; it may lie `padding` outside of the row.
  Value indexOf(Value row, Value column);
  Pair load(Value index, int64_t offset = 0);
  Value part(int64_t number, Value index, int64_t offset = 0);

private:
  LaneEmitter &group;
  int64_t parts, rows, width, padding;
  Value memory;
};

/// Sums over a grid for one lane group, of pairs or of single numbers.
class PlainGrid {
public:
  using Value = mlir::Value;

  PlainGrid(const WindowMixer &mixer, LaneEmitter &group, bool mirrored, int64_t parts = 2);

  /// Reads the filter; whether it is moderate.
  Value readFilter();
  /// Makes weights of it; returns the logarithm of their scale.
  Value makeWeights();
  /// Takes weights that exist, and that of all outside of the window.
  void setWeights(llvm::function_ref<Value(Value tap)> weightOf, Value outside);
  /// Calls `finish` with the sums of every output.
  void scan(PlacePairs &items,
            llvm::function_ref<void(Value output, Value first, Value second)> finish);
  /// Adds the products of two grids at a distance of a tap, times the tap's
  /// weight and `factor`, to `sums[tap]`, or to `sums[slot][tap]`.
  void correlate(PlacePairs &queries, PlacePairs &keys, Value factor, Value sums,
                 Value slot = Value());

private:
  void windows(PlacePairs &items, Value plane, Value row);
  void writtenOutputs(PlacePairs &items, int64_t part, Value plane, Value row, int64_t first,
                      int64_t last);
  void blockOfOutputs(PlacePairs &items, Value plane, Value row, Value first);
  using AddRow = llvm::function_ref<Emitter::Values(Value row, Value keyRow, mlir::ValueRange)>;
  Emitter::Values overRows(Value tapZ, Value tapY, int64_t count, AddRow addRow);
  Emitter::Values writtenTaps(PlacePairs &queries, PlacePairs &keys, Value tapZ, Value tapY);
  Emitter::Values blockOfTaps(PlacePairs &queries, PlacePairs &keys, Value tapZ, Value tapY,
                              Value first);
  Emitter::Values correlateWritten(PlacePairs &queries, PlacePairs &keys, int64_t part, Value row,
                                   Value keyRow, int64_t first, mlir::ValueRange carried);
  Emitter::Values correlateRow(PlacePairs &queries, PlacePairs &keys, Value row, Value keyRow,
                               Value first);
  Value weight(Value tap);
  Emitter::Values zeros(int64_t count);

  const WindowMixer &mixer;
  LaneEmitter group; ///< its sums have one scale
  Emitter &e;
  bool mirrored;
  int64_t parts;
  llvm::SmallVector<GridAxis> axes;
  Value table, rowSums, outsideWeight;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GRID_PLAINGRID_H
