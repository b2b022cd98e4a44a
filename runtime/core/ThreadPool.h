//===- ThreadPool.h - Runs the work groups of kernels on all threads ------===//
// A launch is published in one of a few slots. Workers watch the slots for a
// moment after their last work and then sleep on a word that counts launches.
// The launching thread takes part and does alone what no worker comes for. Any
// number of threads may launch at once, kernels too.
//
// Kernels keep packed tiles on the stack. Workers have 16 MiB; a thread that
// launches needs what the largest kernel takes, which the compiler limits to
// 4 MiB (the usual 8 MiB of a thread are enough).

#ifndef AFT_RUNTIME_CORE_THREADPOOL_H
#define AFT_RUNTIME_CORE_THREADPOOL_H

#include "aft/abi.h"
#include "aft/program.h"
#include "runtime/core/InternalApi.h"
#include "runtime/core/SleepingPlace.h"

#include <atomic>
#include <cstddef>
#include <memory>
#include <pthread.h>
#include <vector>

namespace aft {

class AFT_INTERNAL ThreadPool {
public:
  /// `threads` in all, the caller included; 1 spawns nothing.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return static_cast<int>(workers.size()) + 1; }

  /// Runs the whole grid of a kernel and returns when it is done. Launches with
  /// one `name`, compared as a pointer, are taken to cost alike.
  void launch(aft_kernel_t kernel, void *const *buffers, const int64_t *dims,
              const char *name = nullptr);

  /// The pool in the form generated code calls.
  const aft_runtime_t *runtime() const { return &callbacks; }

  /// The pool for a thread count (0: defaultThreads), shared by everyone in the
  /// process who asks for the same count.
  static ThreadPool &shared(int threads);

  /// The most threads that a pool may be asked for.
  static constexpr int kMostThreads = 4096;

  /// Refuses what is no number of threads; 0 is one.
  static Status check(int64_t threads);

  /// What 0 threads stand for: AFT_NUM_THREADS, else usableCPUs. A value that is
  /// no number of threads gets one warning.
  static int defaultThreads();

  /// The CPUs that the process may use: its affinity, and the share of time
  /// that a container has.
  static int usableCPUs();

private:
  struct Slot;
  struct Cost;
  struct Worker {
    ThreadPool *pool;
    int number; ///< from 1; 0 is the launching thread
    pthread_t thread;
    SleepingPlace place;
  };
  struct Visits;
  void work(Worker &worker);
  bool help(int number, Visits &visits);
  bool spin(int number, Visits &visits, int64_t &budget);
  Slot *freeSlot();
  void wake(int helpers, double expected);
  void share(Slot &slot, aft_kernel_t kernel, void *const *buffers, const int64_t *dims,
             int64_t begin, int64_t end, double expected, Cost &cost, const void *key);

  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<Slot *> slots;
  std::unique_ptr<Cost[]> costs;
  int64_t longestSpin; ///< ticks
  bool fewCPUs;        ///< workers are kept off the CPU of who wakes them
  aft_runtime_t callbacks;
  std::atomic<bool> stopping{false};

  /// What every launch writes, away from what is only read.
  alignas(64) std::atomic<uint32_t> epoch{0}; ///< counts launches
  std::atomic<int> parked{0};                 ///< workers asleep or about to be
  /// Ticks of the launches in a row that no sleeping worker was woken for, and
  /// when the last of them was.
  std::atomic<int64_t> unheard{0}, lastUnheard{0};
};

} // namespace aft

#endif // AFT_RUNTIME_CORE_THREADPOOL_H
