//===- PtxasHarness.h - A ptxas for tests ---------------------------------===//

#ifndef AFT_TEST_PTXASHARNESS_H
#define AFT_TEST_PTXASHARNESS_H

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace aft::test {

/// Sets an environment variable for as long as it lives; a null value takes it away.
class Variable {
public:
  Variable(const char *name, const char *value) : name(name) {
    if (const char *before = std::getenv(name))
      kept = before, had = true;
    set(value);
  }
  ~Variable() { set(had ? kept.c_str() : nullptr); }
  Variable(const Variable &) = delete;
  Variable &operator=(const Variable &) = delete;

private:
  void set(const char *value) {
    if (value)
      ::setenv(name, value, /*overwrite=*/1);
    else
      ::unsetenv(name);
  }
  const char *name;
  std::string kept;
  bool had = false;
};

/// A program of the shell.
inline void writeProgram(const std::string &path, const std::string &text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::trunc) << "#!/bin/sh\n" << text;
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

/// Takes what ptxas is called with, `-v -arch=sm_XX -o OUT IN`, says what ptxas says of
/// every kernel, and writes kFakeCubin with the architecture.
inline const char kFakePtxas[] = R"sh(
test "$1" = -v && test "$3" = -o || exit 9
sed -n 's/.*\.entry \([^(]*\)(.*/\1/p' "$5" | while read kernel; do
  echo "ptxas info    : Compiling entry function '$kernel' for 'sm'" >&2
  echo "ptxas info    : Used 17 registers, used 1 barriers" >&2
done
printf 'cubin for %s' "${2#-arch=}" > "$4"
)sh";

} // namespace aft::test

#endif // AFT_TEST_PTXASHARNESS_H
