//===- Allocator.cpp - Memory of a GPU, kept between uses -----------------===//

#include "runtime/cuda/Allocator.h"

#include <algorithm>
#include <tuple>
#include <vector>

using namespace aft;
using namespace aft::cuda;

static constexpr int64_t kUnit = 512;
/// Up to here blocks share segments of their own, so that they do not cut up large ones.
static constexpr int64_t kSmall = 1 << 20;
static constexpr int64_t kSmallSegment = 2 << 20;
/// Up to half of this, blocks share segments of this size.
static constexpr int64_t kSegment = 32 << 20;
static constexpr int64_t kSegmentUnit = 2 << 20;
/// More than this no GPU has.
static constexpr int64_t kLargest = int64_t(1) << 46;

static int64_t roundUp(int64_t bytes, int64_t unit) { return (bytes + unit - 1) / unit * unit; }

bool Allocator::BestFit::operator()(const Block *a, const Block *b) const {
  auto key = [](const Block *block) {
    return std::make_tuple(block->small, reinterpret_cast<uintptr_t>(block->stream), block->size,
                           block->address);
  };
  return key(a) < key(b);
}

Allocator::Allocator(const Device &device) : device(device) {}

Allocator::~Allocator() {
  (void)trimLocked();
  // What is still used goes with the context, if it goes.
  for (auto [address, block] : used)
    delete block;
}

AllocatorStats Allocator::stats() const {
  std::lock_guard<std::mutex> lock(mutex);
  return counts;
}

Allocator::Block *Allocator::find(int64_t size, Stream stream, bool small) {
  Block wanted{0, size, stream, small};
  auto found = idle.lower_bound(&wanted);
  if (found == idle.end() || (*found)->stream != stream || (*found)->small != small)
    return nullptr;
  Block *block = *found;
  idle.erase(found);
  return block;
}

Result Allocator::addSegment(int64_t size, Stream stream, bool small, Block *&block) {
  Address address = 0;
  ++counts.segments;
  Result result = device.driver().memAlloc(&address, static_cast<size_t>(size));
  if (result != Result::Success)
    return result;
  counts.reserved += size;
  block = new Block{address, size, stream, small};
  return result;
}

/// A segment of the usual size; where that cannot be had also after unused ones were given
/// back, of the least size.
Result Allocator::grow(int64_t size, Stream stream, bool small, Block *&block) {
  int64_t least = small ? kSmallSegment : roundUp(size, kSegmentUnit);
  int64_t usual = small || size > kSegment / 2 ? least : kSegment;
  Result result = addSegment(usual, stream, small, block);
  if (result != Result::OutOfMemory)
    return result;
  ++counts.retries;
  if (trimLocked() > 0)
    result = addSegment(usual, stream, small, block);
  if (result == Result::OutOfMemory && least < usual)
    result = addSegment(least, stream, small, block);
  return result;
}

/// Leaves the first `size` bytes to a block that is not idle.
void Allocator::split(Block *block, int64_t size) {
  int64_t rest = block->size - size;
  if (rest < (block->small ? kUnit : kSmall))
    return;
  Block *second = new Block{block->address + static_cast<Address>(size),
                            rest,
                            block->stream,
                            block->small,
                            block,
                            block->next};
  if (block->next)
    block->next->previous = second;
  block->next = second;
  block->size = size;
  idle.insert(second);
}

Status Allocator::refuse(int64_t bytes, Result result) const {
  if (result != Result::OutOfMemory)
    return device.check(result, "memory cannot be had");
  auto text = [](int64_t count) { return std::to_string(count) + " bytes"; };
  return {device.properties().label() + " is out of memory: needed are " + text(bytes) +
          ", free are " + text(device.freeBytes()) + " of " +
          text(device.properties().memoryBytes) + "; this process uses " + text(counts.used) +
          " and keeps " + text(counts.reserved - counts.used)};
}

Status Allocator::allocate(int64_t bytes, Stream stream, Address &memory) {
  std::lock_guard<std::mutex> lock(mutex);
  ++counts.requests;
  bool possible = bytes >= 0 && bytes <= kLargest;
  int64_t size = possible ? roundUp(std::max<int64_t>(bytes, 1), kUnit) : 0;
  bool small = size <= kSmall;
  Block *block = possible ? find(size, stream, small) : nullptr;
  if (!block) {
    Device::Scope scope(device);
    if (!scope.status().ok())
      return scope.status();
    Result result = possible ? grow(size, stream, small, block) : Result::OutOfMemory;
    if (result != Result::Success)
      return refuse(bytes, result);
  }
  split(block, size);
  used.emplace(block->address, block);
  counts.used += block->size;
  counts.mostUsed = std::max(counts.mostUsed, counts.used);
  memory = block->address;
  return {};
}

/// Joins a block with its idle neighbours; all are idle when they are in the set.
Allocator::Block *Allocator::join(Block *block) {
  if (Block *next = block->next; next && idle.erase(next)) {
    block->size += next->size;
    block->next = next->next;
    if (block->next)
      block->next->previous = block;
    delete next;
  }
  if (Block *previous = block->previous; previous && idle.erase(previous)) {
    previous->size += block->size;
    previous->next = block->next;
    if (previous->next)
      previous->next->previous = previous;
    delete block;
    return previous;
  }
  return block;
}

void Allocator::release(Address memory) {
  std::lock_guard<std::mutex> lock(mutex);
  auto found = used.find(memory);
  if (found == used.end())
    return;
  Block *block = found->second;
  used.erase(found);
  counts.used -= block->size;
  idle.insert(join(block));
}

int64_t Allocator::trimLocked() {
  std::vector<Block *> whole;
  for (Block *block : idle)
    if (!block->previous && !block->next)
      whole.push_back(block);
  if (whole.empty())
    return 0;
  Device::Scope scope(device);
  // Kernels on other streams may still be at work on them.
  (void)device.driver().ctxSynchronize();
  int64_t bytes = 0;
  for (Block *block : whole) {
    (void)device.driver().memFree(block->address);
    bytes += block->size;
    idle.erase(block);
    delete block;
  }
  counts.reserved -= bytes;
  return bytes;
}

int64_t Allocator::trim() {
  std::lock_guard<std::mutex> lock(mutex);
  return trimLocked();
}
