//===- Runner.h - Runs the entries of a program on a GPU ------------------===//

#ifndef AFT_RUNTIME_CUDA_RUNNER_H
#define AFT_RUNTIME_CUDA_RUNNER_H

#include "runtime/core/InternalApi.h"
#include "runtime/cuda/GraphCache.h"
#include "runtime/cuda/Launcher.h"

namespace aft::cuda {

struct RunnerOptions {
  bool graphs = true;
  /// Every kernel is waited for, so that an error names it; no graphs.
  bool synchronous = false;
  /// Compute matrix products; null: kernels do.
  std::shared_ptr<Products> products = nullptr;

  /// Synchronous where CUDA_LAUNCH_BLOCKING is 1, as the driver itself.
  static RunnerOptions fromEnvironment();
};

class Runner : public CallRunner {
public:
  /// Loads the code into the GPU.
  static Status create(std::shared_ptr<Device> device, const DeviceCode &code,
                       const RunnerOptions &options, std::shared_ptr<Runner> &runner);
  /// The same on the system's GPU of that number, with the options of the environment.
  AFT_INTERNAL static Status create(int ordinal, const DeviceCode &code,
                                    std::shared_ptr<CallRunner> &runner);
  ~Runner() override;

  Status run(const EntryCall &call, const KernelTable &kernels, CallError &error) override;
  Status runResident(const EntryCall &call, const KernelTable &kernels, void *stream,
                     CallError &error) override;
  MachineFacts machine() const override;

  const GraphCache &graphs() const { return *graphCache; }

private:
  Runner(std::shared_ptr<const Module> module, const RunnerOptions &options);

  /// A call on memory of the GPU.
  Status enqueue(const EntryCall &call, const KernelTable &kernels, Stream stream,
                 CallError &error);
  struct Manner {
    LaunchMode mode;
    bool recorded; ///< by the host, into a graph of its own
  };
  Manner mannerOf(Stream stream) const;
  Status launchAll(const EntryCall &call, const KernelTable &kernels, Stream stream,
                   const Manner &manner, CallError &error);
  /// Gives up graphs before memory is out.
  Status allocate(int64_t bytes, Stream stream, DeviceMemory &memory, CallError &error);
  Status placeBound(size_t input, int64_t bytes, EntryCall &resident, CallError &error);
  Status placeArrays(const EntryCall &call, EntryCall &resident, std::vector<DeviceMemory> &memory,
                     CallError &error);
  Status waitForKernels() const;

  const std::shared_ptr<const Module> module;
  Device &device;
  const RunnerOptions options;
  std::unique_ptr<GraphCache> graphCache;

  std::mutex mutex; ///< guards everything below
  /// What is bound, by its address on the host.
  std::map<const void *, DeviceMemory> bound;
  /// Arenas of calls that the host recorded into a graph of its own.
  std::vector<DeviceMemory> kept;
};

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_RUNNER_H
