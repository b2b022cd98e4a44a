//===- ExternalProgram.cpp - Programs of the system that the compiler calls ===//

#include "compiler/binary/ExternalProgram.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>

using namespace aft;

std::string aft::namedProgram(const char *variable, std::string &error) {
  const char *named = std::getenv(variable);
  if (!named || !*named)
    return "";
  // A name with a folder in it comes back unseen.
  auto path = llvm::sys::findProgramByName(named);
  if (path && llvm::sys::fs::can_execute(*path))
    return *path;
  error = std::string(variable) + " names '" + named + "', which is no program";
  return "";
}

TemporaryFolder::TemporaryFolder() {
  std::error_code code = llvm::sys::fs::createUniqueDirectory("aft-compile", path);
  if (!code)
    return;
  llvm::SmallString<128> place;
  llvm::sys::path::system_temp_directory(/*erasedOnReboot=*/true, place);
  error = "no folder for temporary files can be made in '" + place.str().str() +
          "' (TMPDIR names another): " + code.message();
}

TemporaryFolder::~TemporaryFolder() {
  if (error.empty())
    llvm::sys::fs::remove_directories(path);
}

bool TemporaryFolder::write(const llvm::Twine &name, llvm::StringRef content,
                            std::string &message) const {
  std::error_code code;
  llvm::raw_fd_ostream stream(file(name), code);
  if (!code) {
    stream << content;
    stream.close();
    code = stream.error();
    stream.clear_error();
  }
  if (code)
    message = file(name) + ": " + code.message();
  return !code;
}

std::string TemporaryFolder::read(const llvm::Twine &name) const {
  auto buffer = llvm::MemoryBuffer::getFile(file(name));
  return buffer ? (*buffer)->getBuffer().str() : "";
}

bool aft::runProgram(const std::string &program, llvm::ArrayRef<std::string> arguments,
                     const TemporaryFolder &folder, std::string &said, std::string &error) {
  std::vector<llvm::StringRef> all = {program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  std::string reason, messages = folder.file("messages");
  int code = llvm::sys::ExecuteAndWait(
      program, all, /*Env=*/std::nullopt,
      {std::nullopt, llvm::StringRef(messages), llvm::StringRef(messages)},
      /*SecondsToWait=*/0, /*MemoryLimit=*/0, &reason);
  said = folder.read("messages");
  if (code == 0)
    return true;
  error = program + " failed" + (reason.empty() ? "" : ": " + reason) +
          (said.empty() ? " without a message" : ":\n" + said);
  return false;
}
