//===- GridScan.h - Sums over everything outside a window of a grid -------===//

#ifndef AFT_COMPILER_VECTOR_GRID_GRIDSCAN_H
#define AFT_COMPILER_VECTOR_GRID_GRIDSCAN_H

#include "compiler/vector/MixerCommon.h"

#include <functional>

namespace aft {

/// The extent of a grid on one axis, and of the window around an output.
struct GridAxis {
  int64_t extent, before, after;
  int64_t taps() const { return before + after + 1; }
};

/// What WindowScan is to a sequence, for positions laid out row-major on three
/// axes. What is outside the window of an output lies in planes before and after
/// it, in rows before and after it of the planes it reaches, or in columns
/// before and after it of the rows it reaches. Each of the three is a sequence
/// of sums, so that an output costs as many additions as its window has rows.
class GridScan {
public:
  using Value = mlir::Value;
  using Axis = GridAxis;
  /// Adds the item of a row (counted through all planes) to a state.
  using Add = std::function<MixState(const MixState &, Value row, Value column)>;
  /// Receives the sums outside the window of output `i`.
  using Finish = std::function<void(Value i, llvm::ArrayRef<MixState>)>;

  /// `axes`: planes, rows, columns. Items from `items` on do not exist;
  /// `itemsMayEnd` tells whether there can be any in the grid.
  GridScan(LaneEmitter &group, llvm::ArrayRef<Axis> axes, Value items, bool itemsMayEnd, Add add,
           Finish finish)
      : group(group), axes(axes), items(items), itemsMayEnd(itemsMayEnd), add(std::move(add)),
        finish(std::move(finish)) {}

  /// Called before the outputs of a row.
  std::function<void(Value plane, Value row)> beforeRow;

  void run();

private:
  /// The sums of each place of an axis, and those from a place on.
  struct Line {
    const Axis *axis;
    Value own, from;
  };
  using Place = llvm::function_ref<MixState(Value place)>;

  Line makeLine(const Axis &axis);
  void fill(const Line &line, Place sumOf);
  void fillFrom(const Line &line);
  void fillColumns(Value plane, Value row);
  void walk(const Line &line, llvm::function_ref<void(Value place, llvm::ArrayRef<MixState>)> body);
  std::pair<Value, Value> reach(const Axis &axis, Value place);
  MixState addRow(Value row, const MixState &state);
  MixState addIfThere(Value row, Value column, const MixState &state);
  void planes();
  void rows(Value plane, llvm::ArrayRef<MixState> outside);
  void columns(Value plane, Value row, llvm::ArrayRef<MixState> outside);

  LaneEmitter &group;
  llvm::SmallVector<Axis> axes;
  Value items;
  bool itemsMayEnd;
  Add add;
  Finish finish;
  Line lines[3];
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GRID_GRIDSCAN_H
