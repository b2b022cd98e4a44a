//===- Threads.h - What kernels for blocks of threads are made of ---------===//
// A kernel for a GPU is a grid of blocks, an scf.forall with #gpu.block. Its body is a
// sequence of scf.foralls with #gpu.thread, after each of which all threads of the block
// wait for each other; what stands between them (indices, loops, branches) is the same for
// all threads. A memref.alloc is memory that the threads of a block share; a
// memref.alloca in front of the foralls has a first dimension of threads, and each uses its
// own row: numbers that stay in registers from one forall to the next.
//
// Such a kernel is run on a GPU by the nvvm phase, and on a CPU, with loops for the
// foralls, by aft-emulate-threads.

#ifndef AFT_COMPILER_VECTOR_GPU_THREADS_H
#define AFT_COMPILER_VECTOR_GPU_THREADS_H

#include "compiler/vector/Emitter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace aft {

/// Threads of a block, unless a kernel has reasons for another number.
constexpr int64_t kBlockThreads = 256;
/// Threads that execute together; a forall has at least so many.
constexpr int64_t kWarpThreads = 32;

/// What a memref of a static shape takes.
int64_t bytesOf(mlir::MemRefType type);

/// Whether a forall runs over the threads of a block.
bool isThreadForall(mlir::scf::ForallOp forall);

/// A grid of blocks with an index per extent.
void forEachBlock(Emitter &e, mlir::ArrayRef<mlir::Value> extents,
                  llvm::function_ref<void(mlir::ArrayRef<mlir::Value>)> body);

/// The same body in each of `count` threads, then a barrier.
void forEachThread(Emitter &e, int64_t count, llvm::function_ref<void(mlir::Value)> body);

/// Inside a thread: every `threads`-th of `count` things, from `thread` on.
void shareOut(Emitter &e, mlir::Value thread, int64_t threads, mlir::Value count,
              llvm::function_ref<void(mlir::Value)> body);

/// Inside a thread: a loop over every `step`-th number up to `end`, `atOnce` of them at a time, so
/// that none waits for what another one loads. Those beyond the end are others, for another time,
/// and do not exist.
Emitter::Values inBatches(
    Emitter &e, int64_t atOnce, mlir::Value first, mlir::Value end, mlir::Value step,
    mlir::ValueRange carried,
    llvm::function_ref<Emitter::Values(mlir::ArrayRef<mlir::Value> numbers,
                                       mlir::ArrayRef<mlir::Value> exist, mlir::ValueRange carried)>
        body);

/// Inside a thread: a loop over those of at most 32 conditions that are true, by their numbers,
/// so that the body stands in the code once.
void forEachTrue(Emitter &e, mlir::ValueRange conditions,
                 llvm::function_ref<void(mlir::Value number)> body);

/// Directly inside a forall of whole warps: a number of each thread, combined over groups of
/// `lanes` threads of a warp (aft_gpu.warp_reduce); the number itself for one.
mlir::Value reduceInWarp(Emitter &e, mlir::vector::CombiningKind kind, mlir::Value value,
                         int64_t lanes, int64_t stride = 1);

/// Memory that the threads of a block share, and memory [threads, shape...] of which each
/// thread has its own row.
mlir::Value sharedMemory(Emitter &e, mlir::ArrayRef<int64_t> shape, mlir::Type element);
mlir::Value threadMemory(Emitter &e, int64_t threads, mlir::ArrayRef<int64_t> shape,
                         mlir::Type element);

/// The grid of a kernel, or the loop that it has become, that alone uses a memory which threads
/// share; null where more does.
mlir::Operation *gridOf(mlir::memref::AllocOp memory);

/// Bytes that a block of a kernel shares. A block does a group of one grid, so that grids use the
/// same memory: the largest of each one, the second of each one, …. `oneMore`: those of another
/// grid, beside memory that nothing uses yet.
int64_t sharedBytes(mlir::Block &kernel, mlir::ArrayRef<int64_t> oneMore = {});
/// Whether another grid may share so much.
bool fitBesideGrids(Emitter &e, mlir::ArrayRef<int64_t> bytes);

/// Has the kernel take so few registers that `blocks` of its blocks fit on a multiprocessor, or as
/// few as one of its grids asks for.
void setResidentBlocks(Emitter &e, int64_t blocks);

/// A number in [0, product of extents) as indices, the last of which runs fastest.
llvm::SmallVector<mlir::Value> delinearize(Emitter &e, mlir::Value number,
                                           mlir::ArrayRef<mlir::Value> extents);
mlir::Value productOf(Emitter &e, mlir::ArrayRef<mlir::Value> extents);

/// A static bound of an extent; nothing where there is none.
std::optional<int64_t> mostOf(mlir::Value extent);

/// Says of the grids of a kernel that they run over blocks.
void mapGrids(mlir::func::FuncOp kernel);

/// Lets each thread do one group of the grids whose groups were made for a thread of a
/// CPU.
void groupsToThreads(mlir::func::FuncOp kernel);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_THREADS_H
