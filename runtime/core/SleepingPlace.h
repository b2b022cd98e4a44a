//===- SleepingPlace.h - The CPU that a sleeping thread is woken on -------===//
// Linux likes to wake a thread on the CPU that it fell asleep on, even when the
// thread that wakes it is at work there and will not pause: then it waits for its
// turn, for milliseconds, while another CPU is idle. This happens to every second
// call where a process has just been told to work by another one. And where it fell
// asleep on another CPU that is busy for a moment, with what told the process, say, it
// is put on that of the thread that wakes it, unless some third one is idle.

#ifndef AFT_RUNTIME_CORE_SLEEPINGPLACE_H
#define AFT_RUNTIME_CORE_SLEEPINGPLACE_H

#include <atomic>
#include <sched.h>

namespace aft {

class SleepingPlace {
public:
  /// The sleeping thread calls this before it sleeps,
  void enter();
  /// and this when it is awake: it may use all its CPUs again.
  void leave();
  /// Before the thread is woken: not on this CPU, if it fell asleep there, or
  /// `anyway`, and there is another that it may use. Any thread may call this.
  void avoid(int cpu, bool anyway = false);

private:
  enum State { Awake, Asleep, Steering, Steered };
  std::atomic<State> state{Awake};
  std::atomic<int> cpu{-1};
  int thread = 0;      ///< the kernel's number of it
  cpu_set_t allowed{}; ///< what it might use before it was steered
};

} // namespace aft

#endif // AFT_RUNTIME_CORE_SLEEPINGPLACE_H
