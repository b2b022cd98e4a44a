//===- GridBlock.h - What a block of GridTiles consists of ----------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_GRIDBLOCK_H
#define AFT_COMPILER_VECTOR_GPU_GRIDBLOCK_H

#include "compiler/vector/gpu/GridTiles.h"
#include "compiler/vector/gpu/Threads.h"

namespace aft {

/// How a block shares its work. Lanes are its channels, then their heads.
struct GridSizes {
  int64_t width, heads;  ///< channels of the block, and heads these may belong to
  int64_t turns = 1;     ///< that the channels of a head take, of which a block then has one
  int64_t own, segments; ///< columns that a thread computes, and threads of a row
  int64_t tileSegments;  ///< of them, those of a tile: less where a row has no room
  int64_t tile, held; ///< rows of a tile, and rows that lie in shared memory: of one plane, or all
  int64_t lanes() const { return width + heads; }
  int64_t parts() const { return kBlockThreads / lanes(); } ///< threads of a lane
  /// Threads that share the largest number of a head.
  int64_t headParts() const { return std::min(kWarpThreads, kBlockThreads / heads); }
  bool isCut() const { return tileSegments < segments; }
  int64_t tileColumns() const { return tileSegments * own; }
  /// Columns beside a tile that is cut: whole segments.
  int64_t padding(int64_t reached) const { return (reached + own - 1) / own * own; }
  /// Columns that lie in shared memory: where several threads share a row, with zeros around it.
  int64_t stride(const GridTiles &tiles) const;
  bool holdAll(const GridTiles &tiles) const { return !isCut() && held == tiles.rowCount(); }
  /// Numbers in shared memory.
  int64_t numbers(const GridTiles &tiles) const;
  bool fit(const GridTiles &tiles) const;
  bool chooseRows(const GridTiles &tiles, int64_t least);
  bool cutRow(const GridTiles &tiles);

  /// Nothing where a tile has no room.
  static std::optional<GridSizes> choose(const GridTiles &tiles);
};

/// Emits one block. GridTiles.cpp has its items and the sums of rows, GridSums.cpp those of
/// windows.
class GridBlock {
public:
  using Value = mlir::Value;
  GridBlock(const GridTiles &tiles, const GridSizes &sizes, Emitter &e);
  void run(llvm::ArrayRef<Value> block);

private:
  /// Numbers that a thread loads before it waits for the first.
  static constexpr int64_t kAtOnce = 4;
  /// A thread and its lane, that of a channel or of a head.
  struct Place {
    Value thread, lane, part;
    Value isChannel, exists;
    Value head;        ///< its number in the block
    LaneEmitter group; ///< the channel, or the head's first one
  };
  void forEachPlace(llvm::function_ref<void(const Place &)> body);
  LaneEmitter groupAt(Value channel);
  Value firstChannelOf(Value head);
  Value none() { return e.number(tiles.accumulation, 0); }

  void combineParts(int64_t parts);
  Value findLargest();
  void makeWeights(Value thread);
  Value secondOf(const Place &place, Value t);
  llvm::SmallVector<Value> itemsAt(const Place &place, llvm::ArrayRef<Value> positions);
  void clear(Value thread);
  void fill(const Place &place, Value firstRow);
  void fillPart(const Place &place, Value firstRow);
  void sumRows(const Place &place);
  void sumPlanes(const Place &place);
  void sumOtherRows(const Place &place);
  Value addSegments(const Place &place, Value row, Value first, Value last, Value sum);
  Value addHeld(const Place &place, Value heldRow, Value first, Value last, Value sum);
  void sumEdges(const Place &place);
  void sumPartEdges(const Place &place, Value firstRow);
  void forEachTurn(llvm::function_ref<void()> body);
  void visit();
  void addTile(Value firstRow);
  void addTiles();
  void fast();
  void exact();

  struct WindowSums;
  Value rowOf(const Place &place, Value firstRow);
  Value columnOf(const Place &place);
  /// Of a row of the tile. It is one number, so that those beside it are a constant away.
  Value placeInTile(Value row, Value column) {
    return e.add(e.mul(row, sizes.tileColumns()), column);
  }
  bool isPlane() const { return tiles.planes.extent == 1; }
  bool holdAll() const { return sizes.holdAll(tiles); }
  /// Where a row, counted through all planes, is.
  std::pair<Value, Value> planeAndRow(Value row);
  std::pair<Value, Value> reachOf(const GridAxis &axis, Value place);
  Value exists(const Place &place, Value firstRow);
  Value outside(const Place &place);
  WindowSums noSums();
  void startSums(const Place &place, Value firstRow);
  void addPlane(const Place &place, Value row, Value plane, WindowSums &sums);
  void addColumns(const WindowSums &sums, llvm::MutableArrayRef<Value> others);
  void multiply(const Place &place, Value firstRow, Value plane);
  void addRow(const Place &place, Value heldRow, Value firstTap, WindowSums &sums);
  MixState scaleOf(Value head);
  void finish(const Place &place, Value firstRow);
  void finishHeads(Value firstRow);

  const GridTiles &tiles;
  const GridSizes sizes;
  Emitter &e;
  int64_t taps;
  /// [row][column][lane]; [place][head]; per lane the sums of rows, of planes, and of rows that a
  /// row's windows do not reach; sums left and right of what a segment's windows reach.
  Value items, weights, rowSums, planeSums, otherRows, edges;
  /// Per head: sums of a tile's positions; parts of the largest; the largest exponent and bias,
  /// and the range of the biases. Per channel: what positions add to heads.
  Value headSums, largestParts, largest, shares;
  Value sums;     ///< of a thread: its columns
  Value turnSums; ///< of a head, [its sum, what channels share][position], from earlier turns
  Value batch, firstChannel, endChannel, firstHead, count;
  Value turn;              ///< where there are several
  Value endRow, firstHeld; ///< of what a tile may have, and of what lies in shared memory
  Value firstColumn;       ///< of a tile that is cut
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_GRIDBLOCK_H
