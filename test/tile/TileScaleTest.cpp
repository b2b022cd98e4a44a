//===- TileScaleTest.cpp - Tiles next to those of the cost model ----------===//

#include "compiler/tile/TileScale.h"
#include "compiler/tile/TileSizes.h"

#include <gtest/gtest.h>

using namespace aft;

namespace {

TEST(TileScale, NoneChangesNothing) {
  ProductBlocks blocks = productBlocks(4, 512), same = scaled(blocks, {});
  EXPECT_EQ(same.columns, blocks.columns);
  EXPECT_EQ(same.depth, blocks.depth);
  ProductTiles tiles = productTiles(blocks, 2048, 1, 2), sameTiles = scaled(tiles, blocks, {});
  for (int64_t rows : {1, 100, 1024, 100000}) {
    EXPECT_EQ(sameTiles.rows(rows), tiles.rows(rows));
    EXPECT_EQ(sameTiles.columns(rows), tiles.columns(rows));
  }
  EXPECT_EQ(TileScale().text(), "as the model");
}

TEST(TileScale, ScalesBlocks) {
  for (unsigned vectorBits : {128u, 256u, 512u}) {
    ProductBlocks blocks = productBlocks(4, vectorBits);
    ProductBlocks large = scaled(blocks, {.tile = 0, .columns = 1, .depth = -1});
    EXPECT_EQ(large.columns, 2 * blocks.columns);
    EXPECT_EQ(large.depth, blocks.depth / 2);
    EXPECT_EQ(large.strip, blocks.strip);
    // However small: whole panels, at least one.
    EXPECT_EQ(scaled(blocks, {.tile = 0, .columns = -20, .depth = 0}).columns, blocks.panel);
  }
}

TEST(TileScale, ScalesGroups) {
  ProductBlocks blocks = productBlocks(4, 512);
  ProductTiles tiles = productTiles(blocks, 2048, 1, 2);
  ProductTiles large = scaled(tiles, blocks, {.tile = 1}),
               small = scaled(tiles, blocks, {.tile = -1});
  EXPECT_GT(large.rows(4096), tiles.rows(4096));
  EXPECT_LT(small.rows(4096), tiles.rows(4096));
  EXPECT_EQ(small.rows(4096) % blocks.strip, 0);
  EXPECT_EQ(small.columns(1) % blocks.panel, 0);
  EXPECT_LE(large.columns(1), blocks.columns);
}

TEST(TileScale, ScalesOtherTiles) {
  TileProblem problem;
  problem.extents = {-1, 64};
  problem.parallel = {true, true};
  int64_t model = chooseTileSizes(problem)[0];
  EXPECT_EQ(chooseTileSizes(problem, 1)[0], 2 * model);
  EXPECT_EQ(chooseTileSizes(problem, -1)[0], model / 2);
  EXPECT_EQ((TileScale{.tile = 1, .columns = 0, .depth = -1}).text(), "tile 1, depth -1");
}

} // namespace
