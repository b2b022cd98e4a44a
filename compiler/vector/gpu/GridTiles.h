//===- GridTiles.h - Windows of a grid, tile by tile ----------------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_GRIDTILES_H
#define AFT_COMPILER_VECTOR_GPU_GRIDTILES_H

#include "compiler/vector/window/ProductScan.h"

#include <functional>

namespace aft {

/// What WindowTiles is to a sequence, for positions on a grid of planes of rows and columns. A
/// block has some channels of a batch entry, and goes through the grid in tiles of rows. The
/// items of a tile and of the windows beyond it lie in shared memory as products with
/// exp(x - base), all of the grid where there is room, else of one plane that the windows reach after
/// the other; what an item adds to all channels of its head lies there once. So a pair costs a
/// multiplication and an addition per channel, and one per head. What is outside of a window is
/// summed, never subtracted: planes, and rows of its planes, before and after it, and what is
/// left and right of it in its rows. Where a row has no room, a tile is a part of one, beside
/// which segments of the row are summed. All outputs see all items, so that the largest is
/// seen; where the biases of a head are not moderate, its block's outputs are computed pair by
/// pair.
struct GridTiles {
  using Value = mlir::Value;
  mlir::Type accumulation;
  int64_t channels = 0, perHead = 1;
  /// Extents, and the window as it is seen from an output.
  GridAxis planes = {1, 0, 0}, rows, columns;
  int64_t rowCount() const { return planes.extent * rows.extent; }
  int64_t length() const { return rowCount() * columns.extent; }
  int64_t taps() const { return planes.taps() * rows.taps() * columns.taps(); }
  Value batches;
  /// How many items there are, in a batch entry.
  std::function<Value(Value batch)> items;
  /// The bias of a place of the window.
  std::function<Value(Value head, Value place)> bias;
  /// `load` makes an item, whose exponent and `second` are those of its head, `finish` receives
  /// the sums of an output for a channel.
  WindowCode code;
  /// Called once for each position and channel; may be null.
  std::function<void(LaneEmitter &, Value t)> visit;
  /// Computes an output from its pairs: for a channel; for a head, which a group of its first
  /// channel stands for, may be null.
  std::function<void(LaneEmitter &, Value t)> exact, exactHead;
  /// Where outputs are sums over the channels of a head, too, which then lie in one block, in
  /// turns if they are many, items add the `second` of all channels to their head. `share` is
  /// called in place of `finish`, with the sums of a channel alone, and says what it adds to the
  /// head's sum; `finishHead` receives the sums of a head and that sum.
  std::function<Value(LaneEmitter &, Value t, const MixState &)> share;
  std::function<void(LaneEmitter &, Value t, const MixState &, Value shared)> finishHead;

  /// Whether tiles have room in shared memory.
  bool fit() const;
  void run(Emitter &e) const;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_GRIDTILES_H
