//===- GridShares.cpp - Who works on which groups of a grid ---------------===//

#include "runtime/core/GridShares.h"

#include <algorithm>
#include <new>

using namespace aft;

/// Takes per share at most, about: each is a call of the kernel.
static constexpr int64_t kGrainsPerShare = 8;

GridShares::GridShares(int threads) : threads(threads) {
  for (int thread = 0; thread < threads; ++thread)
    new (&share(thread)) Share(0);
}

GridShares::Range GridShares::deal(int64_t begin, int64_t end) {
  first = begin;
  int64_t groups = end - begin, each = groups / threads, more = groups % threads;
  grain = static_cast<uint32_t>(std::max<int64_t>(1, each / kGrainsPerShare));
  uint64_t at = 0;
  for (int thread = 0; thread < threads; ++thread) {
    uint64_t stop = at + static_cast<uint64_t>(each + (thread < more));
    share(thread).store(at << 32 | stop, std::memory_order_relaxed);
    at = stop;
  }
  return take(share(0), /*front=*/true);
}

GridShares::Range GridShares::take(Share &share, bool front) {
  uint64_t range = share.load(std::memory_order_relaxed);
  for (;;) {
    uint32_t begin = static_cast<uint32_t>(range >> 32), end = static_cast<uint32_t>(range);
    if (begin >= end)
      return {0, 0};
    uint32_t count = std::min(end - begin, std::max(grain, (end - begin + 1) / 2));
    uint32_t from = front ? begin : end - count;
    uint64_t rest = front ? uint64_t(begin + count) << 32 | end : uint64_t(begin) << 32 | from;
    // What is worked on is handed over by the launch, not here.
    if (share.compare_exchange_weak(range, rest, std::memory_order_relaxed))
      return {first + from, first + from + count};
  }
}

GridShares::Range GridShares::next(int thread) {
  for (int i = 0; i < threads; ++i) {
    Range range = take(share((thread + i) % threads), i == 0);
    if (!range.empty())
      return range;
  }
  return {0, 0};
}
