//===- File.cpp - Reading and writing files as a whole --------------------===//

#include "runtime/core/File.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace aft;

Status aft::writeFile(const std::string &path, const std::vector<std::string_view> &parts) {
  std::error_code ignored;
  std::filesystem::path target = std::filesystem::weakly_canonical(path, ignored);
  if (target.empty())
    target = path;
  auto kind = std::filesystem::symlink_status(target, ignored).type();
  bool replaces =
      kind == std::filesystem::file_type::not_found || kind == std::filesystem::file_type::regular;
  std::string temporary =
      replaces ? target.string() + ".tmp" + std::to_string(::getpid()) : target.string();
  errno = 0;
  std::ofstream file(temporary, std::ios::binary | std::ios::trunc);
  for (std::string_view part : parts)
    file.write(part.data(), static_cast<std::streamsize>(part.size()));
  file.close();
  if (!file || (replaces && std::rename(temporary.c_str(), target.c_str()) != 0)) {
    Status status{path + ": cannot be written: " + std::strerror(errno)};
    if (replaces)
      std::remove(temporary.c_str());
    return status;
  }
  return {};
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
