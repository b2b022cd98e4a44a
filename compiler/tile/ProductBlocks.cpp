//===- ProductBlocks.cpp - How a matrix product is cut for the caches -----===//

#include "compiler/tile/ProductBlocks.h"

#include <algorithm>
#include <numeric>

using namespace aft;

/// Steps of K: a micro-product lasts long enough to hide reading and writing C.
static constexpr int64_t kDepth = 256;
/// Rows of a group: fewer do not pay for packing B.
static constexpr int64_t kLeastRows = 96;
/// Numbers of C in a group that something follows: they are on the stack.
static constexpr int64_t kMostNumbers = 256 * 1024;
/// Rows of a group that nothing follows: packing B takes as long as multiplying some
/// thirty rows, so more would gain little.
static constexpr int64_t kMostRowsAlone = 2048;
/// Where the number of threads is unknown.
static constexpr int64_t kTypicalThreads = 8;
/// Where the number of columns is unknown.
static constexpr int64_t kTypicalColumns = 1024;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static int64_t roundUp(int64_t a, int64_t b) { return ceilDiv(a, b) * b; }

/// Registers: 32 with AVX-512, else 16; two hold the panel, one a number of A. Twelve rows
/// take a panel from the L2 cache less often than eight, which has been seen to gain 2 to
/// 5 %. Sums of pairs are copied about by LLVM, and so need registers of their own.
static int64_t stripOf(unsigned vectorBits, ProductUnit unit) {
  if (unit == ProductUnit::Tile)
    return 2 * kTileRows;
  if (vectorBits >= 512)
    return unit == ProductUnit::Number ? 12 : 8;
  return vectorBits >= 256 ? 6 : 4;
}

ProductBlocks aft::productBlocks(int64_t bytes, unsigned vectorBits, ProductUnit unit) {
  int64_t lanes = std::max<int64_t>(1, vectorBits / 8 / bytes);
  int64_t strip = stripOf(vectorBits, unit);
  // CPUs with AVX-512 have at least 1 MiB of L2 cache, others often 512 KiB.
  int64_t cache = vectorBits >= 512 ? 1 << 20 : 512 << 10;
  ProductBlocks blocks;
  blocks.strip = strip;
  blocks.whole = strip;
  if (unit != ProductUnit::Tile)
    blocks.whole = std::lcm(stripOf(vectorBits, ProductUnit::Number),
                            stripOf(vectorBits, ProductUnit::Pair));
  blocks.panel = 2 * lanes;
  blocks.depth = kDepth;
  // Whole vectors too: a transposed A is packed in squares of lanes x lanes.
  blocks.rows = std::lcm(strip, lanes);
  blocks.columns =
      std::max(blocks.panel, cache / 2 / (kDepth * bytes) / blocks.panel * blocks.panel);
  return blocks;
}

int64_t ProductTiles::Cut::operator()(int64_t rows) const {
  return std::clamp(roundUp(ceilDiv(rows, parts), multiple), least, most);
}

/// Two groups for each thread: one that is held up passes its second on.
static int64_t wantedGroups(int64_t threads) {
  return threads == 1 ? 1 : 2 * (threads > 0 ? threads : kTypicalThreads);
}

ProductTiles aft::productTiles(const ProductBlocks &blocks, int64_t columns, int64_t batch,
                               int64_t threads, bool alone) {
  columns = columns < 0 ? kTypicalColumns : std::max<int64_t>(columns, 1);
  int64_t wanted = ceilDiv(wantedGroups(threads), std::max<int64_t>(batch, 1));
  ProductTiles tiles;
  int64_t share = roundUp(ceilDiv(columns, wanted), blocks.panel);
  tiles.columns = {/*parts=*/1, blocks.panel,
                   std::clamp(share, std::min(4 * blocks.panel, blocks.columns), blocks.columns),
                   blocks.columns};
  // Tile registers multiply so fast that packing B more than once counts.
  if (blocks.strip == 2 * kTileRows && columns <= blocks.columns)
    tiles.columns.most = tiles.columns.least;
  tiles.rows.parts = ceilDiv(wanted, ceilDiv(columns, tiles.columns.most));
  tiles.rows.multiple = blocks.whole;
  tiles.rows.least = roundUp(kLeastRows, blocks.whole);
  int64_t most = alone ? kMostRowsAlone : std::min<int64_t>(kMostNumbers / blocks.columns, 512);
  tiles.rows.most = roundUp(most, blocks.whole);
  return tiles;
}
