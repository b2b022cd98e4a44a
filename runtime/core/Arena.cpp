//===- Arena.cpp - Scratch memory of entries, kept between calls ----------===//

#include "runtime/core/Arena.h"

#include <algorithm>
#include <cstdlib>
#include <sys/mman.h>

using namespace aft;

/// Blocks of at least this size are aligned for and advised to use huge pages.
static constexpr int64_t kHugePage = 2 << 20;
/// More than this no machine has; sanitizers stop the process when asked.
static constexpr int64_t kLargest = int64_t(1) << 46;
/// Idle blocks kept; more callers than this at once is rare.
static constexpr size_t kIdleBlocks = 4;
/// Larger blocks are given back after so many calls that did not need them.
static constexpr int64_t kKept = 64 << 20;
static constexpr int kUnneeded = 64;

ArenaPool::~ArenaPool() {
  for (const Block &block : idle)
    std::free(block.memory);
}

int64_t ArenaPool::idleBytes() const {
  std::lock_guard<std::mutex> lock(mutex);
  int64_t sum = 0;
  for (const Block &block : idle)
    sum += block.size;
  return sum;
}

ArenaPool::Block ArenaPool::find(int64_t bytes) {
  std::lock_guard<std::mutex> lock(mutex);
  // The smallest; of several the last returned, which is the warmest.
  auto best = idle.end();
  for (auto it = idle.begin(); it != idle.end(); ++it)
    if (it->size >= bytes && (best == idle.end() || it->size <= best->size))
      best = it;
  if (best == idle.end())
    return {};
  Block block = *best;
  idle.erase(best);
  return block;
}

ArenaPool::Lease::Lease(ArenaPool &owner, int64_t bytes) : pool(owner), bytes(bytes) {
  if (bytes < 0 || bytes > kLargest)
    return;
  block = pool.find(bytes);
  if (block.memory)
    return;
  int64_t alignment = bytes >= kHugePage ? kHugePage : 64;
  block.size = (std::max<int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  block.memory = std::aligned_alloc(alignment, block.size);
  if (block.memory && block.size >= kHugePage)
    madvise(block.memory, block.size, MADV_HUGEPAGE);
}

void ArenaPool::take(Block block, int64_t bytes) {
  if (!block.memory)
    return;
  std::vector<void *> surplus;
  {
    std::lock_guard<std::mutex> lock(mutex);
    idle.push_back(block);
    for (Block &one : idle)
      one.unneeded = bytes < one.size / 4 ? one.unneeded + 1 : 0;
    std::erase_if(idle, [&](const Block &one) {
      bool goes = one.size > kKept && one.unneeded >= kUnneeded;
      if (goes)
        surplus.push_back(one.memory);
      return goes;
    });
    if (idle.size() > kIdleBlocks) {
      // The smallest serves the fewest calls.
      auto least = std::min_element(idle.begin(), idle.end(),
                                    [](const Block &a, const Block &b) { return a.size < b.size; });
      surplus.push_back(least->memory);
      idle.erase(least);
    }
  }
  // Outside the lock: this may unmap gigabytes.
  for (void *memory : surplus)
    std::free(memory);
}
