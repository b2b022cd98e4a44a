//===- Roof.h - What the machine can do at best ---------------------------===//

#ifndef AFT_RUNTIME_CORE_ROOF_H
#define AFT_RUNTIME_CORE_ROOF_H

#include "runtime/core/InternalApi.h"
#include "runtime/core/ThreadPool.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace aft {

/// A loop that no program is faster than, on all threads of a pool.
class AFT_INTERNAL RoofLoop {
public:
  enum class Kind {
    MultiplyAdd,  ///< f32, in registers
    PairProducts, ///< pairs of bf16 into sums of f32, in registers
    Read,         ///< memory, from one end to the other
    Copy,         ///< memory to other memory
  };

  /// `bytes`: what all threads together read or copy in a round.
  RoofLoop(Kind kind, ThreadPool &pool, int64_t bytes = 0);

  /// Whether the machine has what the loop needs, memory too.
  bool possible() const { return kernel != nullptr; }
  /// What it computes with: "AVX2", …
  const char *vectors() const { return vectorName; }
  /// Floating-point operations of a round, else bytes read and written.
  double workPerRound() const { return work; }
  void run(int64_t rounds);
  /// Whether the last run computed what it should have.
  bool right() const;

private:
  using Memory = std::unique_ptr<char, std::function<void(void *)>>;
  static Memory allocate(int64_t bytes);

  Kind kind;
  ThreadPool &pool;
  aft_kernel_t kernel = nullptr;
  const char *vectorName = "";
  int lanes = 0; ///< numbers of 4 bytes in a vector
  double work = 0;
  int64_t rounds = 0, bytesPerGroup = 0;
  std::vector<double> results; ///< a cache line for each thread
  Memory from, to;
};

/// The limits that a kernel's speed is held against: of a CPU measured with all threads
/// of a pool, of a GPU what its clocks allow.
struct Roof {
  struct Bandwidth {
    int64_t bytes;    ///< read over and over, by all threads together
    double perSecond; ///< bytes
  };
  struct Peak {
    std::string precision; ///< "f32", "tf32", "bf16": of the factors
    double flopsPerSecond;
  };
  std::string vectors;               ///< what the operations were measured with: "AVX2", …
  double flopsPerSecond = 0;         ///< f32, fused multiplications and additions
  std::vector<Peak> peaks;           ///< of a GPU, whose products are made by tensor cores
  std::vector<Bandwidth> bandwidths; ///< from the smallest (caches) to the largest (memory)
  std::string source;                ///< what it follows from where it was not measured
};

/// As many bytes as no cache holds most of: from 256 MiB to 1 GiB, less where the
/// machine has little memory.
AFT_INTERNAL int64_t bytesBeyondCaches();

/// Takes about a second and, for a moment, bytesBeyondCaches() of memory.
AFT_INTERNAL Roof measureRoof(ThreadPool &pool);

} // namespace aft

#endif // AFT_RUNTIME_CORE_ROOF_H
