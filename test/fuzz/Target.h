//===- Target.h - What the fuzz targets have in common --------------------===//
// A target gives its reader an input that may be anything. The reader must refuse
// it or keep its promises; ending the process is a finding, as is a sanitizer's
// report.

#ifndef AFT_TEST_FUZZ_TARGET_H
#define AFT_TEST_FUZZ_TARGET_H

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

namespace aft::fuzz {

inline std::string_view textOf(const uint8_t *data, size_t size) {
  return {reinterpret_cast<const char *>(data), size};
}

inline void promise(bool holds, const char *what) {
  if (holds)
    return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

/// A reader that refuses says so in a short line.
inline void promiseMessage(const std::string &message) {
  promise(!message.empty() && message.size() < 2000, "an error has a short message");
  for (unsigned char c : message)
    promise(c >= ' ' && c != 0x7F, "an error's message is one line");
}

/// For readers that take a path: a file in memory.
class InputFile {
public:
  InputFile() : fd(memfd_create("aft-fuzz", 0)) { promise(fd >= 0, "files in memory"); }
  InputFile(const InputFile &) = delete;
  InputFile &operator=(const InputFile &) = delete;
  ~InputFile() { close(fd); }
  /// Replaces its bytes; returns its path.
  std::string put(std::string_view bytes) {
    promise(ftruncate(fd, 0) == 0 &&
                pwrite(fd, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
            "files in memory");
    return "/proc/self/fd/" + std::to_string(fd);
  }

private:
  int fd;
};

} // namespace aft::fuzz

#endif // AFT_TEST_FUZZ_TARGET_H
