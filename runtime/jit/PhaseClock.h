//===- PhaseClock.h - What each step of a compilation takes ---------------===//

#ifndef AFT_RUNTIME_JIT_PHASECLOCK_H
#define AFT_RUNTIME_JIT_PHASECLOCK_H

#include "aft/program.h"

#include <chrono>

namespace aft {

/// Lists steps that follow each other.
class PhaseClock {
public:
  /// The step since the last call, or since the clock was made, is over.
  void finished(const std::string &phase) {
    Time now = Clock::now();
    list.push_back({phase, between(last, now)});
    last = now;
  }

  /// A step was timed elsewhere and is over.
  void add(const std::string &phase, double milliseconds) {
    list.push_back({phase, milliseconds});
    last = Clock::now();
  }

  double total() const { return between(start, Clock::now()); }
  const std::vector<PhaseTime> &phases() const { return list; }

private:
  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;
  static double between(Time from, Time to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
  }

  Time start = Clock::now(), last = start;
  std::vector<PhaseTime> list;
};

} // namespace aft

#endif // AFT_RUNTIME_JIT_PHASECLOCK_H
