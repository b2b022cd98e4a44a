//===- BlockSums.h - Long sums by the threads of a block ------------------===//

#ifndef AFT_COMPILER_VECTOR_GPU_BLOCKSUMS_H
#define AFT_COMPILER_VECTOR_GPU_BLOCKSUMS_H

#include "compiler/vector/gpu/Threads.h"

namespace aft {

/// Sums of a block: `count` of them, of one type, shared by its threads.
struct BlockSums {
  using Value = mlir::Value;
  mlir::Type type;
  int64_t count, threads = kBlockThreads;

  /// `part` makes what one of `lanes` threads contributes to sum `number`, `store` takes
  /// the whole sum. Parts are added in a fixed order.
  void run(Emitter &e, llvm::function_ref<Value(Value number, Value lane, int64_t lanes)> part,
           llvm::function_ref<void(Value sum, Value number)> store) const;

  /// The same where each thread has a part of every sum: `parts` makes them.
  void runAll(Emitter &e, llvm::function_ref<llvm::SmallVector<Value>(Value thread)> parts,
              llvm::function_ref<void(Value sum, Value number)> store) const;

private:
  void combine(Emitter &e, Value parts, int64_t lanes,
               llvm::function_ref<void(Value sum, Value number)> store) const;
};

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_BLOCKSUMS_H
