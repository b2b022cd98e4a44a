//===- Worker.h - Runs inputs in another process --------------------------===//

#ifndef AFT_TEST_FUZZ_WORKER_H
#define AFT_TEST_FUZZ_WORKER_H

#include "Target.h"

#include <csignal>
#include <functional>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

namespace aft::fuzz {

/// A copy of this process that runs one input after the other: to make one for each
/// would take longer than most inputs do.
class Worker {
public:
  /// `check` runs an input and says whether another one may follow in the same process;
  /// `seconds` of the CPU's time is the most that an input may take.
  explicit Worker(std::function<bool(std::string_view)> check, int seconds = 25)
      : check(std::move(check)), limit{{0, 0}, {seconds, 0}} {}
  Worker(const Worker &) = delete;
  Worker &operator=(const Worker &) = delete;
  ~Worker() { end(); }

  /// False if the process ends or hangs, which may be due to inputs before this one.
  bool run(std::string_view input) {
    if (process < 0)
      begin();
    char goesOn = false;
    bool survived = send(input) && readAll(channel, &goesOn, 1);
    if (survived && goesOn && ++count < kMost)
      return true;
    if (!survived)
      kill(process, SIGKILL); // where it does not answer
    return end() && survived;
  }

  /// In a process that runs nothing else.
  bool runAlone(std::string_view input) {
    end();
    bool survived = run(input);
    return end() && survived;
  }

private:
  /// What inputs leave in memory ends with the process.
  static constexpr int kMost = 500;
  /// By the clock, which runs on while others have the CPU.
  static constexpr timeval kPatience{300, 0};

  void begin() {
    int ends[2];
    promise(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0, "sockets can be had");
    process = fork();
    promise(process >= 0, "a process can be had");
    if (process == 0) {
      close(ends[0]);
      serve(ends[1]);
    }
    close(ends[1]);
    channel = ends[0];
    setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  }

  /// Whether it ended of its own accord.
  bool end() {
    count = 0;
    if (process < 0)
      return true;
    close(channel);
    int status = 0;
    bool known = waitpid(process, &status, 0) == process;
    process = -1;
    return known && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  [[noreturn]] void serve(int socket) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // What ends it is told to the other process alone.
    for (int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGPROF})
      std::signal(signal, SIG_DFL);
    std::string input;
    char goesOn = true;
    for (size_t size = 0; goesOn && readAll(socket, &size, sizeof size);) {
      input.resize(size);
      if (!readAll(socket, input.data(), size))
        break;
      setitimer(ITIMER_PROF, &limit, nullptr);
      goesOn = check(input);
      if (write(socket, &goesOn, 1) != 1)
        break;
    }
    _exit(0);
  }

  static bool readAll(int socket, void *data, size_t size) {
    char *at = static_cast<char *>(data);
    while (size > 0) {
      ssize_t got = read(socket, at, size);
      if (got <= 0)
        return false;
      at += got;
      size -= static_cast<size_t>(got);
    }
    return true;
  }

  bool send(std::string_view input) {
    size_t size = input.size();
    std::string message(reinterpret_cast<const char *>(&size), sizeof size);
    message += input;
    for (size_t at = 0; at < message.size();) {
      ssize_t sent = ::send(channel, message.data() + at, message.size() - at, MSG_NOSIGNAL);
      if (sent <= 0)
        return false;
      at += static_cast<size_t>(sent);
    }
    return true;
  }

  std::function<bool(std::string_view)> check;
  itimerval limit;
  pid_t process = -1;
  int channel = -1, count = 0;
};

} // namespace aft::fuzz

#endif // AFT_TEST_FUZZ_WORKER_H
