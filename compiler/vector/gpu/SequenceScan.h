//===- SequenceScan.h - Sums along a sequence by a block of threads -------===//

#ifndef AFT_COMPILER_VECTOR_GPU_SEQUENCESCAN_H
#define AFT_COMPILER_VECTOR_GPU_SEQUENCESCAN_H

#include "compiler/vector/window/ProductScan.h"

#include <functional>

namespace aft {

/// For each channel, the sum of all items of a sequence, or for each position that of the
/// items up to it. A block has the channels of a few 16-byte vectors; its threads share
/// the sequence. Items are loaded once: of running sums a tile stays in registers, each
/// thread with some positions in a row, while the threads' sums are summed.
struct SequenceScan {
  using Value = mlir::Value;
  mlir::Type accumulation;
  int64_t channels = 0;
  /// Channels of a thread: those of a vector of 16 bytes, where rows consist of such.
  int64_t vector = 1;
  bool running = false, downward = false;
  Value batches, length;
  /// How many items there are, in a batch entry.
  std::function<Value(Value batch)> items;
  /// `load` makes an item, `finish` receives the sums of a position.
  WindowCode code;
  /// Called once for each position, where its item is loaded; may be null.
  std::function<void(LaneEmitter &, Value t)> visit;

  void run(Emitter &e) const;
};

/// Channels that a thread loads at once from rows of `channels` numbers like those of
/// `memref`: a vector of 16 bytes where rows consist of such.
int64_t vectorChannels(mlir::Value memref, int64_t channels);

/// As LaneEmitter::merge, with one exponential.
MixState mergeStates(Emitter &e, const MixState &a, const MixState &b);
/// One item more, with one exponential.
MixState addItem(LaneEmitter &group, const MixState &state, const WindowCode::Item &item);
/// Some items more, with one exponential for each and one.
MixState addItems(LaneEmitter &group, const MixState &state,
                  llvm::ArrayRef<WindowCode::Item> items);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_SEQUENCESCAN_H
