//===- SegmentScan.h - Running sums of a sequence by a block of threads ---===//

#ifndef AFT_COMPILER_VECTOR_GPU_SEGMENTSCAN_H
#define AFT_COMPILER_VECTOR_GPU_SEGMENTSCAN_H

#include "compiler/vector/MixerCommon.h"

#include <functional>

namespace aft {

/// Sums over everything below and above a window, for each position of a sequence, as
/// WindowScan on a CPU. A block has some channels; its threads share the sequence in
/// segments: each sums its own, then goes through it from the sums of the others on.
struct SegmentScan {
  using Value = mlir::Value;
  mlir::Type accumulation;
  int64_t channels = 0, perHead = 1;
  /// The window of position t: from t - before to t + after.
  int64_t before = 0, after = 0;
  bool below = false, above = false;
  Value batches, length;
  /// How many items there are, in a batch entry.
  std::function<Value(Value batch)> items;
  std::function<MixState(LaneEmitter &, const MixState &, Value item)> add;
  /// Receives the sums below and above, as far as there are such.
  std::function<void(LaneEmitter &, Value t, llvm::ArrayRef<MixState>)> finish;

  void run(Emitter &e) const;
};

/// Blocks with threads for kChannels channels of some positions each: calls `body` for each
/// channel of each position.
void forEachChannelThread(Emitter &e, mlir::Type accumulation, mlir::Value batches,
                          mlir::Value positions, int64_t channels, int64_t perHead,
                          llvm::function_ref<void(LaneEmitter &, mlir::Value position)> body);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_SEGMENTSCAN_H
