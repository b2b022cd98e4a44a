//===- File.cpp - Reading and writing files as a whole --------------------===//

#include "runtime/core/File.h"

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <unistd.h>
#include <utility>

using namespace aft;

namespace {

/// A file that is written, but has not its name yet.
class Pending {
public:
  explicit Pending(const std::string &path);
  ~Pending();
  Pending(Pending &&other) noexcept
      : target(std::move(other.target)), isFile(other.isFile),
        temporary(std::exchange(other.temporary, {})), fd(std::exchange(other.fd, -1)) {}
  Pending &operator=(Pending &&) = delete;

  /// These return 0, or an error number.
  int write(const std::vector<std::string_view> &parts);
  int rename();

private:
  int open();

  std::string target;
  bool isFile;
  std::string temporary; ///< a name that is to be given up
  int fd = -1;
};

} // namespace

Pending::Pending(const std::string &path) {
  std::error_code ignored;
  std::filesystem::path place = std::filesystem::weakly_canonical(path, ignored);
  target = place.empty() ? path : place.string();
  auto kind = std::filesystem::symlink_status(target, ignored).type();
  isFile =
      kind == std::filesystem::file_type::not_found || kind == std::filesystem::file_type::regular;
}

Pending::~Pending() {
  if (fd >= 0)
    ::close(fd);
  if (!temporary.empty())
    ::unlink(temporary.c_str());
}

/// Under a name that nothing had before: in a folder of many, somebody else may have put a link to
/// another file where this one's name could be guessed.
int Pending::open() {
  static std::atomic<unsigned> counter{0};
  if (!isFile) {
    // A link may lead to what is not there yet.
    fd = ::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return fd < 0 ? errno : 0;
  }
  do {
    std::string name =
        target + ".tmp" + std::to_string(::getpid()) + "." + std::to_string(counter++);
    fd = ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd >= 0)
      temporary = std::move(name);
  } while (fd < 0 && errno == EEXIST);
  return fd < 0 ? errno : 0;
}

int Pending::write(const std::vector<std::string_view> &parts) {
  if (int error = open())
    return error;
  for (std::string_view part : parts)
    while (!part.empty()) {
      ssize_t put = ::write(fd, part.data(), part.size());
      if (put < 0 && errno == EINTR)
        continue;
      if (put <= 0)
        return put < 0 ? errno : EIO;
      part.remove_prefix(static_cast<size_t>(put));
    }
  return ::close(std::exchange(fd, -1)) != 0 ? errno : 0;
}

int Pending::rename() {
  if (!isFile)
    return 0;
  if (::rename(temporary.c_str(), target.c_str()) != 0)
    return errno;
  temporary.clear();
  return 0;
}

Status aft::writeFiles(const std::vector<FileParts> &files) {
  auto failed = [](const FileParts &file, int error) {
    return Status{file.path + ": cannot be written: " + std::strerror(error)};
  };
  std::vector<Pending> pending;
  for (const FileParts &given : files) {
    pending.emplace_back(given.path);
    if (int error = pending.back().write(given.parts))
      return failed(given, error);
  }
  for (size_t i = 0; i < pending.size(); ++i)
    if (int error = pending[i].rename())
      return failed(files[i], error);
  return {};
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
