//===- WarpTile.h - How a product is cut for tensor cores -----------------===//

#ifndef AFT_COMPILER_TILE_WARPTILE_H
#define AFT_COMPILER_TILE_WARPTILE_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <cstdint>
#include <optional>

namespace aft {

/// A product C += A B by the tensor cores of a GPU.
struct WarpProblem {
  int64_t rows = -1, columns = -1; ///< of C; -1: unknown
  int64_t bits = 16;               ///< of a number of A and B
  int64_t sharedBytes = 0;         ///< that a block of threads may share
  /// Whether C, in f32, lies in shared memory too, where what follows finds it.
  bool sharesC = false;
};

/// A tile of C for a block of threads, and what each of its warps has of it. Parts of A and
/// B, `depth` steps of K each, lie in shared memory: one is in use, the others arrive.
struct WarpTile {
  int64_t rows = 0, columns = 0;
  int64_t warpRows = 0, warpColumns = 0;
  int64_t depth = 0, stages = 0;

  int64_t warps() const { return rows / warpRows * (columns / warpColumns); }
};

/// The bits of a factor's number, where tensor cores compute a product like this one: of bf16,
/// with `tf32` also of f32, summed in f32.
std::optional<int64_t> tensorCoreBits(mlir::linalg::LinalgOp product, bool tf32);

/// Numbers of 16 bytes, which are copied at once.
int64_t warpTileChunk(int64_t bits);
/// Numbers after each row of A and B in shared memory, so that what a warp loads at once lies
/// in different banks; `alongSteps`: a row goes along K.
int64_t warpTilePadding(int64_t bits, bool alongSteps);
/// What A and B take of shared memory at most, whichever way they lie there.
int64_t sharedBytesOf(const WarpTile &tile, int64_t bits);

/// Large tiles do more with what they load, but few of them leave a GPU idle. Nothing where
/// tensor cores do not multiply such numbers, or two parts do not fit into shared memory.
std::optional<WarpTile> chooseWarpTile(const WarpProblem &problem);

/// The same for a block's tile of at most so many rows and columns, which is given: only the
/// last step of that choice.
std::optional<WarpTile> splitAmongWarps(const WarpProblem &tile);

} // namespace aft

#endif // AFT_COMPILER_TILE_WARPTILE_H
