//===- PairTiles.h - Sums over all pairs of positions, tile by tile -------===//

#ifndef AFT_COMPILER_VECTOR_GPU_PAIRTILES_H
#define AFT_COMPILER_VECTOR_GPU_PAIRTILES_H

#include "compiler/vector/MixerCommon.h"

#include <functional>

namespace aft {

/// For each channel of each output o, sums over items i of exp(x[i] + w[o,i]) times 1 and
/// times some values of i, relative to exp(m). A block has kTile outputs and channels, and
/// goes through tiles of items in shared memory, where it finds exp(w - a) and exp(x - c)
/// with the largest w of an output and x of a channel: a pair costs a product. Where the
/// largest pairs are not those of the largest w and x, so that the sum is too small, a
/// thread sums its tile pair by pair.
struct PairTiles {
  using Value = mlir::Value;
  mlir::Type element;
  int64_t channels = 0;
  int64_t values = 1; ///< per item, besides 1
  Value batches, outputs;
  /// The items [first, second) that some of the outputs [from, to) see.
  std::function<std::pair<Value, Value>(Value batch, Value from, Value to)> items;
  /// w, -inf where the output does not see the item.
  std::function<Value(Value batch, Value output, Value item)> bias;
  /// What items are made of: elements [batch, item, channel] of memrefs, so that tiles may be
  /// copied in the background. Of those of one, its values and x, -inf for an item that nobody
  /// sees.
  llvm::SmallVector<Value> sources;
  std::function<llvm::SmallVector<Value>(LaneEmitter &, llvm::ArrayRef<Value> loaded)> make;
  llvm::SmallVector<Value> itemAt(LaneEmitter &group, Value item) const;
  /// Receives m, -inf without any item, and the sums, that of 1 first.
  std::function<void(LaneEmitter &, Value output, Value m, mlir::ValueRange sums)> finish;

  void run(Emitter &e) const;
  /// The same by tensor cores, for f32: exp(w - a) and exp(x - c), also times a value, are
  /// rounded to `factor`, bf16, or where that is f32 to TF32 (PairWarps.cpp).
  void runByWarps(Emitter &e, mlir::Type factor) const;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_PAIRTILES_H
