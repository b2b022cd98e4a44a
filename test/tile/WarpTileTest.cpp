//===- WarpTileTest.cpp - How a product is cut for tensor cores -----------===//

#include "compiler/tile/WarpTile.h"
#include "compiler/tile/TileSizes.h"
#include "gtest/gtest.h"

#include <set>

using namespace aft;

static WarpTile choose(int64_t rows, int64_t columns, bool sharesC = false, int64_t bits = 16) {
  std::optional<WarpTile> tile = chooseWarpTile({rows, columns, bits, kSharedBytes, sharesC});
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

TEST(WarpTile, TakesHalfTheDepthOfWiderNumbers) {
  WarpTile narrow = choose(8192, 4096), wide = choose(8192, 4096, false, /*bits=*/32);
  EXPECT_EQ(wide.rows, narrow.rows);
  EXPECT_EQ(wide.columns, narrow.columns);
  EXPECT_EQ(wide.depth * 2, narrow.depth);
  EXPECT_EQ(wide.stages, narrow.stages);
}

/// What a warp loads at once: 16 bytes of eight rows along K; or, of 32 bits, eight neighbours
/// of each of four rows across.
TEST(WarpTile, PadsRowsIntoDifferentBanks) {
  constexpr int64_t banks = 32, bytesOfBank = 4;
  auto check = [&](int64_t bits, bool alongSteps, int64_t inner, int64_t rows, int64_t bytes) {
    int64_t row = (inner + warpTilePadding(bits, alongSteps)) * bits / 8;
    EXPECT_EQ(row % 16, 0);
    std::set<int64_t> used;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t byte = 0; byte < bytes; byte += bytesOfBank)
        used.insert((i * row + byte) / bytesOfBank % banks);
    EXPECT_EQ(used.size(), static_cast<size_t>(banks)) << bits << " " << alongSteps << " " << inner;
  };
  for (int64_t bits : {16, 32})
    check(bits, /*alongSteps=*/true, 512 / bits, 8, 16);
  for (int64_t width : {32, 64, 128}) {
    check(16, /*alongSteps=*/false, width, 8, 16);
    check(32, /*alongSteps=*/false, width, 4, 32);
  }
}

TEST(WarpTile, GivesEachWarpWholeFragments) {
  for (int64_t rows : {1, 16, 17, 33, 64, 100, 1000, 100000})
    for (int64_t columns : {1, 16, 40, 65, 200, 5000})
      for (auto [sharesC, bits] :
           {std::pair(false, 16), std::pair(true, 16), std::pair(false, 32), std::pair(true, 32)}) {
        WarpTile tile = choose(rows, columns, sharesC, bits);
        EXPECT_EQ(tile.warpRows % 16, 0);
        EXPECT_EQ(tile.warpColumns % 16, 0);
        EXPECT_EQ(tile.rows % tile.warpRows, 0);
        EXPECT_EQ(tile.columns % tile.warpColumns, 0);
        EXPECT_LE(tile.warps(), 8);
        EXPECT_GE(tile.stages, 2);
        EXPECT_LE(sharedBytesOf(tile, bits) + (sharesC ? tile.rows * tile.columns * 4 : 0),
                  kSharedBytes);
        // What finds the tile later cuts it in the same way.
        std::optional<WarpTile> again =
            splitAmongWarps({tile.rows, tile.columns, bits, kSharedBytes, sharesC});
        ASSERT_TRUE(again);
        EXPECT_EQ(again->rows, tile.rows);
        EXPECT_EQ(again->columns, tile.columns);
        EXPECT_EQ(again->warpRows, tile.warpRows);
      }
}

TEST(WarpTile, RefusesWhatDoesNotFit) {
  EXPECT_FALSE(chooseWarpTile({512, 512, /*bits=*/16, /*sharedBytes=*/1024}));
  EXPECT_FALSE(chooseWarpTile({512, 512, /*bits=*/64, kSharedBytes}));
  EXPECT_FALSE(splitAmongWarps({256, 64, /*bits=*/16, kSharedBytes}));
}
