//===- ThreadPoolTest.cpp - Grids on all threads --------------------------===//

#include "runtime/core/ThreadPool.h"
#include "runtime/core/Arena.h"
#include "runtime/core/GridShares.h"
#include "runtime/core/SleepingPlace.h"

#include <chrono>
#include <gtest/gtest.h>
#include <memory>
#include <mutex>
#include <sched.h>
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

/// Whether two sets of CPUs are the same.
bool sameCPUs(const cpu_set_t &a, const cpu_set_t &b) { return CPU_EQUAL(&a, &b); }

/// Where a worker last was: what the kernel below finds out.
struct Seen {
  std::thread::id caller;
  cpu_set_t mayUse;
  std::atomic<int> worker{-1}, strange{0};
};

/// Two groups of 2 ms, so that a worker has time to come.
int64_t lookAround(void *const *buffers, const int64_t *, int64_t begin, int64_t end) {
  auto &seen = *static_cast<Seen *>(buffers[0]);
  if (begin != end && std::this_thread::get_id() != seen.caller) {
    cpu_set_t own;
    seen.strange += sched_getaffinity(0, sizeof(own), &own) != 0 || !sameCPUs(own, seen.mayUse);
    seen.worker = sched_getcpu();
  }
  auto start = std::chrono::steady_clock::now();
  while (begin != end && std::chrono::steady_clock::now() - start < std::chrono::milliseconds(2)) {
  }
  return 2;
}

TEST(ThreadPool, GivesWorkersTheirCPUsBack) {
  Seen seen;
  seen.caller = std::this_thread::get_id();
  ASSERT_EQ(sched_getaffinity(0, sizeof(seen.mayUse), &seen.mayUse), 0);
  if (CPU_COUNT(&seen.mayUse) < 2)
    GTEST_SKIP() << "one CPU";
  ThreadPool pool(2);
  void *buffers[] = {&seen};
  int came = 0;
  for (int round = 0; round < 100; ++round) {
    // Onto the CPU on which the worker sleeps.
    if (int cpu = seen.worker; cpu >= 0) {
      cpu_set_t here;
      CPU_ZERO(&here);
      CPU_SET(cpu, &here);
      ASSERT_EQ(sched_setaffinity(0, sizeof(here), &here), 0);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    int64_t unused = 0;
    seen.worker = -1;
    pool.launch(lookAround, buffers, &unused);
    came += seen.worker >= 0;
  }
  ASSERT_EQ(sched_setaffinity(0, sizeof(seen.mayUse), &seen.mayUse), 0);
  EXPECT_EQ(seen.strange, 0);
  EXPECT_GT(came, 0);
}

/// Lets this thread count as asleep; on which CPU.
int fallAsleep(SleepingPlace &place) {
  int here;
  do { // until it is not moved between the two
    place.leave();
    here = sched_getcpu();
    place.enter();
  } while (sched_getcpu() != here);
  return here;
}

TEST(SleepingPlace, LeavesACPUAndComesBack) {
  cpu_set_t before, during, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  if (CPU_COUNT(&before) < 2)
    GTEST_SKIP() << "one CPU";
  SleepingPlace place;
  // Awake: it stays where it is.
  place.avoid(sched_getcpu());
  ASSERT_EQ(sched_getaffinity(0, sizeof(during), &during), 0);
  EXPECT_TRUE(sameCPUs(before, during));
  int here = fallAsleep(place);
  place.avoid(here);
  ASSERT_EQ(sched_getaffinity(0, sizeof(during), &during), 0);
  EXPECT_FALSE(CPU_ISSET(here, &during));
  EXPECT_EQ(CPU_COUNT(&during), CPU_COUNT(&before) - 1);
  place.leave();
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(sameCPUs(before, after));
}

TEST(SleepingPlace, LeavesAnotherCPUAnyway) {
  cpu_set_t before, during, after;
  ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
  if (CPU_COUNT(&before) < 2)
    GTEST_SKIP() << "one CPU";
  SleepingPlace place;
  int here = fallAsleep(place), other = -1;
  while (++other == here || !CPU_ISSET(other, &before))
    continue;
  place.avoid(other);
  ASSERT_EQ(sched_getaffinity(0, sizeof(during), &during), 0);
  EXPECT_TRUE(sameCPUs(before, during));
  place.avoid(other, true);
  ASSERT_EQ(sched_getaffinity(0, sizeof(during), &during), 0);
  EXPECT_FALSE(CPU_ISSET(other, &during));
  EXPECT_EQ(CPU_COUNT(&during), CPU_COUNT(&before) - 1);
  place.leave();
  ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
  EXPECT_TRUE(sameCPUs(before, after));
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

/// A kernel whose groups end only when as many are running as there are
/// threads, or some seconds later. Each has work that is worth waking for.
int64_t meet(void *const *buffers, const int64_t *dims, int64_t begin, int64_t end) {
  auto &inside = *static_cast<std::atomic<int64_t> *>(buffers[0]);
  for (int64_t group = begin; group < end; ++group) {
    inside.fetch_add(1);
    auto busy = std::chrono::steady_clock::now() + std::chrono::microseconds(100);
    while (std::chrono::steady_clock::now() < busy)
      continue;
    auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (inside.load() < dims[0] && std::chrono::steady_clock::now() < until)
      std::this_thread::yield();
    if (inside.load() < dims[0])
      static_cast<std::atomic<int64_t> *>(buffers[1])->fetch_add(1);
  }
  return dims[0];
}

TEST(ThreadPool, RunsGroupsOnAllThreadsAtOnce) {
  for (int threads : {2, 5}) {
    ThreadPool pool(threads);
    for (int round = 0; round < 20; ++round) {
      if (round % 4 == 0) // from sleep, too
        std::this_thread::sleep_for(std::chrono::milliseconds(2));
      std::atomic<int64_t> inside{0}, late{0};
      void *buffers[] = {&inside, &late};
      int64_t groups = threads;
      pool.launch(meet, buffers, &groups);
      ASSERT_EQ(late, 0) << threads << " threads, round " << round;
    }
  }
}

/// As count, but with as much work per group as dims[1] says.
int64_t countSlowly(void *const *buffers, const int64_t *dims, int64_t begin, int64_t end) {
  for (int64_t i = 0; i < dims[1] * (end - begin); ++i)
    asm volatile("");
  return count(buffers, dims, begin, end);
}

TEST(ThreadPool, FollowsKernelsThatChangeTheirCost) {
  ThreadPool pool(3);
  std::vector<std::atomic<int>> counters(100);
  void *buffers[] = {counters.data()};
  int launches = 0;
  for (int64_t work : {1, 100000, 1, 1, 50000, 3})
    for (int64_t groups : {2, 100, 7}) {
      for (int round = 0; round < 5; ++round) {
        int64_t dims[] = {groups, work};
        pool.launch(countSlowly, buffers, dims, "one name");
        ++launches;
      }
      for (int64_t group = 0; group < 2; ++group)
        ASSERT_EQ(counters[group], launches);
    }
}

TEST(ThreadPool, ServesMoreThreadsThanCPUs) {
  ThreadPool pool(4 * ThreadPool::usableCPUs() + 1);
  std::vector<std::atomic<int>> counters(50);
  void *buffers[] = {counters.data()};
  int64_t dims[] = {50, 2000};
  for (int round = 1; round <= 200; ++round) {
    pool.launch(countSlowly, buffers, dims);
    for (auto &counter : counters)
      ASSERT_EQ(counter, round);
  }
}

TEST(ThreadPool, SaysWhatZeroThreadsStandFor) {
  EXPECT_GE(ThreadPool::usableCPUs(), 1);
  EXPECT_GE(ThreadPool::defaultThreads(), 1);
}

/// Deals and lets `order` say whose turn it is; who got each group.
std::vector<int> dealt(int threads, int64_t groups, const std::vector<int> &order) {
  std::vector<uint64_t> memory((sizeof(GridShares) + GridShares::bytesBehind(threads)) / 8 + 1);
  auto &shares = *new (memory.data()) GridShares(threads);
  std::vector<int> owner(groups, -1);
  auto give = [&](GridShares::Range range, int thread) {
    for (int64_t group = range.begin; group < range.end; ++group) {
      EXPECT_EQ(owner.at(group - 10), -1) << "given twice";
      owner[group - 10] = thread;
    }
    return !range.empty();
  };
  give(shares.deal(10, 10 + groups), 0);
  for (size_t turn = 0;; ++turn) {
    int thread = order[turn % order.size()];
    if (!give(shares.next(thread), thread))
      return owner;
  }
}

TEST(GridShares, DealsEachGroupOnce) {
  for (int threads : {1, 2, 3, 64})
    for (int64_t groups : {1, 2, 5, 64, 1000})
      for (const std::vector<int> &order :
           {std::vector<int>{0}, {threads - 1}, {0, threads - 1}, {threads / 2, 0, 0, 0}})
        for (int owner : dealt(threads, groups, order))
          ASSERT_NE(owner, -1) << threads << " threads, " << groups << " groups";
}

TEST(GridShares, KeepsSharesTogether) {
  // In turns, everybody gets what it had before.
  std::vector<int> owner = dealt(4, 40, {1, 2, 3, 0});
  for (int64_t group = 0; group < 40; ++group)
    EXPECT_EQ(owner[group], group / 10) << group;
  // A thread that is alone takes the others' from the back.
  owner = dealt(2, 8, {0, 0, 0, 0, 1, 0});
  EXPECT_EQ(owner[4], 1);
  EXPECT_EQ(owner[7], 0);
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

TEST(Arena, LendsTheSmallestThatFits) {
  ArenaPool pool;
  void *small, *large;
  {
    ArenaPool::Lease first(pool, 100000), second(pool, 1000);
    large = first.data();
    small = second.data();
  }
  ArenaPool::Lease again(pool, 900);
  EXPECT_EQ(again.data(), small);
  ArenaPool::Lease other(pool, 2000);
  EXPECT_EQ(other.data(), large);
}

TEST(Arena, KeepsAFewBlocks) {
  ArenaPool pool;
  {
    std::vector<std::unique_ptr<ArenaPool::Lease>> leases;
    for (int i = 0; i < 10; ++i)
      leases.push_back(std::make_unique<ArenaPool::Lease>(pool, 64 << i));
  }
  EXPECT_EQ(pool.idleBytes(), (64 << 9) + (64 << 8) + (64 << 7) + (64 << 6));
}

TEST(Arena, GivesBackAHugeBlockThatIsNotNeededAgain) {
  constexpr int64_t kHuge = 200 << 20, kSmall = 3 << 20;
  ArenaPool pool;
  auto call = [&](int64_t bytes) { ArenaPool::Lease lease(pool, bytes); };
  call(kSmall);
  call(kHuge);
  // Needed now and then, it stays.
  for (int i = 0; i < 200; ++i)
    call(i % 50 ? kSmall : kHuge / 2);
  EXPECT_GE(pool.idleBytes(), kHuge);
  for (int i = 0; i < 100; ++i)
    call(kSmall);
  EXPECT_EQ(pool.idleBytes(), 4 << 20); // 3 MiB on the boundaries of huge pages
}

TEST(Arena, ReportsWhatCannotBeHad) {
  ArenaPool pool;
  EXPECT_EQ(ArenaPool::Lease(pool, INT64_MAX).data(), nullptr);
  EXPECT_EQ(ArenaPool::Lease(pool, INT64_MAX / 2).data(), nullptr);
}

} // namespace
