//===- GridShares.h - Who works on which groups of a grid -----------------===//
// Every thread has a contiguous share, the same one in each launch of a grid of
// this size: what it wrote in one launch is in its own cache in the next. It
// takes its share from the front, half of what is left at a time; a thread that
// is done takes from the back of the others' shares. So nobody waits for a
// thread that is late, or asleep.

#ifndef AFT_RUNTIME_CORE_GRIDSHARES_H
#define AFT_RUNTIME_CORE_GRIDSHARES_H

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace aft {

/// The shares lie behind the object, in the same cache line where they fit: a
/// worker that joins gets all it needs with one transfer. Memory of
/// sizeof(GridShares) + bytesBehind(threads) belongs to it.
class GridShares {
public:
  /// The groups [begin, end).
  struct Range {
    int64_t begin, end;
    bool empty() const { return begin >= end; }
  };

  /// What one deal() can hold.
  static constexpr int64_t kMostGroups = int64_t(1) << 31;

  static constexpr size_t bytesBehind(int threads) {
    return static_cast<size_t>(threads) * sizeof(std::atomic<uint64_t>);
  }

  explicit GridShares(int threads);
  GridShares(const GridShares &) = delete;
  GridShares &operator=(const GridShares &) = delete;

  /// Deals the groups [begin, end) out and returns what thread 0 does first.
  /// Nobody may be in next() meanwhile.
  Range deal(int64_t begin, int64_t end);

  /// What a thread does next; empty when all groups are taken.
  Range next(int thread);

private:
  /// Begin in the upper, end in the lower half, counted from `first`.
  using Share = std::atomic<uint64_t>;
  Share &share(int thread) { return reinterpret_cast<Share *>(this + 1)[thread]; }
  Range take(Share &share, bool front);

  const int32_t threads;
  uint32_t grain = 1; ///< the fewest groups that are taken at once
  int64_t first = 0;
};

} // namespace aft

#endif // AFT_RUNTIME_CORE_GRIDSHARES_H
