//===- ChannelThreads.h - A thread for each channel of each position ------===//

#ifndef AFT_COMPILER_VECTOR_GPU_CHANNELTHREADS_H
#define AFT_COMPILER_VECTOR_GPU_CHANNELTHREADS_H

#include "compiler/vector/MixerCommon.h"

namespace aft {

/// Blocks of `threads` threads for 32 channels of some positions each: calls `body` for each
/// channel of each position.
void forEachChannelThread(Emitter &e, mlir::Type accumulation, mlir::Value batches,
                          mlir::Value positions, int64_t channels, int64_t perHead, int64_t threads,
                          llvm::function_ref<void(LaneEmitter &, mlir::Value position)> body);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_CHANNELTHREADS_H
