//===- Launches.cpp - What launching kernels costs ------------------------===//
// Prints microseconds per launch for grids of different work, beside what the
// work alone takes, for 1 thread up to all CPUs.

#include "runtime/core/Clock.h"
#include "runtime/core/ThreadPool.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <sys/resource.h>
#include <unistd.h>
#include <vector>

using namespace aft;

/// dims: groups, rounds of arithmetic per group. buffers[0]: a number per group.
static int64_t burn(void *const *buffers, const int64_t *dims, int64_t begin, int64_t end) {
  for (int64_t group = begin; group < end; ++group) {
    uint64_t value = static_cast<uint64_t>(group);
    for (int64_t round = 0; round < dims[1]; ++round) {
      value = value * 6364136223846793005u + 1442695040888963407u;
      asm volatile("" : "+r"(value));
    }
    static_cast<uint64_t *>(buffers[0])[8 * group] += value | 1;
  }
  return dims[0];
}

static double systemSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_stime.tv_sec) +
         static_cast<double>(usage.ru_stime.tv_usec) * 1e-6;
}

/// Microseconds per launch, with `pause` microseconds of the host's own work
/// between launches not counted.
static double measure(ThreadPool &pool, int64_t groups, int64_t rounds, int launches, int pause) {
  std::vector<uint64_t> values(static_cast<size_t>(8 * groups));
  void *buffers[] = {values.data()};
  int64_t dims[] = {groups, rounds}, pauseDims[] = {1, pause * 700};
  uint64_t scratch = 0;
  void *pauseBuffers[] = {&scratch};
  pool.launch(burn, buffers, dims);
  std::fill(values.begin(), values.end(), 0);
  int64_t sum = 0;
  for (int i = 0; i < launches; ++i) {
    burn(pauseBuffers, pauseDims, 0, pause > 0);
    int64_t start = now();
    pool.launch(burn, buffers, dims);
    sum += now() - start;
  }
  for (int64_t group = 0; group < groups; ++group)
    if (values[static_cast<size_t>(8 * group)] == 0) {
      std::fprintf(stderr, "a group did not run\n");
      std::exit(1);
    }
  return static_cast<double>(sum) * 1e-3 / launches;
}

int main() {
  std::printf("%8s %7s %8s %7s %10s %10s %8s %9s\n", "threads", "groups", "rounds", "pause",
              "us/launch", "us alone", "speedup", "system %");
  ThreadPool alone(1);
  for (int threads = 1; threads <= std::max(2, ThreadPool::usableCPUs()); threads *= 2) {
    ThreadPool pool(threads);
    struct {
      int64_t groups, rounds;
      int launches, pause;
    } cases[] = {{2, 0, 100000, 0},    {2, 1000, 50000, 0},   {16, 1000, 20000, 0},
                 {2, 10000, 10000, 0}, {64, 10000, 500, 0},   {2000, 10000, 20, 0},
                 {16, 1000, 5000, 20}, {16, 1000, 2000, 200}, {16, 10000, 500, 1000}};
    for (const auto &c : cases) {
      double base = measure(alone, c.groups, c.rounds, std::max(10, c.launches / 10), 0);
      int64_t start = now();
      double system = systemSeconds();
      double time = measure(pool, c.groups, c.rounds, c.launches, c.pause);
      double share = (systemSeconds() - system) * 1e9 / static_cast<double>(now() - start);
      std::printf("%8d %7lld %8lld %7d %10.3f %10.3f %8.2f %9.2f\n", threads,
                  static_cast<long long>(c.groups), static_cast<long long>(c.rounds), c.pause, time,
                  base, base / time, 100 * share);
      std::fflush(stdout);
    }
  }
}
