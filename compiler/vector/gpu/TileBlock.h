//===- TileBlock.h - What a block of WindowTiles consists of --------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_TILEBLOCK_H
#define AFT_COMPILER_VECTOR_GPU_TILEBLOCK_H

#include "compiler/vector/gpu/Threads.h"
#include "compiler/vector/gpu/WindowTiles.h"

namespace aft {

/// How a block shares its work.
struct WindowSizes {
  static constexpr int64_t kThreads = 128;
  /// Lanes of a block, groups of positions, positions of a group, channels of the lanes,
  /// places of a window and of those of a group, items at once.
  int64_t lanes, groups, rows, width, taps, span, chunk;
  /// Channels that lanes have: all, or those of whole heads, or some of a head that is too wide
  /// and takes turns. Sums over later items that are kept.
  int64_t owned, turns = 1, checkpointCount;

  /// Whether there is room in shared memory.
  bool choose(const WindowTiles &tiles);

private:
  void shareChannels(const WindowTiles &tiles);
  int64_t numbers(const WindowTiles &tiles) const;
};

/// Emits one block. WindowTiles.cpp has what is found out about a tile in advance,
/// TileSums.cpp its items in shared memory and the sums over them.
class TileBlock : WindowSizes {
public:
  TileBlock(const WindowTiles &tiles, Emitter &e);
  void run(llvm::ArrayRef<mlir::Value> block);
  int64_t blockChannels() const { return turns > 1 ? tiles.perHead : owned; }

private:
  /// Items that a thread loads before it stores the first.
  static constexpr int64_t kAtOnce = 3;
  struct Place {
    mlir::Value lane, row; ///< first channel in the block, and group of positions
  };
  void
  forEachPlace(llvm::function_ref<void(LaneEmitter &, mlir::Value thread, const Place &)> body);
  void forEachColumn(llvm::function_ref<void(LaneEmitter &, mlir::Value column)> body);
  LaneEmitter groupAt(mlir::Value lane, int64_t lanes);
  mlir::Value exists(mlir::Value i) { return e.below(i, tiles.length); }
  mlir::Value positionOf(mlir::Value i);
  WindowCode::Item loadItem(LaneEmitter &group, mlir::Value i);
  MixState addRange(LaneEmitter &group, mlir::Value from, mlir::Value to, mlir::Value step,
                    const MixState &state);
  mlir::Value tooLarge(LaneEmitter &group, const WindowCode::Item &item, mlir::Value base);

  /// The number of a lane among those of all turns, for what stays from tile to tile.
  mlir::Value inTurn(mlir::Value lane) {
    return turns > 1 ? e.add(e.mul(turn, width), lane) : lane;
  }
  void forEachTurn(llvm::function_ref<void()> body);
  mlir::Value isOwn(mlir::Value lane);
  void addTile(mlir::Value first);
  void findCheckpoints();
  void keepLargestLeft(LaneEmitter &group, const Place &place, mlir::Value first, int64_t part);
  void sumLargestLeft(mlir::Value column, int64_t part);
  void sumLater(mlir::Value first);
  void rebase(mlir::Value first);
  void fillItems(mlir::Value first, mlir::Value start);
  void fillBiases(mlir::Value first, mlir::Value start);
  void fillHeadBiases(mlir::Value start);
  mlir::Value weightOf(mlir::Value j, llvm::function_ref<mlir::Value(mlir::Value safe)> load);
  void multiply(mlir::Value start);
  llvm::SmallVector<mlir::Value> sumItems(mlir::Value lane, mlir::Value from);
  void sumParts(mlir::Value first);
  void finish(mlir::Value first);
  void keepShared(mlir::Value number, mlir::Value lane);
  void finishHeads(mlir::Value first);
  void finishExactly(LaneEmitter &group, mlir::Value first, const Place &place, mlir::Value redo);

  mlir::Value at(mlir::Value memory, llvm::ArrayRef<int64_t> numbers, mlir::ValueRange rest,
                 int64_t lanes);
  void keep(mlir::Value value, mlir::Value memory, llvm::ArrayRef<int64_t> numbers,
            mlir::ValueRange rest);
  MixState kept(mlir::Value memory, mlir::ValueRange place, int64_t lanes);
  void keep(const MixState &state, mlir::Value memory, mlir::ValueRange place);

  const WindowTiles &tiles;
  Emitter &e;
  int64_t vectorLanes() const { return tiles.vector > 1 ? tiles.vector : 0; }

  /// [item][channel] twice, then what channels add to heads; exp(bias); sums of items by group; per
  /// channel; checkpoints.
  mlir::Value firsts, seconds, weights, parts, base, top, firstBad, carry, before, leftTop, later,
      checkpoints;
  mlir::Value sums;     ///< of a thread: [row][2][channel]
  mlir::Value headSums; ///< by position, of a head whose channels take turns
  mlir::Value batch, blockStart, firstChannel, items, spacing;
  mlir::Value turn; ///< null for the only one
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_TILEBLOCK_H
