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

ArenaPool::~ArenaPool() {
  for (Block &block : idle)
    std::free(block.memory);
}

ArenaPool::Lease::Lease(ArenaPool &owner, int64_t bytes) : pool(owner), memory(nullptr) {
  {
    std::lock_guard<std::mutex> lock(pool.mutex);
    auto fits = [&](const Block &block) { return block.size >= bytes; };
    auto it = std::find_if(pool.idle.begin(), pool.idle.end(), fits);
    if (it != pool.idle.end()) {
      memory = it->memory;
      size = it->size;
      pool.idle.erase(it);
      return;
    }
  }
  int64_t alignment = bytes >= kHugePage ? kHugePage : 64;
  if (bytes < 0 || bytes > kLargest)
    return;
  size = (std::max<int64_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  memory = std::aligned_alloc(alignment, size);
  if (memory && size >= kHugePage)
    madvise(memory, size, MADV_HUGEPAGE);
}

ArenaPool::Lease::~Lease() {
  if (!memory)
    return;
  std::lock_guard<std::mutex> lock(pool.mutex);
  // Keep the largest: they serve every later call.
  pool.idle.push_back({memory, size});
  std::sort(pool.idle.begin(), pool.idle.end(),
            [](const Block &a, const Block &b) { return a.size > b.size; });
  if (pool.idle.size() > kIdleBlocks) {
    std::free(pool.idle.back().memory);
    pool.idle.pop_back();
  }
}
