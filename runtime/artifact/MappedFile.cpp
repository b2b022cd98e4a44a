//===- MappedFile.cpp - A file as read-only memory ------------------------===//

#include "runtime/artifact/MappedFile.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

using namespace aft;

MappedFile::~MappedFile() {
  if (memory)
    munmap(memory, size);
  if (fd >= 0)
    close(fd);
}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(fd, other.fd);
  std::swap(memory, other.memory);
  std::swap(size, other.size);
  return *this;
}

Failure MappedFile::open(const std::string &path) {
  auto fail = [&](const std::string &what) {
    return Failure{AFT_ERROR_FILE, path + ": " + what};
  };
  // Without O_NONBLOCK the opening of a pipe would wait for a writer.
  fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return fail(std::string("cannot be opened: ") + std::strerror(errno));
  struct stat info;
  if (fstat(fd, &info) != 0)
    return fail(std::string("cannot be looked at: ") + std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    return fail(S_ISDIR(info.st_mode) ? "expected a file, found a folder"
                                      : "expected a file, found a pipe or a device");
  if (info.st_size == 0)
    return {};
  void *mapped = mmap(nullptr, info.st_size, PROT_READ, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED)
    return fail(std::string("cannot be mapped: ") + std::strerror(errno));
  memory = mapped;
  size = static_cast<size_t>(info.st_size);
  return {};
}
