//===- Arena.h - Offsets of temporaries in one block of memory ------------===//
// A size is a product of dynamic extents times a number of bytes. Temporaries
// with the same dynamic factors share one region, in which they are packed by
// their bytes per unit of those factors: 12 layers' activations of [B, T, d]
// reuse each other's memory whatever B and T are.

#ifndef AFT_COMPILER_KERNELS_ARENA_H
#define AFT_COMPILER_KERNELS_ARENA_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

namespace aft {

struct Temporary {
  /// Dynamic extents, in a fixed order, and the bytes per unit of their
  /// product.
  llvm::SmallVector<mlir::Value> factors;
  int64_t bytes = 0;
  /// Positions of the first write and the last use, both included.
  int64_t first = 0, last = 0;
  /// Results: the region and the offset in units of the factors.
  unsigned region = 0;
  int64_t offset = 0;
};

struct ArenaRegion {
  llvm::SmallVector<mlir::Value> factors;
  int64_t bytes = 0; ///< per unit of the factors
};

/// Granularity of offsets: a region without factors is in steps of 64 bytes;
/// in others, offsets are multiples of 16 bytes per unit and the number of
/// units is rounded up to a multiple of 4, which gives 64 again.
inline constexpr int64_t arenaAlignment = 64;
inline constexpr int64_t unitAlignment = 16;
inline constexpr int64_t unitMultiple = 4;

/// Gives every temporary a place such that two that are alive at the same time
/// do not overlap. Largest first, each at the lowest offset that is free.
llvm::SmallVector<ArenaRegion> packArena(llvm::MutableArrayRef<Temporary> values);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_ARENA_H
