//===- ThreadPoolTest.cpp - Grids on all threads --------------------------===//

#include "runtime/core/Arena.h"
#include "runtime/core/ThreadPool.h"

#include <gtest/gtest.h>
#include <memory>
#include <set>
#include <thread>

using namespace aft;

namespace {

/// Adds 1 to every group's counter; dims[0] is the size of the grid.
int64_t count(void *const *buffers, const int64_t *dims, int64_t begin, int64_t end) {
  for (int64_t group = begin; group < end; ++group)
    static_cast<std::atomic<int> *>(buffers[0])[group].fetch_add(1, std::memory_order_relaxed);
  return dims[0];
}

/// How often each group ran, for grids of many sizes.
bool runsEachGroupOnce(ThreadPool &pool) {
  for (int64_t groups : {0, 1, 2, 3, 7, 64, 1000}) {
    std::vector<std::atomic<int>> counters(groups);
    void *buffers[] = {counters.data()};
    pool.launch(count, buffers, &groups);
    for (auto &counter : counters)
      if (counter != 1)
        return false;
  }
  return true;
}

TEST(ThreadPool, RunsEachGroupOnce) {
  for (int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (int round = 0; round < 100; ++round)
      ASSERT_TRUE(runsEachGroupOnce(pool)) << threads << " threads, round " << round;
  }
}

TEST(ThreadPool, ServesSeveralCallersAtOnce) {
  ThreadPool pool(3);
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 8; ++caller)
    callers.emplace_back([&] {
      for (int round = 0; round < 100; ++round)
        wrong += !runsEachGroupOnce(pool);
    });
  for (std::thread &caller : callers)
    caller.join();
  EXPECT_EQ(wrong, 0);
}

/// A kernel that launches another one on the same pool.
int64_t nested(void *const *buffers, const int64_t *dims, int64_t begin, int64_t end) {
  for (int64_t group = begin; group < end; ++group)
    if (!runsEachGroupOnce(*static_cast<ThreadPool *>(buffers[0])))
      static_cast<std::atomic<int> *>(buffers[1])->fetch_add(1);
  return dims[0];
}

TEST(ThreadPool, AllowsNestedLaunches) {
  ThreadPool pool(4);
  std::atomic<int> wrong{0};
  void *buffers[] = {&pool, &wrong};
  int64_t groups = 20;
  pool.launch(nested, buffers, &groups);
  EXPECT_EQ(wrong, 0);
}

TEST(ThreadPool, WakesParkedWorkers) {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_TRUE(runsEachGroupOnce(pool));
  }
}

/// Stores the running thread for each group.
int64_t record(void *const *buffers, const int64_t *dims, int64_t begin, int64_t end) {
  for (int64_t group = begin; group < end; ++group)
    static_cast<std::thread::id *>(buffers[0])[group] = std::this_thread::get_id();
  return dims[0];
}

TEST(ThreadPool, OneThreadIsTheCaller) {
  ThreadPool pool(1);
  std::vector<std::thread::id> ids(50);
  void *buffers[] = {ids.data()};
  int64_t groups = ids.size();
  pool.launch(record, buffers, &groups);
  EXPECT_EQ(std::set<std::thread::id>(ids.begin(), ids.end()),
            std::set<std::thread::id>{std::this_thread::get_id()});
}

TEST(ThreadPool, IsSharedPerThreadCount) {
  EXPECT_EQ(&ThreadPool::shared(2), &ThreadPool::shared(2));
  EXPECT_EQ(ThreadPool::shared(1).threads(), 1);
}

TEST(Arena, AlignsAndReusesMemory) {
  ArenaPool pool;
  void *first;
  {
    ArenaPool::Lease lease(pool, 1000);
    first = lease.data();
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
    ArenaPool::Lease other(pool, 1000);
    EXPECT_NE(other.data(), first);
  }
  ArenaPool::Lease again(pool, 500), more(pool, 500);
  EXPECT_TRUE(again.data() == first || more.data() == first);
}

TEST(Arena, ReportsWhatCannotBeHad) {
  ArenaPool pool;
  EXPECT_EQ(ArenaPool::Lease(pool, INT64_MAX).data(), nullptr);
  EXPECT_EQ(ArenaPool::Lease(pool, INT64_MAX / 2).data(), nullptr);
}

} // namespace
