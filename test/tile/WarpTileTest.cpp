//===- WarpTileTest.cpp - How a product is cut for tensor cores -----------===//

#include "compiler/tile/WarpTile.h"
#include "compiler/tile/TileSizes.h"
#include "gtest/gtest.h"

using namespace aft;

static WarpTile choose(int64_t rows, int64_t columns, bool sharesC = false) {
  std::optional<WarpTile> tile =
      chooseWarpTile({rows, columns, /*bits=*/16, kSharedBytes, sharesC});
  EXPECT_TRUE(tile);
  return tile.value_or(WarpTile());
}

TEST(WarpTile, TakesLargeTilesForLargeProducts) {
  WarpTile tile = choose(8192, 4096);
  EXPECT_EQ(tile.rows, 128);
  EXPECT_EQ(tile.columns, 128);
  EXPECT_EQ(tile.warps(), 8);
  EXPECT_EQ(tile.warpRows + tile.warpColumns, 96);
  EXPECT_GE(tile.stages, 2);
}

TEST(WarpTile, TakesSmallerTilesForManyBlocks) {
  WarpTile tile = choose(512, 512);
  EXPECT_EQ(tile.rows, 64);
  EXPECT_EQ(tile.columns, 64);
  // The narrower a tile, the more parts of K fit.
  EXPECT_EQ(tile.stages, 4);
}

TEST(WarpTile, LeavesRoomForC) {
  WarpTile alone = choose(8192, 4096), shared = choose(8192, 4096, /*sharesC=*/true);
  EXPECT_LT(shared.rows * shared.columns, alone.rows * alone.columns);
  EXPECT_LE(sharedBytesOf(shared, 16) + shared.rows * shared.columns * 4, kSharedBytes);
}

TEST(WarpTile, IsNoLargerThanTheProduct) {
  WarpTile few = choose(3, 4096), narrow = choose(4096, 20), tiny = choose(1, 1);
  EXPECT_EQ(few.rows, 16);
  EXPECT_EQ(few.columns, 64);
  EXPECT_EQ(narrow.rows, 64);
  EXPECT_EQ(narrow.columns, 32);
  EXPECT_EQ(tiny.warps(), 1);
}

TEST(WarpTile, TakesUnknownExtentsForLargeOnes) {
  WarpTile tile = choose(-1, 4096);
  EXPECT_EQ(tile.rows, 128);
  EXPECT_EQ(tile.columns, 128);
}

TEST(WarpTile, GivesEachWarpWholeFragments) {
  for (int64_t rows : {1, 16, 17, 33, 64, 100, 1000, 100000})
    for (int64_t columns : {1, 16, 40, 65, 200, 5000})
      for (bool sharesC : {false, true}) {
        WarpTile tile = choose(rows, columns, sharesC);
        EXPECT_EQ(tile.warpRows % 16, 0);
        EXPECT_EQ(tile.warpColumns % 16, 0);
        EXPECT_EQ(tile.rows % tile.warpRows, 0);
        EXPECT_EQ(tile.columns % tile.warpColumns, 0);
        EXPECT_LE(tile.warps(), 8);
        EXPECT_GE(tile.stages, 2);
        EXPECT_LE(sharedBytesOf(tile, 16) + (sharesC ? tile.rows * tile.columns * 4 : 0),
                  kSharedBytes);
        // What finds the tile later cuts it in the same way.
        std::optional<WarpTile> again =
            splitAmongWarps({tile.rows, tile.columns, 16, kSharedBytes, sharesC});
        ASSERT_TRUE(again);
        EXPECT_EQ(again->rows, tile.rows);
        EXPECT_EQ(again->columns, tile.columns);
        EXPECT_EQ(again->warpRows, tile.warpRows);
      }
}

TEST(WarpTile, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(chooseWarpTile({512, 512, /*bits=*/16, /*sharedBytes=*/1024}));
  EXPECT_FALSE(chooseWarpTile({512, 512, /*bits=*/32, kSharedBytes}));
  EXPECT_FALSE(splitAmongWarps({256, 64, /*bits=*/16, kSharedBytes}));
}
