//===- RoofTest.cpp - The loops that the machine's limits come from -------===//

#include "runtime/core/Roof.h"

#include <gtest/gtest.h>

using namespace aft;

namespace {

using Kind = RoofLoop::Kind;

TEST(RoofLoop, ComputesWhatItCounts) {
  for (int threads : {1, 2, 3})
    for (Kind kind : {Kind::MultiplyAdd, Kind::PairProducts, Kind::Read, Kind::Copy}) {
      ThreadPool pool(threads);
      RoofLoop loop(kind, pool, 1 << 20);
      if (!loop.possible() && kind == Kind::PairProducts)
        continue;
      ASSERT_TRUE(loop.possible());
      for (int64_t rounds : {40, 100}) {
        loop.run(rounds);
        EXPECT_TRUE(loop.right()) << threads << " threads, kind " << static_cast<int>(kind);
      }
    }
}

TEST(RoofLoop, CountsBytesAndOperations) {
  ThreadPool pool(2);
  EXPECT_EQ(RoofLoop(Kind::Read, pool, 1 << 20).workPerRound(), 1 << 20);
  EXPECT_EQ(RoofLoop(Kind::Copy, pool, 1 << 20).workPerRound(), 2 << 20);
  ThreadPool alone(1);
  RoofLoop one(Kind::MultiplyAdd, alone), two(Kind::MultiplyAdd, pool);
  EXPECT_GT(one.workPerRound(), 0);
  EXPECT_EQ(two.workPerRound(), 2 * one.workPerRound());
  RoofLoop pairs(Kind::PairProducts, alone);
  if (pairs.possible()) {
    EXPECT_EQ(pairs.workPerRound(), 2 * one.workPerRound());
  }
}

TEST(RoofLoop, NoticesWrongSums) {
  ThreadPool pool(1);
  // Before a run there is no result.
  EXPECT_FALSE(RoofLoop(Kind::MultiplyAdd, pool).right());
  // After two rounds the sums have not converged.
  RoofLoop loop(Kind::MultiplyAdd, pool);
  loop.run(2);
  EXPECT_FALSE(loop.right());
}

TEST(Roof, IsOrderedByBytes) {
  ThreadPool pool(2);
  Roof roof = measureRoof(pool);
  EXPECT_GT(roof.flopsPerSecond, 1e9);
  ASSERT_EQ(roof.bandwidths.size(), 4u);
  for (size_t i = 0; i < roof.bandwidths.size(); ++i) {
    EXPECT_GT(roof.bandwidths[i].perSecond, 1e8);
    if (i > 0) {
      EXPECT_GT(roof.bandwidths[i].bytes, roof.bandwidths[i - 1].bytes);
    }
  }
}

} // namespace
