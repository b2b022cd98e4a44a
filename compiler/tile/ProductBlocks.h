//===- ProductBlocks.h - How a matrix product is cut for the caches -------===//

#ifndef AFT_COMPILER_TILE_PRODUCTBLOCKS_H
#define AFT_COMPILER_TILE_PRODUCTBLOCKS_H

#include <cstdint>

namespace aft {

/// The blocks of C += A * B in one thread. A strip of A times a panel of B stays
/// in registers while `depth` of K runs by; the strip stays in the L1 cache while
/// all panels of a block of B pass, and the block of B in the L2 cache while all
/// strips do.
struct ProductBlocks {
  int64_t strip;   ///< rows of C in registers
  int64_t panel;   ///< columns of C in registers
  int64_t depth;   ///< steps of K that are packed at once
  int64_t rows;    ///< rows of A that are packed at once, whole strips
  int64_t columns; ///< columns of B that are packed at once, whole panels
  int64_t whole;   ///< rows of a group are a multiple of it: strips of numbers and of pairs
};

/// What is multiplied at once: numbers of the type of the sums, or pairs of bf16 along K, in
/// vectors; or tiles of such pairs (AMX), two times two of which, 16 x 16 sums each, take
/// the place of vectors.
enum class ProductUnit : uint8_t { Number, Pair, Tile };

/// The blocks for sums of `bytes` each in vectors of `vectorBits`. A step of K takes as
/// many bytes: it is one number, or a pair.
ProductBlocks productBlocks(int64_t bytes, unsigned vectorBits,
                            ProductUnit unit = ProductUnit::Number);

/// Rows of a tile register, and steps of K in one.
inline constexpr int64_t kTileRows = 16;

/// The groups of a product's grid. Where the number of rows is known at run time
/// only, so are they: both extents are
///   clamp(ceil(rows / parts) rounded up to `multiple`, least, most).
struct ProductTiles {
  struct Cut {
    int64_t parts, multiple, least, most;
    int64_t operator()(int64_t rows) const;
  };
  Cut rows;    ///< rows of a group
  Cut columns; ///< columns of a group: few rows leave the columns to share out
};

/// The groups for `threads` (0: unknown) of `batch` products with `columns` each (-1:
/// unknown). A group packs its own A and B: large ones do less of it, many keep all
/// threads busy. Where the product is `alone`, nothing follows it in the same group.
ProductTiles productTiles(const ProductBlocks &blocks, int64_t columns, int64_t batch,
                          int64_t threads, bool alone = false);

} // namespace aft

#endif // AFT_COMPILER_TILE_PRODUCTBLOCKS_H
