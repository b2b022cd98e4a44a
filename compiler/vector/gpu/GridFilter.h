//===- GridFilter.h - Gradient of a filter on a grid, or of a sequence ----===//

#ifndef AFT_COMPILER_VECTOR_GPU_GRIDFILTER_H
#define AFT_COMPILER_VECTOR_GPU_GRIDFILTER_H

#include "compiler/vector/window/WindowMixers.h"

namespace aft {

/// dfilter of conv. A block has some heads, some rows of their filters, and goes through the batch
/// in tiles of rows, or of parts of a row where that is a sequence or has no room; they lie in
/// shared memory as products with exp(x - base), as in GridTiles. A thread has a channel, or what
/// the channels of a head share, and some columns of some of the rows, and keeps a sum for each of
/// the block's taps in registers: a pair costs a multiplication and an addition. Where the filters
/// of a block are not moderate, `exact` computes its numbers one by one; it emits loops over
/// threads. False where tiles have no room in shared memory, beside what the grids in front share.
bool emitGridFilter(const WindowMixer &mixer, Emitter &e, int64_t threads,
                    llvm::function_ref<void(mlir::Value head, mlir::Value tap)> exact);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_GRIDFILTER_H
