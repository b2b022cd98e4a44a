//===- Launcher.h - Launches the kernels of one call of an entry ----------===//

#ifndef AFT_RUNTIME_CUDA_LAUNCHER_H
#define AFT_RUNTIME_CUDA_LAUNCHER_H

#include "aft/abi.h"
#include "runtime/core/RunRecord.h"
#include "runtime/cuda/Module.h"
#include "runtime/cuda/Products.h"

#include <string>
#include <vector>

namespace aft::cuda {

enum class LaunchMode {
  Queued,      ///< kernels wait on the stream; what one does wrong is seen later
  Synchronous, ///< each is waited for, so that an error names it
  Timed,       ///< as Synchronous, with times
};

/// What computes matrix products in place of kernels.
struct Library {
  std::shared_ptr<Products> products; ///< null: kernels do
  Address workspace = 0;              ///< see ProductOperands
  int64_t workspaceBytes = -1;
};

/// What an entry calls in place of a pool of threads. An entry cannot be stopped: after an
/// error nothing is launched any more, and the error is kept. Used by one thread, within a
/// Device::Scope.
class Launcher {
public:
  /// `kernels`: what the compiler says of them, for the times; may be null.
  Launcher(const Module &module, Stream stream, LaunchMode mode = LaunchMode::Queued,
           const KernelTable *kernels = nullptr, Library library = {});
  ~Launcher();
  Launcher(const Launcher &) = delete;
  Launcher &operator=(const Launcher &) = delete;

  /// What the entry must be called with.
  const aft_runtime_t *runtime() const { return &callbacks; }
  /// After the entry: launches what waits for another launch.
  void finish();
  /// The first error.
  const Status &status() const { return error; }
  /// Of LaunchMode::Timed: when kernels ran, by the clock of the GPU, set to start where the
  /// launcher did by the host's.
  std::vector<RunRecord::Launch> takeTimes() { return std::move(times); }

private:
  void launch(aft_kernel_t kernel, void *const *buffers, const int64_t *dims, const char *name);
  using LibraryProduct = std::pair<Product, ProductOperands>;
  /// `product`: what the library computes in the kernel's place.
  void launchNow(const Module::Kernel &kernel, int64_t blocks, void *const *buffers,
                 const int64_t *dims, const std::optional<LibraryProduct> &product = std::nullopt);
  bool hold(const Module::Kernel &kernel, int64_t blocks, void *const *buffers,
            const int64_t *dims);
  /// Blocks of the grid; -1 after an error.
  int64_t blocksOf(const Module::Kernel &kernel, aft_kernel_t stub, void *const *buffers,
                   const int64_t *dims);
  void enqueue(const Module::Kernel &kernel, int64_t blocks, void *const *buffers,
               const int64_t *dims);
  /// What the library computes in the kernel's place, together with what is held where it can.
  std::optional<LibraryProduct> productFor(const Module::Kernel &kernel, void *const *buffers,
                                           const int64_t *dims);
  void wait(const Module::Kernel &kernel, int64_t blocks, const int64_t *dims);
  void fail(std::string message);
  bool succeeded(Result result, const Module::Kernel &kernel);

  const Module &module;
  const Driver &driver;
  const Stream stream;
  const LaunchMode mode;
  const KernelTable *kernels;
  const Library library;
  aft_runtime_t callbacks;
  Status error;
  std::vector<uint64_t> parameters; ///< of the launch at work
  std::vector<void *> places;       ///< where each of them is
  int64_t start = 0;                ///< nanoseconds
  Event origin = nullptr, before = nullptr, after = nullptr;
  std::vector<RunRecord::Launch> times;
  /// Sums of columns, until it is known whether the next launch gives them.
  struct Held {
    const Module::Kernel *kernel = nullptr; ///< null: none
    int64_t blocks = 0;
    std::vector<void *> buffers;
    std::vector<int64_t> dims;
  } held;
};

/// What kernels did wrong is reported by whatever call comes next.
bool isKernelFault(Result result);

} // namespace aft::cuda

#endif // AFT_RUNTIME_CUDA_LAUNCHER_H
