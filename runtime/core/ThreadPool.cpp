//===- ThreadPool.cpp - Runs the work groups of kernels on all threads ----===//

#include "runtime/core/ThreadPool.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <sched.h>

using namespace aft;

/// Kernels keep packed tiles on the stack.
static constexpr size_t kStackBytes = 16 << 20;
/// Rounds of polling before a worker parks: some tens of microseconds.
static constexpr int kSpins = 4000;
/// Chunks per thread: many, so that neither a slow thread holds up the others nor
/// a few large groups that lie together, as those of one grid among several do.
static constexpr int64_t kChunksPerThread = 64;

struct ThreadPool::Job {
  aft_kernel_t kernel;
  void *const *buffers;
  const int64_t *dims;
  int64_t groups, chunk;
  std::atomic<int64_t> next{0};
  std::atomic<int> helpers{0}; ///< workers inside; raised under the mutex
};

static inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

ThreadPool::ThreadPool(int threads) {
  callbacks.self = this;
  callbacks.parallel_for = [](void *self, aft_kernel_t kernel, void *const *buffers,
                              const int64_t *dims, const char *) {
    static_cast<ThreadPool *>(self)->launch(kernel, buffers, dims);
  };
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  for (int i = 1; i < threads; ++i) {
    pthread_t worker;
    // Fewer workers than wished for are still correct.
    if (pthread_create(&worker, &attributes, workerMain, this) != 0)
      break;
    workers.push_back(worker);
  }
  pthread_attr_destroy(&attributes);
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    stopping = true;
    epoch.fetch_add(1);
  }
  wake.notify_all();
  for (pthread_t worker : workers)
    pthread_join(worker, nullptr);
}

void *ThreadPool::workerMain(void *self) {
  static_cast<ThreadPool *>(self)->work();
  return nullptr;
}

void ThreadPool::runChunks(Job &job) {
  for (;;) {
    int64_t begin = job.next.fetch_add(job.chunk, std::memory_order_relaxed);
    if (begin >= job.groups)
      return;
    job.kernel(job.buffers, job.dims, begin, std::min(begin + job.chunk, job.groups));
  }
}

/// A job with work left, entered; null when there is none. Called with the
/// mutex held.
ThreadPool::Job *ThreadPool::take() {
  for (Job *job : jobs)
    if (job->next.load(std::memory_order_relaxed) < job->groups) {
      job->helpers.fetch_add(1);
      return job;
    }
  return nullptr;
}

void ThreadPool::work() {
  for (;;) {
    uint64_t seen;
    Job *job;
    {
      std::lock_guard<std::mutex> lock(mutex);
      if (stopping)
        return;
      seen = epoch.load();
      job = take();
    }
    if (job) {
      runChunks(*job);
      // The launching thread may return as soon as this is 0.
      job->helpers.fetch_sub(1, std::memory_order_release);
      continue;
    }
    int spins = kSpins;
    while (spins-- > 0 && epoch.load(std::memory_order_relaxed) == seen)
      relax();
    if (spins < 0) {
      std::unique_lock<std::mutex> lock(mutex);
      wake.wait(lock, [&] { return stopping || epoch.load() != seen; });
    }
  }
}

void ThreadPool::launch(aft_kernel_t kernel, void *const *buffers, const int64_t *dims) {
  int64_t groups = kernel(buffers, dims, 0, 0);
  if (groups <= 0)
    return;
  if (workers.empty() || groups == 1) {
    kernel(buffers, dims, 0, groups);
    return;
  }
  Job job{kernel, buffers, dims, groups,
          std::max<int64_t>(1, groups / (threads() * kChunksPerThread))};
  {
    std::lock_guard<std::mutex> lock(mutex);
    jobs.push_back(&job);
    epoch.fetch_add(1);
  }
  wake.notify_all();
  runChunks(job);
  {
    std::lock_guard<std::mutex> lock(mutex);
    jobs.erase(std::find(jobs.begin(), jobs.end(), &job));
  }
  // No worker can enter any more; wait for those inside.
  for (int spins = 0; job.helpers.load(std::memory_order_acquire) != 0; ++spins)
    if (spins < kSpins)
      relax();
    else
      sched_yield();
}

int ThreadPool::defaultThreads() {
  if (const char *text = std::getenv("AFT_NUM_THREADS")) {
    long wanted = std::strtol(text, nullptr, 10);
    if (wanted >= 1)
      return static_cast<int>(std::min(wanted, 1024L));
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0)
    return std::max(1, CPU_COUNT(&set));
  return 1;
}

ThreadPool &ThreadPool::shared(int threads) {
  static std::mutex guard;
  // Never destroyed: threads of the host may still launch while it exits.
  static auto &pools = *new std::map<int, std::unique_ptr<ThreadPool>>();
  if (threads <= 0)
    threads = defaultThreads();
  std::lock_guard<std::mutex> lock(guard);
  std::unique_ptr<ThreadPool> &pool = pools[threads];
  if (!pool)
    pool = std::make_unique<ThreadPool>(threads);
  return *pool;
}
