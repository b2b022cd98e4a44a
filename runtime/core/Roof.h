//===- Roof.h - What the machine can do at best ---------------------------===//

#ifndef AFT_RUNTIME_CORE_ROOF_H
#define AFT_RUNTIME_CORE_ROOF_H

#include "runtime/core/ThreadPool.h"

#include <string>

namespace aft {

/// The limits that a kernel's speed is held against, measured with all threads
/// of a pool.
struct Roof {
  struct Bandwidth {
    int64_t bytes;    ///< read over and over, by all threads together
    double perSecond; ///< bytes
  };
  std::string vectors;               ///< what the operations were measured with: "AVX2", …
  double flopsPerSecond = 0;         ///< f32, fused multiplications and additions
  std::vector<Bandwidth> bandwidths; ///< from the smallest (caches) to the largest (memory)
};

/// Takes about a second and, for a moment, 256 MiB.
Roof measureRoof(ThreadPool &pool);

} // namespace aft

#endif // AFT_RUNTIME_CORE_ROOF_H
