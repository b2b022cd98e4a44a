//===- TileSearchTest.cpp - The search for tile sizes, with made-up times ===//

#include "runtime/jit/TileSearch.h"

#include <algorithm>
#include <gtest/gtest.h>

using namespace aft;

namespace {

using Scales = std::vector<TileScale>;
using Times = std::optional<std::vector<double>>;

const std::vector<TileKind> kBoth = {TileKind::Product, TileKind::Other};
void silent(size_t, size_t) {}

/// Searches with a time for each kernel's scale.
Scales find(const std::function<double(size_t kernel, const TileScale &)> &time) {
  return searchTiles(
      kBoth,
      [&](const Scales &scales) -> Times {
        return std::vector<double>{time(0, scales[0]), time(1, scales[1])};
      },
      silent);
}

TEST(TileSearch, TakesTheFastestOfEachKernel) {
  TileScale product = {.columns = -1}, other = {.tile = 2};
  Scales found = find([&](size_t kernel, const TileScale &scale) {
    return scale == (kernel == 0 ? product : other) ? 1.0 : scale == TileScale() ? 2.0 : 1.5;
  });
  EXPECT_EQ(found, (Scales{product, other}));
}

TEST(TileSearch, KeepsTheModelsChoiceWhereOthersAreNoFaster) {
  EXPECT_EQ(find([](size_t, const TileScale &) { return 1.0; }), Scales(2));
  // A little faster is noise.
  Scales found = find([](size_t, const TileScale &s) { return s == TileScale() ? 1.0 : 0.98; });
  EXPECT_EQ(found, Scales(2));
}

TEST(TileSearch, SkipsWhatFails) {
  TileScale bad = {.depth = 1}, good = {.depth = -1};
  Scales found = searchTiles(
      {TileKind::Product},
      [&](const Scales &scales) -> Times {
        if (scales[0] == bad)
          return std::nullopt;
        return std::vector<double>{scales[0] == good ? 1.0 : 2.0};
      },
      silent);
  EXPECT_EQ(found, Scales{good});
  EXPECT_EQ(searchTiles(kBoth, [](const Scales &) { return Times(); }, silent), Scales(2));
}

TEST(TileSearch, GoesBackWhenAGainDoesNotComeAgain) {
  // The first time that anything else is measured it seems fast.
  int calls = 0;
  Scales found = searchTiles(
      {TileKind::Other},
      [&](const Scales &scales) -> Times {
        return std::vector<double>{++calls == 2 && scales[0] != TileScale() ? 0.5 : 1.0};
      },
      silent);
  EXPECT_EQ(found, Scales(1));
  EXPECT_GT(calls, 2);
}

TEST(TileSearch, MeasuresTheModelFirstAndEveryCandidate) {
  Scales seen;
  std::vector<size_t> done;
  searchTiles(
      {TileKind::Product},
      [&](const Scales &scales) -> Times {
        seen.push_back(scales[0]);
        return std::vector<double>{1.0};
      },
      [&](size_t round, size_t) { done.push_back(round); });
  EXPECT_EQ(seen, tileCandidates(TileKind::Product));
  EXPECT_EQ(seen[0], TileScale());
  ASSERT_FALSE(done.empty());
  EXPECT_EQ(done.front(), 0u);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
}

} // namespace
