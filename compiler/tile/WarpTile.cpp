//===- WarpTile.cpp - How a product is cut for tensor cores ---------------===//

#include "compiler/tile/WarpTile.h"

#include <algorithm>

using namespace mlir;
using namespace aft;

/// Rows and columns of a block's tile. A warp has at least 16 x 16: what it loads at once.
static constexpr int64_t kMost = 128, kLeast = 16;
/// Warps of a block, as many threads as other kernels have.
static constexpr int64_t kWarps = 8;
/// Bytes of a row of A along K that are copied together: whole sectors of 32 bytes.
static constexpr int64_t kDepthBytes = 64;
/// More parts of K would only fill shared memory.
static constexpr int64_t kMostStages = 4, kLeastStages = 2;
/// So many blocks keep a GPU busy.
static constexpr int64_t kManyBlocks = 128;
/// An unknown extent is taken for this.
static constexpr int64_t kTypicalExtent = 1024;
static constexpr int64_t kChunkBytes = 16, kSumBytes = 4;

static int64_t ceilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The least tile side that is enough for `extent`.
static int64_t sideFor(int64_t extent) {
  int64_t side = kLeast;
  while (side < kMost && side < extent)
    side *= 2;
  return side;
}

std::optional<int64_t> aft::tensorCoreBits(linalg::LinalgOp product, bool tf32) {
  auto typeOf = [&](int64_t operand) {
    return getElementTypeOrSelf(product->getOperand(operand).getType());
  };
  Type type = typeOf(0);
  bool known = type.isBF16() || (tf32 && type.isF32());
  if (!known || typeOf(1) != type || !typeOf(2).isF32())
    return std::nullopt;
  return type.getIntOrFloatBitWidth();
}

int64_t aft::warpTileChunk(int64_t bits) { return kChunkBytes * 8 / bits; }

/// ldmatrix loads 16 bytes of each of eight rows. It does not turn numbers of 32 bits: where
/// these lie across, a warp loads eight neighbours of each of four rows.
int64_t aft::warpTilePadding(int64_t bits, bool alongSteps) {
  return warpTileChunk(bits) * (bits == 16 || alongSteps ? 1 : 2);
}

/// Of one part.
static int64_t partBytes(const WarpTile &tile, int64_t bits) {
  auto bytes = [&](int64_t side) {
    return std::max(side * (tile.depth + warpTilePadding(bits, /*alongSteps=*/true)),
                    tile.depth * (side + warpTilePadding(bits, /*alongSteps=*/false))) *
           bits / 8;
  };
  return bytes(tile.rows) + bytes(tile.columns);
}

int64_t aft::sharedBytesOf(const WarpTile &tile, int64_t bits) {
  return tile.stages * partBytes(tile, bits);
}

/// Shares the tile out so that warps load as little as possible.
static void splitSides(WarpTile &tile) {
  int64_t warps = std::min(kWarps, tile.rows / kLeast * (tile.columns / kLeast)), best = 0;
  for (int64_t down = 1; down <= warps; down *= 2) {
    int64_t rows = tile.rows / down, columns = tile.columns / (warps / down);
    if (rows < kLeast || columns < kLeast || (best > 0 && rows + columns >= best))
      continue;
    best = rows + columns;
    tile.warpRows = rows;
    tile.warpColumns = columns;
  }
}

std::optional<WarpTile> aft::splitAmongWarps(const WarpProblem &problem) {
  if ((problem.bits != 16 && problem.bits != 32) || problem.rows > kMost || problem.columns > kMost)
    return std::nullopt;
  WarpTile tile;
  tile.rows = sideFor(problem.rows);
  tile.columns = sideFor(problem.columns);
  tile.depth = kDepthBytes * 8 / problem.bits;
  splitSides(tile);
  int64_t room = problem.sharedBytes;
  if (problem.sharesC)
    room -= tile.rows * tile.columns * kSumBytes;
  tile.stages = std::min(kMostStages, room / partBytes(tile, problem.bits));
  return tile.stages >= kLeastStages ? std::optional(tile) : std::nullopt;
}

std::optional<WarpTile> aft::chooseWarpTile(const WarpProblem &problem) {
  int64_t rows = problem.rows < 0 ? kTypicalExtent : problem.rows;
  int64_t columns = problem.columns < 0 ? kTypicalExtent : problem.columns;
  WarpProblem tile = problem;
  tile.rows = sideFor(rows);
  tile.columns = sideFor(columns);
  while (true) {
    bool some = ceilDiv(rows, tile.rows) * ceilDiv(columns, tile.columns) < kManyBlocks &&
                std::max(tile.rows, tile.columns) > kMost / 2;
    if (std::optional<WarpTile> split = splitAmongWarps(tile); split && !some)
      return split;
    int64_t &longer = tile.columns >= tile.rows ? tile.columns : tile.rows;
    if (longer == kLeast)
      return std::nullopt;
    longer /= 2;
  }
}
