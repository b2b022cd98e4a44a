//===- WindowTiles.h - Windows of a sequence, tile by tile ----------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_WINDOWTILES_H
#define AFT_COMPILER_VECTOR_GPU_WINDOWTILES_H

#include "compiler/vector/window/ProductScan.h"

#include <functional>

namespace aft {

/// For each position, the sum of all items, those in its window weighted with exp(bias). A
/// block has some channels and goes through the sequence in tiles of positions. Items are
/// loaded once per tile, and those of its windows beyond it, and lie in shared memory as
/// products with exp(x - base): so a pair costs two multiplications and additions. Where
/// there are only items up to the end of a window, the base depends on items alone that
/// all positions of the tile see; where an item is far above it, or a bias is not
/// moderate, positions are computed pair by pair.
///
/// Positions and items are counted in the direction of the scan.
struct WindowTiles {
  using Value = mlir::Value;
  mlir::Type accumulation;
  /// Channels, of a thread's vector, and of one head of the keys.
  int64_t channels = 0, vector = 1, perHead = 1;
  /// The window of position i: items i - before to i + after. `above`: items after it
  /// count too.
  int64_t before = 0, after = 0;
  bool above = false, downward = false;
  Value batches, length;
  /// How many items there are, in a batch entry.
  std::function<Value(Value batch)> items;
  /// Place j of the window of a position: the bias of all channels, or `perHeadBias` of
  /// those of a head.
  bool perHeadBias = false;
  std::function<Value(Value position, Value item, Value j)> bias;
  std::function<Value(Value head, Value j)> headBias;
  WindowCode code; ///< all but `exact`
  /// Computes a position from what is outside of its window: before, and after it.
  std::function<void(LaneEmitter &, Value t, llvm::ArrayRef<MixState>)> exact;
  /// Called once for each position; may be null.
  std::function<void(LaneEmitter &, Value t)> visit;
  /// Where outputs are sums over the channels of a head, too, which then lie in one block: what
  /// each channel adds to them, as code.finish or `exact` has just made it; `finishHead` receives
  /// the sum for a head, which a group of its first channel stands for.
  std::function<Value()> shared;
  std::function<void(LaneEmitter &, Value t, Value sum)> finishHead;

  /// Whether tiles have room in shared memory.
  bool fit() const;

  void run(Emitter &e) const;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_WINDOWTILES_H
