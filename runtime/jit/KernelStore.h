//===- KernelStore.h - Object code of kernels, in memory and on disk ------===//
// Programs share kernels: training and evaluation of a model, a model before and after a
// change of one layer. What one of them compiled, the next one takes.

#ifndef AFT_RUNTIME_JIT_KERNELSTORE_H
#define AFT_RUNTIME_JIT_KERNELSTORE_H

#include "compiler/binary/ObjectStore.h"
#include "runtime/core/InternalApi.h"
#include "runtime/jit/Cache.h"

#include <atomic>

namespace aft {

/// What this process compiled last, up to kMostBytes, and behind it a cache.
class AFT_INTERNAL KernelStore : public ObjectStore {
public:
  static constexpr size_t kMostBytes = size_t(64) << 20;

  /// `cache` must live as long; one that is not enabled is left alone.
  explicit KernelStore(const Cache &cache);
  ~KernelStore() override;

  std::optional<std::string> load(const std::string &key) override;
  void store(const std::string &key, const std::string &object) override;

  /// How many kernels were found.
  int found() const { return count; }

private:
  std::string cacheKey(const std::string &key) const;

  const Cache &cache;
  std::string identity;
  std::atomic<int> count{0};
};

} // namespace aft

#endif // AFT_RUNTIME_JIT_KERNELSTORE_H
