//===- ProductBlocksTest.cpp - The cost model of matrix products ----------===//

#include "compiler/tile/ProductBlocks.h"

#include <gtest/gtest.h>

using namespace aft;

namespace {

struct Width {
  int64_t bytes;
  unsigned vectorBits;
};

const Width kWidths[] = {{4, 128}, {8, 128}, {4, 256}, {8, 256}, {4, 512}, {8, 512}};

TEST(ProductBlocks, StayInRegistersAndCaches) {
  for (Width width : kWidths) {
    ProductBlocks blocks = productBlocks(width.bytes, width.vectorBits);
    int64_t lanes = width.vectorBits / 8 / width.bytes;
    int64_t registers = width.vectorBits >= 512 ? 32 : 16;
    // Sums, the vectors of the panel and a number of A.
    EXPECT_LE(blocks.strip * blocks.panel / lanes + blocks.panel / lanes + 1, registers);
    // A strip and a panel in the L1 cache, but for AVX-512, whose panels come from L2.
    EXPECT_LE(blocks.strip * blocks.depth * width.bytes, 24 << 10);
    // The block of B in the L2 cache, with room for what passes by.
    EXPECT_LE(blocks.columns * blocks.depth * width.bytes,
              (width.vectorBits >= 512 ? 1 << 20 : 512 << 10) / 2);
    EXPECT_EQ(blocks.columns % blocks.panel, 0);
    EXPECT_EQ(blocks.rows % blocks.strip, 0);
    EXPECT_EQ(blocks.rows % lanes, 0);
  }
}

TEST(ProductBlocks, AreWholeTileRegisters) {
  ProductBlocks blocks = productBlocks(4, 512, ProductUnit::Tile);
  EXPECT_EQ(blocks.strip, 2 * kTileRows);
  EXPECT_EQ(blocks.panel, 2 * kTileRows);
  EXPECT_EQ(blocks.depth % kTileRows, 0);
  EXPECT_EQ(blocks.rows % blocks.strip, 0);
  EXPECT_EQ(blocks.columns % blocks.panel, 0);
  // A strip in the L1 cache (48 KiB where there are tiles) with a tile of C, B in L2.
  EXPECT_LE(blocks.strip * blocks.depth * 4 + blocks.strip * blocks.panel * 4, 40 << 10);
  EXPECT_LE(blocks.columns * blocks.depth * 4, 1 << 20);
}

TEST(ProductTiles, ShareOutColumnsForTileRegisters) {
  ProductBlocks blocks = productBlocks(4, 512, ProductUnit::Tile);
  // A group packs its columns of B, which then no other one does.
  ProductTiles tiles = productTiles(blocks, 512, 1, 2);
  EXPECT_EQ(tiles.rows(512), 512);
  EXPECT_EQ(tiles.columns(512), 128);
  // But not fewer than four panels of them.
  EXPECT_EQ(productTiles(blocks, 256, 1, 4).columns(512), 128);
  EXPECT_EQ(productTiles(blocks, 512, 1, 1).columns(512), 512);
}

TEST(ProductTiles, AreWholeStripsAndPanels) {
  for (Width width : kWidths)
    for (int64_t threads : {0, 1, 2, 16})
      for (int64_t columns : {-1, 1, 17, 512, 2048}) {
        ProductBlocks blocks = productBlocks(width.bytes, width.vectorBits),
                      pairs = productBlocks(width.bytes, width.vectorBits, ProductUnit::Pair);
        ProductTiles tiles = productTiles(blocks, columns, 1, threads);
        for (int64_t rows : {0, 1, 5, 100, 513, 100000}) {
          EXPECT_EQ(tiles.rows(rows) % blocks.strip, 0);
          EXPECT_EQ(tiles.rows(rows) % pairs.strip, 0);
          EXPECT_EQ(tiles.columns(rows) % blocks.panel, 0);
          EXPECT_GE(tiles.rows(rows), 1);
          EXPECT_LE(tiles.columns(rows), blocks.columns);
          // What follows the product keeps a tile in f32 on the stack: 2 MiB of 4, but for the
          // rows up to a multiple.
          EXPECT_LE((tiles.rows(rows) - blocks.whole) * tiles.columns(rows) * 8, 2 << 20);
        }
      }
}

int64_t groupsOf(const ProductTiles &tiles, int64_t rows, int64_t columns) {
  auto parts = [](int64_t extent, int64_t size) { return (extent + size - 1) / size; };
  return parts(rows, tiles.rows(rows)) * parts(columns, tiles.columns(rows));
}

TEST(ProductTiles, KeepAllThreadsBusy) {
  for (unsigned vectorBits : {256u, 512u}) {
    ProductBlocks blocks = productBlocks(4, vectorBits);
    for (int64_t threads : {2, 4, 8})
      EXPECT_GE(groupsOf(productTiles(blocks, 1024, 1, threads), 1024, 1024), 2 * threads);
    EXPECT_GE(groupsOf(productTiles(blocks, 512, 1, 2), 512, 512), 4);
    // Decoding: columns are shared out.
    EXPECT_GE(groupsOf(productTiles(blocks, 512, 1, 2), 1, 512), 4);
    EXPECT_GE(groupsOf(productTiles(blocks, 512, 1, 2), 32, 512), 4);
  }
}

TEST(ProductTiles, PackLittleForOneThread) {
  ProductBlocks blocks = productBlocks(4, 256);
  ProductTiles alone = productTiles(blocks, 1024, 1, 1);
  EXPECT_EQ(alone.columns(1024), blocks.columns);
  EXPECT_GE(alone.rows(1024), 512);
  // What follows a product bounds the rows, as it keeps them on the stack.
  for (unsigned vectorBits : {256u, 512u}) {
    ProductBlocks wide = productBlocks(4, vectorBits);
    EXPECT_GE(productTiles(wide, 1024, 1, 1, /*alone=*/true).rows(1024), 1024);
    EXPECT_LE(productTiles(wide, 1024, 1, 1).rows(1024), 512 + 2 * wide.strip);
    EXPECT_GE(groupsOf(productTiles(wide, 1024, 1, 2, /*alone=*/true), 1024, 1024), 4);
  }
  // Products of a batch are groups already.
  EXPECT_GT(productTiles(blocks, 512, 64, 8).rows(512), productTiles(blocks, 512, 1, 8).rows(512));
}

} // namespace
