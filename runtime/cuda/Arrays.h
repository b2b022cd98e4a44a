//===- Arrays.h - Memory of a GPU for callers on the host -----------------===//

#ifndef AFT_RUNTIME_CUDA_ARRAYS_H
#define AFT_RUNTIME_CUDA_ARRAYS_H

#include "runtime/core/InternalApi.h"
#include "runtime/cuda/Allocator.h"

namespace aft::cuda {

/// Memory that is given back, in the order of the GPU's own stream, with its last owner.
class Array {
public:
  void *pointer() const { return memory.pointer(); }
  int64_t bytes() const { return size; }

private:
  friend class Arrays;
  std::shared_ptr<Device> device; ///< outlives the memory
  DeviceMemory memory;
  int64_t size = 0;
};

/// What callers whose arrays are on the host keep on a GPU, and the copies between both, all
/// in the order of one stream. Safe to use from several threads.
class Arrays {
public:
  static Status open(std::shared_ptr<Device> device, std::shared_ptr<Arrays> &arrays);
  /// On the system's GPU of that number.
  AFT_INTERNAL static Status open(int ordinal, std::shared_ptr<Arrays> &arrays);

  AFT_INTERNAL Status make(int64_t bytes, std::shared_ptr<const Array> &array) const;
  /// `from` may change as soon as this returns.
  AFT_INTERNAL Status copyIn(const Array &array, const void *from) const;
  /// After all that was put on the stream; returns when the bytes are there.
  AFT_INTERNAL Status copyOut(void *to, const Array &array) const;
  /// What programs must be called with, which work on arrays.
  AFT_INTERNAL void *stream() const;

private:
  explicit Arrays(std::shared_ptr<Device> device) : device(std::move(device)) {}

  const std::shared_ptr<Device> device;
};

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_ARRAYS_H
