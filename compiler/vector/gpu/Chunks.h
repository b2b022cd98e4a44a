//===- Chunks.h - What can be copied 16 bytes at a time -------------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_CHUNKS_H
#define AFT_COMPILER_VECTOR_GPU_CHUNKS_H

#include "mlir/IR/Value.h"

namespace aft {

/// Whether an index is known to be a multiple of `count`.
bool isMultipleOf(mlir::Value index, int64_t count);

/// Whether a memref is a part of an operand of the kernel whose rows, along the last
/// dimension, consist of runs of `count` elements that begin at multiples of `count`
/// elements from the operand's first.
bool consistsOfChunks(mlir::Value memref, int64_t count);

/// Elements that make 16 bytes, of which copies consist.
int64_t chunkOf(mlir::Value memref);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_CHUNKS_H
