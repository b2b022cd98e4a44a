//===- ThreadPool.cpp - Runs the work groups of kernels on all threads ----===//

#include "runtime/core/ThreadPool.h"

#include "runtime/core/Clock.h"
#include "runtime/core/Futex.h"
#include "runtime/core/GridShares.h"

#include <algorithm>
#include <map>
#include <mutex>
#include <new>

using namespace aft;

/// Kernels keep packed tiles on the stack.
static constexpr size_t kStackBytes = 16 << 20;
/// Launches at once that workers help with; a further one is its caller's own.
static constexpr int kSlots = 8;
/// Kernels whose cost is remembered.
static constexpr size_t kCosts = 256;
/// Cache lines come in pairs where the neighbour is fetched along.
static constexpr size_t kLine = 128;

/// Telling a spinning worker and waiting for it costs some tenths of a
/// microsecond; waking one that sleeps takes the caller some microseconds and
/// the worker some tens, more where the CPU sleeps in a virtual machine.
static constexpr double kWorthSharing = microseconds(1);
static constexpr double kWorthWaking = microseconds(50);
/// A worker spins for as long as a caller usually needs from one launch to the
/// next: between two tokens, not between two requests.
static constexpr int64_t kLongestSpin = microseconds(50), kShortestSpin = microseconds(2);
/// A worker that lost its CPU for so long while it spun is in somebody's way.
static constexpr int64_t kPreempted = microseconds(200);
/// Of so many CPUs, none may be idle at the moment when a worker is woken.
static constexpr int kFewCPUs = 4;
/// Polls between two looks at the clock.
static constexpr int kPolls = 32;

/// One launch. The state says who may look at the other fields: the launching
/// thread while it is Taken, and everyone who is counted inside. The shares lie
/// behind the last member.
struct ThreadPool::Slot {
  enum : uint32_t {
    Taken = 1u << 31,
    Open = 1u << 30,
    Awaited = 1u << 29,    ///< the launching thread sleeps until all are out
    Generation = 1u << 16, ///< counts the launches, in the bits up to Awaited
    Generations = Awaited - Generation,
    Inside = Generation - 1
  };
  std::atomic<uint32_t> state{0};
  aft_kernel_t kernel = nullptr;
  void *const *buffers = nullptr;
  const int64_t *dims = nullptr;
  GridShares shares;

  explicit Slot(int threads) : shares(threads) {}
  static Slot *make(int threads);
  static void destroy(Slot *slot);

  void run(GridShares::Range range) { kernel(buffers, dims, range.begin, range.end); }
  void runAll(int thread) {
    for (auto range = shares.next(thread); !range.empty(); range = shares.next(thread))
      run(range);
  }
  bool enter(uint32_t &visited);
  void leave();
  void close(int64_t longestSpin);
};

/// The generation of each slot that a worker was last inside: it has no more
/// work for it.
struct ThreadPool::Visits {
  uint32_t generation[kSlots];
  Visits() { std::fill_n(generation, kSlots, Slot::Inside); } // none
};

/// What a group of a kernel took when it was last measured. Two kernels that
/// share an entry push each other out; a torn pair only misjudges one launch.
struct ThreadPool::Cost {
  std::atomic<const void *> kernel{nullptr};
  std::atomic<float> perGroup{0};

  /// Ticks of so many groups; a kernel that is not known is worth waking for.
  double of(const void *key, int64_t groups) const {
    if (kernel.load(std::memory_order_relaxed) != key)
      return kWorthWaking;
    return static_cast<double>(perGroup.load(std::memory_order_relaxed)) *
           static_cast<double>(groups);
  }
  void update(const void *key, int64_t time, int64_t groups) {
    float fresh = static_cast<float>(time) / static_cast<float>(groups);
    float known = perGroup.load(std::memory_order_relaxed);
    bool same = kernel.load(std::memory_order_relaxed) == key;
    // A higher cost counts at once (another shape), a lower one bit by bit.
    if (same && fresh < known)
      fresh = 0.75f * known + 0.25f * fresh;
    perGroup.store(fresh, std::memory_order_relaxed);
    if (!same)
      kernel.store(key, std::memory_order_relaxed);
  }
};

static inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

//===----------------------------------------------------------------------===//
// A slot
//===----------------------------------------------------------------------===//

ThreadPool::Slot *ThreadPool::Slot::make(int threads) {
  void *memory =
      ::operator new(sizeof(Slot) + GridShares::bytesBehind(threads), std::align_val_t(kLine));
  return new (memory) Slot(threads);
}

void ThreadPool::Slot::destroy(Slot *slot) {
  slot->~Slot();
  ::operator delete(slot, std::align_val_t(kLine));
}

/// Counts this thread in, if the slot is open for a launch that it has not
/// visited.
bool ThreadPool::Slot::enter(uint32_t &visited) {
  uint32_t seen = state.load(std::memory_order_relaxed);
  while ((seen & Open) && (seen & Generations) != visited)
    if (state.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire,
                                    std::memory_order_relaxed)) {
      visited = seen & Generations;
      return true;
    }
  return false;
}

void ThreadPool::Slot::leave() {
  uint32_t before = state.fetch_sub(1, std::memory_order_release);
  // The slot may be somebody else's by now, who then looks once more.
  if ((before & Awaited) && (before & Inside) == 1)
    futexWake(state, 1);
}

/// Lets nobody in any more, waits for those inside and frees the slot.
void ThreadPool::Slot::close(int64_t longestSpin) {
  uint32_t seen = state.fetch_and(~uint32_t(Open), std::memory_order_acquire) & ~uint32_t(Open);
  int64_t start = 0;
  for (int polls = 1; seen & Inside; ++polls) {
    relax();
    seen = state.load(std::memory_order_acquire);
    if (polls % kPolls)
      continue;
    int64_t time = ticks();
    start = start ? start : time;
    if (time - start < longestSpin)
      continue;
    // Somebody inside has lost its CPU or is at a long chunk.
    seen = state.fetch_or(Awaited, std::memory_order_acquire) | Awaited;
    if (seen & Inside)
      futexWait(state, seen);
    seen = state.load(std::memory_order_acquire);
  }
  state.store((seen + Generation) & Generations, std::memory_order_release);
}

//===----------------------------------------------------------------------===//
// Workers
//===----------------------------------------------------------------------===//

ThreadPool::ThreadPool(int threads)
    : costs(new Cost[kCosts]),
      // With fewer CPUs than threads, whoever spins is in the way of the work.
      longestSpin(threads > usableCPUs() ? 0 : kLongestSpin), fewCPUs(usableCPUs() <= kFewCPUs) {
  callbacks.self = this;
  callbacks.parallel_for = [](void *self, aft_kernel_t kernel, void *const *buffers,
                              const int64_t *dims, const char *name) {
    static_cast<ThreadPool *>(self)->launch(kernel, buffers, dims, name);
  };
  threads = std::clamp(threads, 1, kMostThreads);
  for (int i = 0; i < kSlots && threads > 1; ++i)
    slots.push_back(Slot::make(threads));
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  auto main = [](void *argument) -> void * {
    auto *worker = static_cast<Worker *>(argument);
    worker->pool->work(*worker);
    return nullptr;
  };
  for (int number = 1; number < threads; ++number) {
    auto worker = std::make_unique<Worker>(this, number);
    // Fewer workers than wished for are still correct: the others take the
    // missing one's share.
    if (pthread_create(&worker->thread, &attributes, main, worker.get()) != 0)
      break;
    pthread_setname_np(worker->thread, ("aft-" + std::to_string(number)).c_str());
    workers.push_back(std::move(worker));
  }
  pthread_attr_destroy(&attributes);
}

ThreadPool::~ThreadPool() {
  stopping.store(true);
  epoch.fetch_add(1);
  futexWake(epoch, kMostThreads);
  for (const std::unique_ptr<Worker> &worker : workers)
    pthread_join(worker->thread, nullptr);
  for (Slot *slot : slots)
    Slot::destroy(slot);
}

/// Takes part in every launch that is open; whether there was one.
bool ThreadPool::help(int number, Visits &visits) {
  bool helped = false;
  for (int i = 0; i < kSlots; ++i)
    if (slots[i]->enter(visits.generation[i])) {
      slots[i]->runAll(number);
      slots[i]->leave();
      helped = true;
    }
  return helped;
}

/// Waits for a launch without leaving the CPU and takes part in it; whether
/// there was one. Adapts the time that this worker spins for.
bool ThreadPool::spin(int number, Visits &visits, int64_t &budget) {
  int64_t start = ticks(), time = start;
  while (time - start < budget) {
    for (int poll = 0; poll < kPolls; ++poll) {
      if (help(number, visits)) {
        budget = std::min(longestSpin, 2 * budget);
        return true;
      }
      relax();
    }
    int64_t later = ticks();
    if (later - time > kPreempted) {
      budget = 0;
      break;
    }
    time = later;
  }
  budget = std::max(std::min(kShortestSpin, longestSpin), budget / 2);
  return false;
}

void ThreadPool::work(Worker &worker) {
  int number = worker.number;
  int64_t budget = longestSpin;
  Visits visits;
  while (!stopping.load(std::memory_order_relaxed)) {
    if (spin(number, visits, budget))
      continue;
    // The last look at the slots comes after this: a later launch changes it.
    uint32_t seen = epoch.load(std::memory_order_seq_cst);
    worker.place.enter();
    parked.fetch_add(1, std::memory_order_seq_cst);
    bool helped = help(number, visits);
    int64_t start = ticks();
    while (!helped && epoch.load(std::memory_order_seq_cst) == seen &&
           !stopping.load(std::memory_order_relaxed))
      futexWait(epoch, seen);
    parked.fetch_sub(1, std::memory_order_relaxed);
    worker.place.leave();
    // It did not pay to sleep.
    if (ticks() - start < 2 * longestSpin)
      budget = longestSpin;
  }
}

//===----------------------------------------------------------------------===//
// Launches
//===----------------------------------------------------------------------===//

ThreadPool::Slot *ThreadPool::freeSlot() {
  for (Slot *slot : slots) {
    uint32_t seen = slot->state.load(std::memory_order_relaxed);
    if (!(seen & Slot::Taken) &&
        slot->state.compare_exchange_strong(seen, seen | Slot::Taken, std::memory_order_acquire,
                                            std::memory_order_relaxed))
      return slot;
  }
  return nullptr;
}

/// Wakes sleeping workers when what came in a row is worth it: a single small
/// kernel is not, a sequence of them is.
void ThreadPool::wake(int helpers, double expected) {
  epoch.fetch_add(1, std::memory_order_seq_cst);
  if (parked.load(std::memory_order_seq_cst) == 0)
    return;
  int64_t time = ticks(), last = lastUnheard.exchange(time, std::memory_order_relaxed);
  if (time - last > kLongestSpin + static_cast<int64_t>(expected))
    unheard.store(0, std::memory_order_relaxed);
  int64_t work = unheard.fetch_add(static_cast<int64_t>(expected), std::memory_order_relaxed);
  if (static_cast<double>(work) + expected < kWorthWaking)
    return;
  unheard.store(0, std::memory_order_relaxed);
  // With fewer CPUs than threads, any is good.
  if (longestSpin > 0)
    for (int cpu = sched_getcpu(); const std::unique_ptr<Worker> &worker : workers)
      worker->place.avoid(cpu, fewCPUs);
  futexWake(epoch, helpers);
}

/// Works on the groups [begin, end) with whoever comes.
void ThreadPool::share(Slot &slot, aft_kernel_t kernel, void *const *buffers, const int64_t *dims,
                       int64_t begin, int64_t end, double expected, Cost &cost, const void *key) {
  slot.kernel = kernel;
  slot.buffers = buffers;
  slot.dims = dims;
  GridShares::Range range = slot.shares.deal(begin, end);
  slot.state.fetch_or(Slot::Open, std::memory_order_release);
  wake(static_cast<int>(std::min<int64_t>(end - begin - 1, threads() - 1)), expected);
  int64_t start = ticks();
  slot.run(range);
  cost.update(key, ticks() - start, range.end - range.begin);
  slot.runAll(0);
  slot.close(longestSpin);
}

void ThreadPool::launch(aft_kernel_t kernel, void *const *buffers, const int64_t *dims,
                        const char *name) {
  int64_t groups = kernel(buffers, dims, 0, 0), begin = 0;
  if (groups <= 0)
    return;
  if (workers.empty() || groups == 1) {
    kernel(buffers, dims, 0, groups);
    return;
  }
  const void *key = name ? static_cast<const void *>(name) : reinterpret_cast<void *>(kernel);
  Cost &cost = costs[(reinterpret_cast<uintptr_t>(key) >> 2) * 0x9E3779B97F4A7C15u >> 56];
  double expected = cost.of(key, groups);
  if (expected < kWorthSharing) {
    // The first group shows whether the kernel is as small as it was.
    int64_t start = ticks();
    kernel(buffers, dims, 0, 1);
    expected = static_cast<double>(ticks() - start) * static_cast<double>(groups - 1);
    begin = 1;
    if (expected < 2 * kWorthSharing) {
      kernel(buffers, dims, 1, groups);
      cost.update(key, ticks() - start, groups);
      return;
    }
  }
  while (begin < groups) {
    int64_t end = std::min(groups, begin + GridShares::kMostGroups);
    if (Slot *slot = freeSlot())
      share(*slot, kernel, buffers, dims, begin, end, expected, cost, key);
    else
      kernel(buffers, dims, begin, end);
    begin = end;
  }
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
