//===- File.cpp - Reading and writing files as a whole --------------------===//

#include "runtime/core/File.h"

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace aft;

namespace {

/// A file that is written, but has not its name yet.
struct Pending {
  std::string target, temporary;
  bool isRenamed; ///< not what is no file
};

} // namespace

/// Of no other call, in whatever process or thread.
static std::string temporaryName(const std::string &target) {
  static std::atomic<unsigned> counter{0};
  return target + ".tmp" + std::to_string(::getpid()) + "." + std::to_string(counter++);
}

static Pending pendingFor(const std::string &path) {
  std::error_code ignored;
  std::filesystem::path target = std::filesystem::weakly_canonical(path, ignored);
  if (target.empty())
    target = path;
  auto kind = std::filesystem::symlink_status(target, ignored).type();
  if (kind == std::filesystem::file_type::not_found || kind == std::filesystem::file_type::regular)
    return {target.string(), temporaryName(target.string()), true};
  return {target.string(), target.string(), false};
}

Status aft::writeFiles(const std::vector<FileParts> &files) {
  std::vector<Pending> pending;
  Status status;
  for (const FileParts &given : files) {
    pending.push_back(pendingFor(given.path));
    errno = 0;
    std::ofstream file(pending.back().temporary, std::ios::binary | std::ios::trunc);
    for (std::string_view part : given.parts)
      file.write(part.data(), static_cast<std::streamsize>(part.size()));
    file.close();
    if (!file) {
      status = {given.path + ": cannot be written: " + std::strerror(errno)};
      break;
    }
  }
  for (size_t i = 0; i < pending.size(); ++i) {
    const auto &[target, temporary, isRenamed] = pending[i];
    if (!isRenamed || (status.ok() && std::rename(temporary.c_str(), target.c_str()) == 0))
      continue;
    if (status.ok())
      status = {files[i].path + ": cannot be written: " + std::strerror(errno)};
    std::remove(temporary.c_str());
  }
  return status;
}

Status aft::writeFile(const std::string &path, const std::vector<std::string_view> &parts) {
  return writeFiles({{path, parts}});
}

Status aft::expectFile(const std::string &path) {
  std::error_code ignored;
  std::filesystem::file_status status = std::filesystem::status(path, ignored);
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status))
    return {};
  return {path + ": expected a file, found " +
          (std::filesystem::is_directory(status) ? "a folder" : "a pipe or a device")};
}

Status aft::readFile(const std::string &path, size_t most, std::string &bytes) {
  std::error_code ignored;
  if (std::filesystem::is_character_file(path, ignored) ||
      std::filesystem::is_block_file(path, ignored))
    return {path + ": expected a file, found a device"};
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file)
    return {path + ": cannot be opened: " + std::strerror(errno)};
  // A stream's own read() reports what goes wrong (a folder), its iterators throw.
  bytes.clear();
  char part[1 << 16];
  while (file.read(part, sizeof part) || file.gcount() > 0) {
    bytes.append(part, static_cast<size_t>(file.gcount()));
    if (bytes.size() > most)
      return {path + ": is longer than " + std::to_string(most) + " bytes"};
  }
  if (file.bad())
    return {path + ": cannot be read: " + std::strerror(errno)};
  return {};
}
