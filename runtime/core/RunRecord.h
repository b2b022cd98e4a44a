//===- RunRecord.h - Measures one call of an entry ------------------------===//

#ifndef AFT_RUNTIME_CORE_RUNRECORD_H
#define AFT_RUNTIME_CORE_RUNRECORD_H

#include "aft/abi.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace aft {

/// What the compiler says about a kernel's operands, inputs then outputs.
struct KernelInfo {
  struct Operand {
    int rank = 0;
    int64_t elementBytes = 0;
  };
  std::string name;
  std::vector<Operand> operands;

  /// Of all operands, each counted once. `dims` as aft_kernel_t gets them.
  int64_t bytes(const int64_t *dims) const;
};

/// The kernels of a program by name; they must outlive it.
using KernelTable = std::map<std::string_view, const KernelInfo *>;

/// Stands between one call of an entry and the runtime that launches its
/// kernels, whichever that is: kernels are wrapped.
class RunRecord {
public:
  /// Times are nanoseconds of a steady clock.
  struct Work {
    int thread;
    int64_t start, end; ///< of the thread's first and last chunk
    int64_t busy;       ///< inside the kernel
    int64_t groups;
  };
  struct Launch {
    std::string name;
    int64_t start, end, groups, bytes;
    std::vector<Work> work; ///< one per thread that took part
  };

  RunRecord(std::string entry, std::vector<int64_t> extents, int64_t arenaBytes, int threads,
            const KernelTable &kernels, const aft_runtime_t *inner);
  RunRecord(const RunRecord &) = delete;
  RunRecord &operator=(const RunRecord &) = delete;

  /// What the entry must be called with.
  const aft_runtime_t *runtime() const { return &callbacks; }
  /// The entry has returned.
  void finish();

  const std::string entry;
  const std::vector<int64_t> extents; ///< of the inputs, all in order
  const int64_t arenaBytes;
  const int threads; ///< of the pool; 0: the host's own parallel_for
  int thread;        ///< that made the call
  int64_t start, end = 0;
  std::vector<Launch> launches;

private:
  void launch(aft_kernel_t kernel, void *const *buffers, const int64_t *dims, const char *name);
  static int64_t chunk(void *const *buffers, const int64_t *dims, int64_t begin, int64_t end);

  const KernelTable &kernels;
  const aft_runtime_t *inner;
  aft_runtime_t callbacks;
};

/// The system's number of this thread.
int threadNumber();

} // namespace aft

#endif // AFT_RUNTIME_CORE_RUNRECORD_H
