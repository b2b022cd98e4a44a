//===- ThreadPool.h - Runs the work groups of kernels on all threads ------===//
// Workers spin for a moment after their last work and then park. Any number of
// threads may launch kernels at once; each launch is a job of its own, in which
// the launching thread takes part.
//
// Kernels keep packed tiles on the stack. Workers have 16 MiB; a thread that
// launches needs what the largest kernel takes, which the compiler limits to
// 4 MiB (the usual 8 MiB of a thread are enough).

#ifndef AFT_RUNTIME_CORE_THREADPOOL_H
#define AFT_RUNTIME_CORE_THREADPOOL_H

#include "aft/abi.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <pthread.h>
#include <vector>

namespace aft {

class ThreadPool {
public:
  /// `threads` in all, the caller included; 1 spawns nothing.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;
  ThreadPool &operator=(const ThreadPool &) = delete;

  int threads() const { return static_cast<int>(workers.size()) + 1; }

  /// Runs the whole grid of a kernel and returns when it is done.
  void launch(aft_kernel_t kernel, void *const *buffers, const int64_t *dims);

  /// The pool in the form generated code calls.
  const aft_runtime_t *runtime() const { return &callbacks; }

  /// The pool for a thread count (0: AFT_NUM_THREADS, else all CPUs), shared
  /// by everyone in the process who asks for the same count.
  static ThreadPool &shared(int threads);

  /// The most threads that a pool may be asked for.
  static constexpr int kMostThreads = 4096;

  /// What 0 threads stand for: AFT_NUM_THREADS, else the CPUs that the process
  /// may use. A value that is no number of threads gets one warning.
  static int defaultThreads();

private:
  struct Job;
  static void *workerMain(void *self);
  void work();
  Job *take();
  static void runChunks(Job &job);

  std::vector<pthread_t> workers;
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<Job *> jobs;            ///< with work left; guarded by mutex
  std::atomic<uint64_t> epoch{0};     ///< counts submitted jobs
  bool stopping = false;              ///< guarded by mutex
  aft_runtime_t callbacks;
};

} // namespace aft

#endif // AFT_RUNTIME_CORE_THREADPOOL_H
