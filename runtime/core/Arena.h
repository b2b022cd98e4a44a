//===- Arena.h - Scratch memory of entries, kept between calls ------------===//

#ifndef AFT_RUNTIME_CORE_ARENA_H
#define AFT_RUNTIME_CORE_ARENA_H

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

namespace aft {

/// Lends 64-byte aligned blocks. Every call in flight has one of its own; a
/// returned block serves the next call that it is large enough for.
class ArenaPool {
public:
  ~ArenaPool();

  /// A block while it lives; data is null when the memory could not be had.
  class Lease {
  public:
    Lease(ArenaPool &pool, int64_t bytes);
    ~Lease();
    Lease(const Lease &) = delete;
    Lease &operator=(const Lease &) = delete;
    void *data() const { return memory; }

  private:
    ArenaPool &pool;
    void *memory;
    int64_t size;
  };

private:
  struct Block {
    void *memory;
    int64_t size;
  };
  std::mutex mutex;
  std::vector<Block> idle;
};

} // namespace aft

#endif // AFT_RUNTIME_CORE_ARENA_H
