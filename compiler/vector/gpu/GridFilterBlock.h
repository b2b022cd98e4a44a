//===- GridFilterBlock.h - What a block of GridFilter consists of ---------===//
// A sequence is a grid of one row whose length is not known.

#ifndef AFT_COMPILER_VECTOR_GPU_GRIDFILTERBLOCK_H
#define AFT_COMPILER_VECTOR_GPU_GRIDFILTERBLOCK_H

#include "compiler/vector/gpu/Threads.h"
#include "compiler/vector/window/WindowMixers.h"

namespace aft {

/// How blocks and threads share the work. Lanes are channels, then their heads.
struct FilterSizes {
  /// Planes, rows and columns; threads of a block.
  llvm::SmallVector<GridAxis> axes;
  int64_t threads;
  int64_t heads = 1, width = 1, pieces = 1; ///< of a block; its channels, and turns they take
  int64_t own, segments;                    ///< columns of a thread, and threads of a row
  int64_t taps, groups;                     ///< of a row of the filter, and blocks that share it
  int64_t tapRows, rowBlocks;               ///< rows of the filter, and blocks that share them
  int64_t tile, held;                       ///< rows of queries and of keys in shared memory
  bool isCut = false;                       ///< whether a tile is a part of a row

  int64_t lanes() const { return width + heads; }
  int64_t parts() const { return threads / lanes(); } ///< threads of a lane
  /// Threads that share a head's keys or biases.
  int64_t headParts() const { return std::min(kWarpThreads, threads / heads); }
  int64_t perHead() const { return width / heads; } ///< channels of a head in a turn
  /// Whether a thread has all columns and all taps, so that no pair lies beside the grid. Else
  /// there are zeros around rows.
  bool isWhole() const { return !isCut && segments == 1 && groups == 1; }
  int64_t queryStride() const { return segments * own; }
  /// Of a tile that is cut, only what the block's taps reach.
  int64_t keyStride() const {
    return isWhole() ? own : segments * own + (isCut ? 1 : groups) * taps - 1;
  }
  /// Where the first column of the grid stands.
  int64_t padding() const { return isWhole() || isCut ? 0 : axes[2].before; }
  /// Taps whose sums threads add up together.
  static constexpr int64_t kSummed = 4;
  /// Of what threads share: queries, keys, sums of threads and lanes, parts of what heads have,
  /// and that itself.
  llvm::SmallVector<llvm::SmallVector<int64_t>> shapes() const;

  FilterSizes(const WindowMixer &mixer, int64_t threads);
  void shareTaps(const WindowMixer &mixer, int64_t bytes);
  void shareChannels(const WindowMixer &mixer, int64_t most);
  bool fit(Emitter &e, int64_t bytes) const;
  bool chooseRows(const WindowMixer &mixer, Emitter &e, int64_t bytes);
  bool cutRows(const WindowMixer &mixer, Emitter &e, int64_t bytes);
};

/// Emits one block. GridFilter.cpp has what it loads, GridFilterSums.cpp its sums.
class FilterBlock {
public:
  using Value = mlir::Value;
  FilterBlock(const WindowMixer &mixer, const FilterSizes &sizes, Emitter &e,
              llvm::function_ref<void(Value, Value)> exact);
  void run(llvm::ArrayRef<Value> block);
  int64_t tapBlocks() const { return axes[0].taps() * sizes.rowBlocks * sizes.groups; }

private:
  /// A channel at a place of the tile.
  struct Item {
    LaneEmitter group;
    Value lane, isAnothers{}; ///< null where none is
    Value base{}, centre{};   ///< m, and what v and R are less
    Value row{}, column{};    ///< in shared memory
  };
  /// Where a column of a tile is in memory.
  struct Source {
    Value isQuery, exists, query, key;
  };
  LaneEmitter groupAt(Value channel);
  Value biasOf(Value head, Value tap) {
    return e.convert(e.load(mixer.bias, {head, tap}, 0), type);
  }
  Value tapOf(Value row, Value column) {
    Value first = e.add(e.mul(tapPlane, axes[1].taps()), row);
    return e.add(e.mul(first, axes[2].taps()), column);
  }
  using Combine = llvm::function_ref<Value(Value, Value)>;
  void forHeads(llvm::function_ref<llvm::SmallVector<Value>(Value part, Value head)> parts,
                Combine larger, double none,
                llvm::function_ref<void(llvm::ArrayRef<Value>, Value head)> store);
  Value areModerate();
  Value findRange();
  Value largestOf(Value part, Value first, Value end, llvm::function_ref<Value(Value)> load);
  void findBases();
  Value findTileBases();
  void clear(Value thread);
  void fill(Value thread);
  llvm::SmallVector<Value> queryAt(Item &item, Value t);
  Source sourceOf(const Item &item, Value number);
  void storeKey(Item &item, Value t);
  void shareHeads(Value thread);
  void addTile();
  void addTiles();
  void multiply(Value thread);
  void multiplyExactly(Value thread);
  void
  forPieces(Value thread,
            llvm::function_ref<Emitter::Values(Value lane, Value piece, mlir::ValueRange)> body);
  Emitter::Values addPiece(Value lane, Value piece, mlir::ValueRange sums);
  Emitter::Values addRow(llvm::ArrayRef<Value> row, Value keyRow, Value column, Value lane,
                         mlir::ValueRange sums);
  void finish();
  void fast();
  void exactly();

  Value middle(LaneEmitter &group) {
    return group.load(mixer.ratio, e.sub(e.dim(mixer.q, 1), e.index(1)));
  }
  int64_t sumCount() const { return sizes.tapRows * sizes.taps; }
  Value none() { return e.number(type, 0); }
  /// Those of the threads that share a number of lanes evenly.
  void whenPart(Value part, int64_t lanes, llvm::function_ref<void()> body) {
    int64_t parts = sizes.threads / lanes;
    sizes.threads % lanes == 0 ? body() : e.when(e.less(part, e.index(parts)), body);
  }

  const WindowMixer &mixer;
  const FilterSizes sizes;
  llvm::ArrayRef<GridAxis> axes;
  Emitter &e;
  llvm::function_ref<void(Value, Value)> exact;
  mlir::Type type;
  /// [row][column][lane], twice; sums of [tap][thread] and [tap][lane]; [number][part][head] and
  /// [number][head]: the base, what must be moderate, the largest bias.
  Value queries, keys, threadSums, laneSums, headParts, ofHeads;
  Value sums; ///< of a thread: its taps
  /// Where there are too few heads or channels for a last block or turn, it begins with some that
  /// belong to another.
  Value firstHead, ownHead, firstChannel, ownChannel;
  Value tapPlane, firstTapRow, firstTap;
  Value batch, count, width; ///< keys that are seen, and columns of the grid
  Value firstRow, rows;      ///< rows of the tile that exist
  Value firstColumn;         ///< of a tile that is cut
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_GRIDFILTERBLOCK_H
