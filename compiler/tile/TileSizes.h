//===- TileSizes.h - How large the tiles of a kernel are ------------------===//

#ifndef AFT_COMPILER_TILE_TILESIZES_H
#define AFT_COMPILER_TILE_TILESIZES_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace aft {

/// What the choice of tile sizes depends on.
struct TileProblem {
  enum class Kind {
    Elementwise, ///< every operation of the kernel is elementwise
    Rows,        ///< reductions along loops that the last operation runs over
    Reduction,   ///< the last operation reduces
  };
  Kind kind = Kind::Elementwise;
  /// Extents of the last operation's loops, -1 where unknown.
  llvm::SmallVector<int64_t> extents;
  /// Which of its loops are parallel.
  llvm::SmallVector<bool> parallel;
  /// Rows: how many leading loops the reductions leave alone.
  int64_t rowLoops = 0;
  /// A tile is worked on by a block of threads of a GPU, not by one thread of a CPU.
  bool threadBlocks = false;
};

/// Tile size per loop; 0 leaves a loop whole. Tiles have 2^power times the elements
/// that suit most kernels. Matrix products: ProductBlocks.h.
llvm::SmallVector<int64_t> chooseTileSizes(const TileProblem &problem, int power = 0);

/// What a block of threads may share without asking for more.
constexpr int64_t kSharedBytes = 48 << 10;

/// Rows and columns of a matrix product's tile for a block of threads: one or two of these
/// units each way.
constexpr int64_t kThreadBlockUnit = 64;
struct BlockTile {
  int64_t rows, columns;
};
/// The tile for a product of so many rows and columns (-1: unknown). Where it is not
/// `alone`, what follows finds the tile in shared memory.
BlockTile chooseBlockTile(int64_t rows, int64_t columns, bool alone);

} // namespace aft

#endif // AFT_COMPILER_TILE_TILESIZES_H
