//===- SleepingPlace.cpp - The CPU that a sleeping thread is woken on -----===//

#include "runtime/core/SleepingPlace.h"

#include <sys/syscall.h>
#include <unistd.h>

using namespace aft;

void SleepingPlace::enter() {
  if (!thread)
    thread = static_cast<int>(syscall(SYS_gettid));
  cpu.store(sched_getcpu(), std::memory_order_relaxed);
  state.store(Asleep, std::memory_order_release);
}

void SleepingPlace::leave() {
  State seen = Asleep;
  while (!state.compare_exchange_weak(seen, Awake, std::memory_order_acquire)) {
    if (seen == Awake)
      return;
    if (seen == Steered) {
      sched_setaffinity(0, sizeof(allowed), &allowed);
      state.store(Awake, std::memory_order_relaxed);
      return;
    }
    if (seen == Steering)
      sched_yield();
    seen = Asleep;
  }
}

void SleepingPlace::avoid(int avoided, bool anyway) {
  State seen = Asleep;
  if ((!anyway && cpu.load(std::memory_order_relaxed) != avoided) ||
      !state.compare_exchange_strong(seen, Steering, std::memory_order_acquire))
    return;
  // Where more CPUs exist than the set has room for, nothing is done.
  State next = Asleep;
  if (sched_getaffinity(thread, sizeof(allowed), &allowed) == 0) {
    cpu_set_t others = allowed;
    CPU_CLR(avoided, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(thread, sizeof(others), &others) == 0)
      next = Steered;
  }
  state.store(next, std::memory_order_release);
}
