//===- Futex.h - Sleeping on a word of memory -----------------------------===//

#ifndef AFT_RUNTIME_CORE_FUTEX_H
#define AFT_RUNTIME_CORE_FUTEX_H

#include <atomic>
#include <cstdint>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace aft {

/// Sleeps while the word has this value; may return early.
inline void futexWait(std::atomic<uint32_t> &word, uint32_t value) {
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
}

/// Wakes at most `count` of the threads that sleep on the word.
inline void futexWake(std::atomic<uint32_t> &word, int count) {
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

} // namespace aft

#endif // AFT_RUNTIME_CORE_FUTEX_H
