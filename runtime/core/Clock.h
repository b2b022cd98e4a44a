//===- Clock.h - Time for measurements ------------------------------------===//

#ifndef AFT_RUNTIME_CORE_CLOCK_H
#define AFT_RUNTIME_CORE_CLOCK_H

#include <chrono>
#include <cstdint>

namespace aft {

/// Nanoseconds of a steady clock.
inline int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// A clock for decisions inside a launch, which must cost less than they save:
/// between 0.2 and 0.5 ns a tick.
inline int64_t ticks() {
#if defined(__x86_64__)
  return static_cast<int64_t>(__builtin_ia32_rdtsc());
#else
  return 3 * now();
#endif
}

/// About so many ticks.
constexpr int64_t microseconds(int64_t count) { return 3000 * count; }

} // namespace aft

#endif // AFT_RUNTIME_CORE_CLOCK_H
