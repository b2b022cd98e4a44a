//===- BlockSums.h - Long sums by the threads of a block ------------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_BLOCKSUMS_H
#define AFT_COMPILER_VECTOR_GPU_BLOCKSUMS_H

#include "compiler/vector/gpu/Threads.h"

namespace aft {

/// Sums of a block: `count` of them, of one type of number, shared by its threads. Both are
/// powers of two. Threads of a warp combine theirs by shuffles, warps in shared memory.
struct BlockSums {
  using Value = mlir::Value;
  mlir::Type type;
  int64_t count, threads = kBlockThreads;

  /// `part` makes, directly inside a forall, what one of `lanes` threads contributes to sum
  /// `number`, `store` takes the whole sum. Parts are added in a fixed order.
  void run(Emitter &e, llvm::function_ref<Value(Value number, Value lane, int64_t lanes)> part,
           llvm::function_ref<void(Value sum, Value number)> store) const;

  /// The same where each thread has a part of every sum: `parts` makes them.
  void runAll(Emitter &e, llvm::function_ref<llvm::SmallVector<Value>(Value thread)> parts,
              llvm::function_ref<void(Value sum, Value number)> store) const;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_BLOCKSUMS_H
