//===- Staging.cpp - Copies between arrays of the host and a GPU ----------===//

#include "runtime/cuda/Staging.h"

#include <algorithm>
#include <cstring>
#include <utility>

using namespace aft;
using namespace aft::cuda;

static constexpr const char *kCannotCopyIn = "copying to it failed";
static constexpr const char *kCannotCopyOut = "copying from it failed";

Staging::~Staging() {
  for (Slot &slot : slots) {
    (void)wait(slot);
    if (slot.done)
      (void)device.driver().eventDestroy(slot.done);
    if (slot.memory)
      (void)device.driver().memFreeHost(slot.memory);
  }
}

bool Staging::prepare() {
  const Driver &driver = device.driver();
  for (Slot &slot : slots) {
    if (!slot.memory && driver.memHostAlloc(&slot.memory, kBufferBytes, 0) != Result::Success)
      slot.memory = nullptr;
    if (!slot.done && driver.eventCreate(&slot.done, kEventUntimed) != Result::Success)
      slot.done = nullptr;
    if (!slot.memory || !slot.done)
      return false;
  }
  return true;
}

Status Staging::wait(Slot &slot) {
  if (!std::exchange(slot.busy, false))
    return {};
  return device.check(device.driver().eventSynchronize(slot.done), "waiting for a copy failed");
}

Status Staging::record(Slot &slot, Stream stream) {
  slot.busy = true;
  return device.check(device.driver().eventRecord(slot.done, stream), "following a copy failed");
}

Status Staging::copyIn(Address to, const void *from, int64_t bytes, Stream stream) {
  std::lock_guard<std::mutex> lock(mutex);
  const Driver &driver = device.driver();
  if (bytes == 0)
    return {};
  if (!prepare()) {
    if (Status status = device.check(
            driver.memcpyHtoDAsync(to, from, static_cast<size_t>(bytes), stream), kCannotCopyIn);
        !status.ok())
      return status;
    return device.check(driver.streamSynchronize(stream), kCannotCopyIn);
  }
  int next = 0;
  for (int64_t start = 0; start < bytes; start += kBufferBytes, next ^= 1) {
    Slot &slot = slots[next];
    auto count = static_cast<size_t>(std::min(kBufferBytes, bytes - start));
    Status status = wait(slot);
    if (status.ok()) {
      std::memcpy(slot.memory, static_cast<const char *>(from) + start, count);
      status = device.check(
          driver.memcpyHtoDAsync(to + static_cast<Address>(start), slot.memory, count, stream),
          kCannotCopyIn);
    }
    if (status.ok())
      status = record(slot, stream);
    if (!status.ok())
      return status;
  }
  return {};
}

Status Staging::copyOut(void *to, Address from, int64_t bytes, Stream stream) {
  std::lock_guard<std::mutex> lock(mutex);
  const Driver &driver = device.driver();
  if (bytes > 0 && !prepare()) {
    if (Status status = device.check(
            driver.memcpyDtoHAsync(to, from, static_cast<size_t>(bytes), stream), kCannotCopyOut);
        !status.ok())
      return status;
    return device.check(driver.streamSynchronize(stream), kCannotCopyOut);
  }
  auto sizeAt = [&](int64_t start) {
    return static_cast<size_t>(std::min(kBufferBytes, bytes - start));
  };
  // One chunk is on its way while the one before it is taken out.
  int next = 0;
  for (int64_t start = 0; start < bytes + kBufferBytes; start += kBufferBytes, next ^= 1) {
    if (start < bytes) {
      Status status = wait(slots[next]);
      if (status.ok())
        status = device.check(driver.memcpyDtoHAsync(slots[next].memory,
                                                     from + static_cast<Address>(start),
                                                     sizeAt(start), stream),
                              kCannotCopyOut);
      if (status.ok())
        status = record(slots[next], stream);
      if (!status.ok())
        return status;
    }
    int64_t before = start - kBufferBytes;
    if (before < 0 || before >= bytes)
      continue;
    if (Status status = wait(slots[next ^ 1]); !status.ok())
      return status;
    std::memcpy(static_cast<char *>(to) + before, slots[next ^ 1].memory, sizeAt(before));
  }
  return {};
}
