//===- GridSizes.cpp - How a block of GridTiles shares its work -----------===//

#include "compiler/vector/gpu/GridBlock.h"

using namespace mlir;
using namespace aft;

/// Lanes of a block: as many as a warp has threads, or less where tiles need room.
static constexpr int64_t kMostLanes = kWarpThreads;
/// Columns that a thread computes, and multiplications that are written out for a row of them.
static constexpr int64_t kMostOwn = 16, kMostShared = 14, kLeastOwn = 4, kMostWrittenOut = 512;
/// Bytes in shared memory.
static constexpr int64_t kSharedBytes = 46 << 10;

int64_t GridSizes::stride(const GridTiles &tiles) const {
  const GridAxis &line = tiles.columns;
  if (isCut())
    return tileColumns() + padding(line.before) + padding(line.after);
  return segments == 1 ? line.extent : segments * own + line.before + line.after;
}

int64_t GridSizes::numbers(const GridTiles &tiles) const {
  int64_t edges = segments == 1 ? 0 : 2 * held * tileSegments * lanes();
  int64_t largest = 3 * (headParts() + 1) * heads;
  int64_t planes = tiles.planes.extent > 1 ? tiles.planes.extent : 0;
  return held * stride(tiles) * lanes() + tiles.taps() * heads +
         ((segments + 1) * tiles.rowCount() + planes) * lanes() + edges + largest +
         (turns > 1 ? 2 * tiles.length() : 0) +
         tile * tileColumns() * (heads + (tiles.share ? width : 0));
}

/// The channels of a block of at most so many lanes: whole heads, if possible.
static GridSizes lanesOf(const GridTiles &tiles, int64_t most) {
  GridSizes sizes;
  int64_t perHead = tiles.perHead, whole = most / (perHead + 1);
  sizes.width = std::min(whole > 0 ? whole * perHead : most / 2, tiles.channels);
  bool isAligned = perHead % sizes.width == 0 || sizes.width % perHead == 0;
  sizes.heads = isAligned ? std::max<int64_t>(sizes.width / perHead, 1)
                          : (sizes.width + perHead - 2) / perHead + 1;
  return sizes;
}

bool GridSizes::fit(const GridTiles &tiles) const {
  return numbers(tiles) * (tiles.accumulation.getIntOrFloatBitWidth() / 8) <= kSharedBytes;
}

/// Rows of a tile, as many as have threads: of the grid, all of which lies in shared memory, or of
/// a plane.
bool GridSizes::chooseRows(const GridTiles &tiles, int64_t least) {
  int64_t most = parts() / segments;
  tileSegments = segments;
  for (tile = std::min(tiles.rowCount(), most); tile >= least; --tile) {
    held = tiles.rowCount();
    if (fit(tiles))
      return true;
    held = std::min(tile + tiles.rows.taps() - 1, tiles.rows.extent);
    if (tile <= tiles.rows.extent && fit(tiles))
      return true;
  }
  return false;
}

/// A part of a row, as much of it as there is room for: where lanes can be fewer, so much that
/// enough threads have some.
bool GridSizes::cutRow(const GridTiles &tiles) {
  tile = 1;
  held = std::min(tiles.rows.taps(), tiles.rows.extent);
  int64_t most = std::min(parts(), segments - 1), least = lanes() > 2 ? most / 4 : 1;
  for (tileSegments = most; tileSegments >= std::max<int64_t>(least, 1); tileSegments /= 2)
    if (fit(tiles))
      return true;
  return false;
}

std::optional<GridSizes> GridSizes::choose(const GridTiles &tiles) {
  const GridAxis &line = tiles.columns;
  int64_t bytes = tiles.accumulation.getIntOrFloatBitWidth() / 8;
  // What heads share takes registers, too.
  int64_t columns = (tiles.share ? kMostShared : kMostOwn) * 4 / bytes;
  int64_t most = std::min(columns, kMostWrittenOut / line.taps());
  if (line.extent <= columns)
    most = line.extent;
  else if (most < kLeastOwn)
    return std::nullopt;
  bool cut = false;
  auto haveRoom = [&](GridSizes &sizes, int64_t lanes) {
    sizes.segments = (line.extent + most - 1) / most;
    sizes.own = (line.extent + sizes.segments - 1) / sizes.segments;
    // Of few rows most items belong to windows of other tiles, too.
    return cut ? sizes.cutRow(tiles)
               : sizes.chooseRows(tiles, std::min<int64_t>(tiles.rows.extent, lanes > 2 ? 4 : 1));
  };
  int64_t mostLanes = tiles.share ? std::max(kMostLanes, tiles.perHead + 1) : kMostLanes;
  for (int64_t attempt = 0; attempt < 2; ++attempt, cut = true) {
    for (int64_t lanes = mostLanes; lanes > 1; lanes /= 2) {
      if (tiles.share && tiles.perHead >= lanes)
        break;
      GridSizes sizes = lanesOf(tiles, lanes);
      if (haveRoom(sizes, lanes))
        return sizes;
    }
    for (int64_t lanes = kMostLanes; tiles.share && lanes > 1; lanes /= 2) {
      GridSizes sizes;
      sizes.heads = 1;
      sizes.turns = (tiles.perHead + lanes - 2) / (lanes - 1);
      sizes.width = (tiles.perHead + sizes.turns - 1) / sizes.turns;
      if (sizes.turns > 1 && haveRoom(sizes, lanes))
        return sizes;
    }
  }
  return std::nullopt;
}
