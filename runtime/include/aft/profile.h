//===- profile.h - Where programs spend their time ------------------------===//
// A profile collects what every launch of a kernel took, summed per kernel and,
// where wanted, one by one for a timeline. While no profile is at work, a call
// of an entry pays one look at a thread-local pointer.

#ifndef AFT_PROFILE_H
#define AFT_PROFILE_H

#include "aft/program.h"

#include <cstddef>

namespace aft {

class RunRecord;

/// All launches of one kernel by one entry.
struct KernelTotal {
  std::string entry, kernel;
  int64_t launches = 0;
  int64_t groups = 0; ///< work groups of all launches
  /// From the call of parallel_for to its return.
  double milliseconds = 0;
  /// Inside the kernel, summed over all threads: at most threads * milliseconds.
  /// What is missing is spent on waking, waiting and uneven work.
  double threadMilliseconds = 0;
  /// Of all operands of all launches, each counted once per launch: what must
  /// move at least where nothing is in the caches and everything is used. 0
  /// where it is not known.
  int64_t bytes = 0;
};

/// All calls of one entry.
struct EntryTotal {
  std::string entry;
  int64_t runs = 0;
  double milliseconds = 0;       ///< kernels and what is between them
  double kernelMilliseconds = 0; ///< the part that is spent in parallel_for
  int64_t arenaBytes = 0;        ///< scratch memory of the largest call
  int threads = 0;               ///< of the pool; 0: the host's own parallel_for
  std::vector<int64_t> extents;  ///< of the inputs of its last call, all in order
};

/// Safe to use from several threads at once.
class AFT_API Profile {
public:
  /// Slices of a timeline kept where nothing else is said: some 40 MB as JSON.
  static constexpr size_t kMostSlices = 1 << 18;

  /// `mostSlices` bounds the timeline, 0: totals only. What happens after the
  /// timeline is full is missing in it, but not in the totals.
  explicit Profile(size_t mostSlices = 0);
  ~Profile();
  Profile(const Profile &) = delete;
  Profile &operator=(const Profile &) = delete;

  /// While it lives, the calls of entries by this thread, whatever the program,
  /// are measured. Scopes nest; the innermost counts.
  class AFT_API Scope {
  public:
    explicit Scope(Profile &profile);
    ~Scope();
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;

  private:
    Profile *outer;
  };

  /// The slowest first.
  std::vector<KernelTotal> kernels() const;
  std::vector<EntryTotal> entries() const;

  /// The kernels as text, one line each.
  std::string table() const;

  /// The timeline in Chrome's trace event format, which chrome://tracing and
  /// Perfetto (ui.perfetto.dev) show: calls of entries, in them launches, and on
  /// each thread the work it did for a launch. Written under a temporary name
  /// and renamed.
  Status writeTrace(const std::string &path) const;
  /// The same as text.
  std::string trace() const;

  /// Whether calls by this thread must be measured: it is in a Scope, or
  /// AFT_TRACE names a file, to which the whole process is then written when
  /// it exits.
  static bool wanted();
  /// Adds a measured call to the profiles that want it.
  static void deliver(const RunRecord &run);
  void add(const RunRecord &run);

private:
  struct AFT_HIDDEN Impl;
  std::unique_ptr<Impl> impl;
};

} // namespace aft

#endif // AFT_PROFILE_H
