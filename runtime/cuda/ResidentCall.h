//===- ResidentCall.h - A call that repeats on memory of the GPU ----------===//

#ifndef AFT_RUNTIME_CUDA_RESIDENTCALL_H
#define AFT_RUNTIME_CUDA_RESIDENTCALL_H

#include "runtime/core/InternalApi.h"
#include "runtime/cuda/Allocator.h"

#include <string>
#include <vector>

namespace aft::cuda {

/// The arguments and results of one call of a program for a GPU, copied there once, so that
/// calls can be timed without copies. Used by one thread.
class ResidentCall {
public:
  /// Copies the inputs to the GPU. `outputs` are memory of the host; what overwrites an
  /// input has its memory.
  static Status create(std::shared_ptr<Device> device, std::shared_ptr<const Program> program,
                       std::string entry, const std::vector<Buffer> &inputs,
                       const std::vector<Buffer> &outputs, std::shared_ptr<ResidentCall> &call);
  /// The same on the system's GPU of that number.
  AFT_INTERNAL static Status create(int ordinal, std::shared_ptr<const Program> program,
                                    std::string entry, const std::vector<Buffer> &inputs,
                                    const std::vector<Buffer> &outputs,
                                    std::shared_ptr<ResidentCall> &call);
  ~ResidentCall();
  ResidentCall(const ResidentCall &) = delete;
  ResidentCall &operator=(const ResidentCall &) = delete;

  /// Queues one call; waits for nothing.
  AFT_INTERNAL Status run() const;
  /// Waits for all that was queued.
  AFT_INTERNAL Status wait() const;
  /// Waits, and copies the results to the host.
  AFT_INTERNAL Status fetch() const;

private:
  ResidentCall(std::shared_ptr<Device> device, std::shared_ptr<const Program> program,
               std::string entry, std::vector<Buffer> outputs);
  Status place(const Buffer &buffer, Buffer &resident);
  Status copyIn(const std::vector<Buffer> &given);
  Status placeOutputs();

  const std::shared_ptr<Device> device;
  const std::shared_ptr<const Program> program;
  const std::string entry;
  const std::vector<Buffer> results; ///< on the host
  std::vector<Buffer> inputs, outputs;
  std::vector<DeviceMemory> memory;
};

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_RESIDENTCALL_H
