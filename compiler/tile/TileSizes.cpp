//===- TileSizes.cpp - How large the tiles of a kernel are ----------------===//

#include "compiler/tile/TileSizes.h"

#include "compiler/tile/TileScale.h"

#include <algorithm>

using namespace aft;

/// Elements of an elementwise tile: large enough that starting one costs
/// nothing, small enough for the L2 cache with all operands.
static constexpr int64_t kTileElements = 16 * 1024;
/// What the threads of a block on a GPU do: some elements each, or a row by all of
/// them; beyond that rows share a block where they are short.
static constexpr int64_t kBlockElements = 1024, kMostBlockRows = 8;
/// Columns of a reduction over rows: those of one 32-byte sector, so that there are many
/// blocks.
static constexpr int64_t kBlockColumns = 8;
/// An unknown extent is taken for this.
static constexpr int64_t kTypicalExtent = 1024;
/// Columns of a reduction over rows: some vectors next to each other.
static constexpr int64_t kReductionColumns = 64;

static int64_t known(int64_t extent) { return extent < 0 ? kTypicalExtent : extent; }

/// Whole inner loops as long as they fit, a part of the next, one of the outer.
static llvm::SmallVector<int64_t> innerTiles(const TileProblem &problem, int64_t loops,
                                             int64_t elements) {
  llvm::SmallVector<int64_t> sizes(problem.extents.size(), 0);
  int64_t room = std::max<int64_t>(elements, 1);
  for (int64_t loop = loops - 1; loop >= 0; --loop) {
    if (!problem.parallel[loop])
      continue;
    // An unknown extent must be tiled: temporaries need a static bound.
    bool fits = problem.extents[loop] >= 0 && problem.extents[loop] <= room;
    sizes[loop] = fits ? 0 : room;
    room = fits ? std::max<int64_t>(1, room / std::max<int64_t>(1, problem.extents[loop])) : 1;
  }
  return sizes;
}

static llvm::SmallVector<int64_t> blockTiles(const TileProblem &problem) {
  int64_t loops = static_cast<int64_t>(problem.extents.size());
  auto rows = [&](int64_t perRow) {
    return std::clamp<int64_t>(kBlockElements / std::max<int64_t>(1, perRow), 1, kMostBlockRows);
  };
  auto elementsFrom = [&](int64_t loop) {
    int64_t elements = 1;
    for (; loop < loops; ++loop)
      elements *= known(problem.extents[loop]);
    return elements;
  };
  switch (problem.kind) {
  case TileProblem::Kind::Elementwise:
    return innerTiles(problem, loops, kBlockElements);
  case TileProblem::Kind::Rows:
    return innerTiles(problem, problem.rowLoops, rows(elementsFrom(problem.rowLoops)));
  case TileProblem::Kind::Reduction: {
    bool innermost = loops > 0 && !problem.parallel[loops - 1];
    return innerTiles(problem, loops, innermost ? rows(known(problem.extents[loops - 1]))
                                                : kBlockColumns);
  }
  }
  return {};
}

BlockTile aft::chooseBlockTile(int64_t rows, int64_t columns, bool alone) {
  constexpr int64_t unit = kThreadBlockUnit;
  // Large tiles do more with what they load, but few of them leave a GPU idle.
  constexpr int64_t someColumns = 256, manyColumns = 1024;
  bool tall = known(rows) > unit && known(columns) >= someColumns;
  bool wide = tall && alone && known(columns) >= manyColumns;
  return {tall ? 2 * unit : unit, wide ? 2 * unit : unit};
}

llvm::SmallVector<int64_t> aft::chooseTileSizes(const TileProblem &problem, int power) {
  if (problem.threadBlocks)
    return blockTiles(problem);
  int64_t elements = scaled(kTileElements, power);
  int64_t loops = static_cast<int64_t>(problem.extents.size());
  switch (problem.kind) {
  case TileProblem::Kind::Elementwise:
    return innerTiles(problem, loops, elements);
  case TileProblem::Kind::Rows: {
    int64_t perRow = 1;
    for (int64_t loop = problem.rowLoops; loop < loops; ++loop)
      perRow *= known(problem.extents[loop]);
    return innerTiles(problem, problem.rowLoops, elements / std::max<int64_t>(1, perRow));
  }
  case TileProblem::Kind::Reduction: {
    // The innermost loop reduced: rows are independent. Else columns are.
    bool innermost = loops > 0 && !problem.parallel[loops - 1];
    return innerTiles(problem, loops, scaled(innermost ? 64 : kReductionColumns, power));
  }
  }
  return {};
}
