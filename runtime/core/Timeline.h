//===- Timeline.h - Measured calls as a timeline --------------------------===//

#ifndef AFT_RUNTIME_CORE_TIMELINE_H
#define AFT_RUNTIME_CORE_TIMELINE_H

#include "runtime/core/RunRecord.h"

#include <cstddef>
#include <set>

namespace aft {

/// Calls of entries, launches and the threads' work on them, at most so many.
class Timeline {
public:
  explicit Timeline(size_t most) : most(most), origin(now()) {}

  /// Adds a call; what does not fit is counted.
  void add(const RunRecord &run);

  /// Chrome's trace event format. Times count from the timeline's making.
  std::string json() const;

private:
  enum class Kind : uint8_t { Entry, Launch, Work };
  struct Slice {
    int64_t start, duration; ///< nanoseconds
    int64_t groups, bytes;
    const std::string *name;
    int thread;
    Kind kind;
  };
  void add(Slice slice);
  void append(const Slice &slice, std::string &text) const;

  const size_t most;
  const int64_t origin;
  std::vector<Slice> slices;
  int64_t dropped = 0;
  std::set<std::string> names;
  std::set<int> callers; ///< the threads that called an entry
};

} // namespace aft

#endif // AFT_RUNTIME_CORE_TIMELINE_H
