//===- Package.h - A compiled program as one string -----------------------===//

#ifndef AFT_RUNTIME_JIT_PACKAGE_H
#define AFT_RUNTIME_JIT_PACKAGE_H

#include "aft/program.h"
#include "compiler/binary/NamedObject.h"
#include "runtime/core/CallRunner.h"
#include "runtime/cuda/DeviceCode.h"

#include <optional>
#include <string>
#include <vector>

namespace aft {

/// All that is needed to run a program: what the cache stores.
struct Package {
  std::vector<EntryInfo> entries;
  std::vector<std::string> checks; ///< messages of the plans' shape checks
  std::vector<NamedObject> objects;
  std::vector<KernelInfo> kernels; ///< the distinct kernel bodies
  int launches = 0;                ///< kernel calls of all entries
  cuda::DeviceCode device;         ///< without kernels: the program is for the CPU

  std::string serialize() const;
  /// Nothing when the bytes are not a package.
  static std::optional<Package> deserialize(const std::string &bytes);
};

/// Links a package's code into the process, for `threads` (0: the default). `runner`: what
/// its entries run on; null: this CPU, or the system's first GPU where it is for one.
Status loadPackage(Package package, int threads, std::shared_ptr<Program> &program,
                   std::shared_ptr<CallRunner> runner = nullptr);

} // namespace aft

#endif // AFT_RUNTIME_JIT_PACKAGE_H
