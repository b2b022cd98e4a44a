//===- ExternalProgram.h - Programs of the system that the compiler calls -===//

#ifndef AFT_COMPILER_BINARY_EXTERNALPROGRAM_H
#define AFT_COMPILER_BINARY_EXTERNALPROGRAM_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallString.h"

#include <string>
#include <system_error>

namespace aft {

/// The program that an environment variable names, by a path or a name in PATH; empty where
/// it is not set. What is no program is an `error`.
std::string namedProgram(const char *variable, std::string &error);

/// A folder for files between programs, which goes with all in it.
struct TemporaryFolder {
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder &) = delete;
  TemporaryFolder &operator=(const TemporaryFolder &) = delete;

  std::string file(const llvm::Twine &name) const { return (path + "/" + name).str(); }
  /// Writes one of its files; false with a message where that fails.
  bool write(const llvm::Twine &name, llvm::StringRef content, std::string &error) const;
  /// The content of one of its files; empty where it cannot be read.
  std::string read(const llvm::Twine &name) const;

  llvm::SmallString<128> path;
  std::string error; ///< a message where it could not be made
};

/// Runs a program; `said` gets what it writes to its outputs. False where it fails, with a
/// message that has all of that.
bool runProgram(const std::string &program, llvm::ArrayRef<std::string> arguments,
                const TemporaryFolder &folder, std::string &said, std::string &error);

} // namespace aft

#endif // AFT_COMPILER_BINARY_EXTERNALPROGRAM_H
