//===- ThreadCount.cpp - How many threads are worth having ----------------===//

#include "runtime/core/Log.h"
#include "runtime/core/ThreadPool.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sched.h>

using namespace aft;

/// What AFT_NUM_THREADS says, 0 where it says nothing.
static int threadsOfEnvironment() {
  const char *text = std::getenv("AFT_NUM_THREADS");
  if (!text || !*text)
    return 0;
  char *end;
  errno = 0;
  long wanted = std::strtol(text, &end, 10);
  if (!*end && !errno && wanted >= 1 && wanted <= ThreadPool::kMostThreads)
    return static_cast<int>(wanted);
  warn("AFT_NUM_THREADS: expected a number from 1 to " + std::to_string(ThreadPool::kMostThreads) +
       ", found '" + text + "', which is ignored: all CPUs are used");
  return 0;
}

/// The CPUs that a container's share of time amounts to, rounded up; more
/// threads would be stopped in the middle of a kernel. No limit: the largest
/// number.
static int cpusOfContainer() {
  double quota = 0, period = 0;
  if (!(std::ifstream("/sys/fs/cgroup/cpu.max") >> quota >> period)) {
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") >> quota;
    std::ifstream("/sys/fs/cgroup/cpu/cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0 && period > 0))
    return ThreadPool::kMostThreads;
  return static_cast<int>(
      std::min<double>(ThreadPool::kMostThreads, (quota + period - 1) / period));
}

Status ThreadPool::check(int64_t threads) {
  if (threads >= 0 && threads <= kMostThreads)
    return {};
  return {"expected 0 to " + std::to_string(kMostThreads) + " threads, found " +
          std::to_string(threads)};
}

int ThreadPool::usableCPUs() {
  static const int container = cpusOfContainer();
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) != 0)
    return 1;
  return std::max(1, std::min(CPU_COUNT(&set), container));
}

int ThreadPool::defaultThreads() {
  // Read once: a warning is enough.
  static const int wanted = threadsOfEnvironment();
  return wanted > 0 ? wanted : usableCPUs();
}
