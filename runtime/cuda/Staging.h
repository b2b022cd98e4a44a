//===- Staging.h - Copies between arrays of the host and a GPU ------------===//
// The GPU copies by itself only from and to pinned memory, which is scarce. Arrays pass
// through two pinned buffers: while one is copied by the GPU, the CPU works on the other.

#ifndef AFT_RUNTIME_CUDA_STAGING_H
#define AFT_RUNTIME_CUDA_STAGING_H

#include "runtime/cuda/Device.h"

#include <mutex>

namespace aft::cuda {

/// Safe to use from several threads: transfers come one after the other. Calls are made
/// within a Device::Scope.
class Staging {
public:
  static constexpr int64_t kBufferBytes = 4 << 20;

  explicit Staging(const Device &device) : device(device) {}
  /// Within a Device::Scope.
  ~Staging();
  Staging(const Staging &) = delete;
  Staging &operator=(const Staging &) = delete;

  /// In the order of the stream; `from` may change as soon as this returns.
  Status copyIn(Address to, const void *from, int64_t bytes, Stream stream);
  /// After what is on the stream; returns when the bytes are there.
  Status copyOut(void *to, Address from, int64_t bytes, Stream stream);

private:
  struct Slot {
    void *memory = nullptr;
    Event done = nullptr; ///< the last copy from or to it
    bool busy = false;
  };
  /// Whether there are buffers. Without (pinned memory is out) the driver copies slowly.
  bool prepare();
  Status wait(Slot &slot);
  Status record(Slot &slot, Stream stream);

  const Device &device;
  std::mutex mutex; ///< guards everything below
  Slot slots[2];
};

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_STAGING_H
