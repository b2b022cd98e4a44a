//===- Allocator.h - Memory of a GPU, kept between uses -------------------===//
// The driver's allocation waits for the GPU and costs more than many a kernel. So
// memory comes from it in segments, which are cut into blocks. A block that is given
// back may be used again at once by what comes later on the same stream: the stream's
// order keeps both apart. Other streams get other blocks, and streams must live as long
// as what was put on them. Neighbours that are free are
// joined. Before memory is reported to be out, all segments without a used block go
// back to the driver.

#ifndef AFT_RUNTIME_CUDA_ALLOCATOR_H
#define AFT_RUNTIME_CUDA_ALLOCATOR_H

#include "runtime/cuda/Device.h"

#include <map>
#include <mutex>
#include <set>
#include <unordered_map>
#include <utility>

namespace aft::cuda {

/// Sizes in bytes, as rounded.
struct AllocatorStats {
  int64_t used = 0, mostUsed = 0;
  int64_t reserved = 0; ///< of all segments
  int64_t requests = 0;
  int64_t segments = 0; ///< that the driver has been asked for
  int64_t retries = 0;  ///< how often it had to be asked again
};

/// Safe to use from several threads, with any context current.
class Allocator {
public:
  explicit Allocator(const Device &device);
  ~Allocator();
  Allocator(const Allocator &) = delete;
  Allocator &operator=(const Allocator &) = delete;

  /// Memory for use on a stream, 512-byte aligned; 0 bytes give an address, too. When it
  /// cannot be had the message says how much was needed and how much is free.
  Status allocate(int64_t bytes, Stream stream, Address &memory);
  /// Takes it back; work that was put on the stream before may still use it.
  void release(Address memory);

  /// Waits for the GPU and gives unused segments back to the driver; how many bytes.
  int64_t trim();

  AllocatorStats stats() const;

private:
  struct Block {
    Address address;
    int64_t size;
    Stream stream;
    bool small;                                 ///< of a segment for small blocks
    Block *previous = nullptr, *next = nullptr; ///< neighbours in the segment
  };
  struct BestFit {
    bool operator()(const Block *a, const Block *b) const;
  };

  Block *find(int64_t size, Stream stream, bool small);
  Result addSegment(int64_t size, Stream stream, bool small, Block *&block);
  Result grow(int64_t size, Stream stream, bool small, Block *&block);
  void split(Block *block, int64_t size);
  Block *join(Block *block);
  int64_t trimLocked();
  Status refuse(int64_t bytes, Result result) const;

  const Device &device;
  mutable std::mutex mutex; ///< guards everything below
  std::set<Block *, BestFit> idle;
  std::unordered_map<Address, Block *> used;
  AllocatorStats counts;
};

/// A block that is released with its owner.
class DeviceMemory {
public:
  DeviceMemory() = default;
  ~DeviceMemory() { reset(); }
  DeviceMemory(DeviceMemory &&other) noexcept
      : owner(std::exchange(other.owner, nullptr)), memory(other.memory) {}
  DeviceMemory &operator=(DeviceMemory &&other) noexcept {
    std::swap(owner, other.owner);
    std::swap(memory, other.memory);
    return *this;
  }

  Status allocate(Allocator &allocator, int64_t bytes, Stream stream) {
    reset();
    Status status = allocator.allocate(bytes, stream, memory);
    owner = status.ok() ? &allocator : nullptr;
    return status;
  }
  void reset() {
    if (owner)
      std::exchange(owner, nullptr)->release(memory);
  }
  Address address() const { return memory; }
  void *pointer() const { return reinterpret_cast<void *>(memory); }

private:
  Allocator *owner = nullptr;
  Address memory = 0;
};

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_ALLOCATOR_H
