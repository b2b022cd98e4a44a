//===- Seed.h - What dropout draws from -----------------------------------===//

#ifndef AFT_RUNTIME_CORE_SEED_H
#define AFT_RUNTIME_CORE_SEED_H

#include <cstdint>

namespace aft {

/// A different number for every seed and step (splitmix64).
inline int64_t stepSeed(int64_t seed, int64_t step) {
  uint64_t x = static_cast<uint64_t>(seed) * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(step);
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return static_cast<int64_t>(x ^ (x >> 31));
}

} // namespace aft

#endif // AFT_RUNTIME_CORE_SEED_H
