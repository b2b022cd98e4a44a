//===- Arena.h - Scratch memory of entries, kept between calls ------------===//
// Blocks are kept so that a call neither asks the system for memory nor touches
// pages for the first time: a page fault costs more than many a kernel. Large
// blocks lie on 2 MiB boundaries and ask for huge pages.
//
// What is kept is bounded: at most four idle blocks. After one huge call its
// block goes back to the system when 64 calls have ended that needed less than
// a quarter of it; blocks up to 64 MiB stay.

#ifndef AFT_RUNTIME_CORE_ARENA_H
#define AFT_RUNTIME_CORE_ARENA_H

#include "runtime/core/InternalApi.h"

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace aft {

/// Lends 64-byte aligned blocks. Every call in flight has one of its own; a
/// returned block serves the next call that it is large enough for.
class AFT_INTERNAL ArenaPool {
  struct Block {
    void *memory = nullptr;
    int64_t size = 0;
    int unneeded = 0; ///< calls that ended since one needed a quarter of it
  };

public:
  ArenaPool() = default;
  ~ArenaPool();
  ArenaPool(const ArenaPool &) = delete;
  ArenaPool &operator=(const ArenaPool &) = delete;

  /// A block while it lives; data is null when the memory could not be had.
  class Lease {
  public:
    Lease(ArenaPool &pool, int64_t bytes);
    ~Lease() { pool.take(block, bytes); }
    Lease(const Lease &) = delete;
    Lease &operator=(const Lease &) = delete;
    void *data() const { return block.memory; }

  private:
    ArenaPool &pool;
    const int64_t bytes;
    Block block;
  };

  /// Bytes of the blocks that wait for the next call.
  int64_t idleBytes() const;

private:
  /// An idle block that is large enough, or none.
  Block find(int64_t bytes);
  /// Takes back what a call used this many bytes of.
  void take(Block block, int64_t bytes);

  mutable std::mutex mutex;
  std::vector<Block> idle; ///< the last returned last; guarded by mutex
};

} // namespace aft

#endif // AFT_RUNTIME_CORE_ARENA_H
