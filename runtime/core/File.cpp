//===- File.cpp - Writing files as a whole --------------------------------===//

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
