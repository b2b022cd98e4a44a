//===- Device.h - A GPU and its context -----------------------------------===//

#ifndef AFT_RUNTIME_CUDA_DEVICE_H
#define AFT_RUNTIME_CUDA_DEVICE_H

#include "runtime/core/InternalApi.h"
#include "runtime/cuda/Driver.h"

namespace aft::cuda {

class Allocator;
class Staging;

struct DeviceProperties {
  int ordinal = 0;
  std::string name;
  int major = 0, minor = 0; ///< compute capability
  int multiprocessors = 0;
  int64_t mostBlocks = 0;  ///< of a grid in one dimension
  int mostSharedBytes = 0; ///< of a block, where a kernel asks for more than usual
  int64_t memoryBytes = 0;
  /// For reports alone; 0: the driver does not say.
  int clockKHz = 0, memoryClockKHz = 0, memoryBusBits = 0;

  /// "GPU 0 (NVIDIA H100)"
  std::string label() const { return "GPU " + std::to_string(ordinal) + " (" + name + ")"; }
};

/// What the system's GPU of that number is.
AFT_INTERNAL Status readDevice(int ordinal, DeviceProperties &properties);

/// A GPU with its primary context, which LibTorch and the CUDA runtime use too: memory
/// and streams can be handed between them. Safe to use from several threads.
class Device {
public:
  /// sm_80.
  static constexpr int kLeastCapability = 80;

  static Status open(std::shared_ptr<const Driver> driver, int ordinal,
                     std::shared_ptr<Device> &device);
  /// The system's GPU of that number, opened once.
  static Status shared(int ordinal, std::shared_ptr<Device> &device);
  ~Device();
  Device(const Device &) = delete;
  Device &operator=(const Device &) = delete;

  /// Makes the context this thread's current one while it lives; then the thread has the
  /// one that it had.
  class Scope {
  public:
    explicit Scope(const Device &device);
    ~Scope();
    Scope(const Scope &) = delete;
    Scope &operator=(const Scope &) = delete;
    const Status &status() const { return result; }

  private:
    const Driver &driver;
    Status result;
  };

  const Driver &driver() const { return *library; }
  const DeviceProperties &properties() const { return facts; }
  Allocator &allocator() const { return *memory; }
  Staging &staging() const { return *transfers; }
  /// A stream of our own, which does not wait for the default stream.
  Stream stream() const { return own; }
  /// Bytes that nobody in the system uses; 0 if unknown. Within a Scope.
  int64_t freeBytes() const;
  /// As Driver::check; names the GPU.
  Status check(Result result, const std::string &what) const;

private:
  Device(std::shared_ptr<const Driver> driver, int ordinal);
  Status initialize();
  Status readProperties();

  std::shared_ptr<const Driver> library;
  DeviceProperties facts;
  int number = -1; ///< CUdevice
  Context context = nullptr;
  Stream own = nullptr;
  std::unique_ptr<Allocator> memory;
  std::unique_ptr<Staging> transfers;
};

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_DEVICE_H
