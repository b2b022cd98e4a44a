//===- FileBytes.cpp - A file as read-only memory -------------------------===//

#include "runtime/artifact/FileBytes.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

using namespace aft;

static Failure fail(const std::string &path, const std::string &what) {
  return {AFT_ERROR_FILE, path + ": " + what};
}

static Failure failedCall(const std::string &path, const std::string &what) {
  return fail(path, what + ": " + std::strerror(errno));
}

FileBytes::~FileBytes() {
  if (memory)
    munmap(memory, size);
  if (fd >= 0)
    close(fd);
}

FileBytes &FileBytes::operator=(FileBytes &&other) noexcept {
  std::swap(fd, other.fd);
  std::swap(memory, other.memory);
  std::swap(size, other.size);
  std::swap(changed, other.changed);
  return *this;
}

/// Into memory of `size` bytes. A file that was cut off meanwhile is an error.
Failure FileBytes::read(const std::string &path) {
  for (size_t done = 0; done < size;) {
    ssize_t got =
        pread(fd, static_cast<char *>(memory) + done, size - done, static_cast<off_t>(done));
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return failedCall(path, "cannot be read");
    if (got == 0)
      return fail(path, "was changed while it was read");
    done += static_cast<size_t>(got);
  }
  mprotect(memory, size, PROT_READ);
  close(std::exchange(fd, -1));
  return {};
}

Failure FileBytes::open(const std::string &path, size_t mostCopied,
                        std::optional<uint64_t> expected) {
  *this = FileBytes();
  // Without O_NONBLOCK the opening of a pipe would wait for a writer.
  fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    return failedCall(path, "cannot be opened");
  struct stat info;
  if (fstat(fd, &info) != 0)
    return failedCall(path, "cannot be looked at");
  if (!S_ISREG(info.st_mode))
    return fail(path, S_ISDIR(info.st_mode) ? "expected a file, found a folder"
                                            : "expected a file, found a pipe or a device");
  if (expected && *expected != static_cast<uint64_t>(info.st_size))
    return {AFT_ERROR_FORMAT, path + ": expected " + std::to_string(*expected) + " bytes, found " +
                                  std::to_string(info.st_size)};
  if (info.st_size == 0)
    return {};
  bool copies = static_cast<size_t>(info.st_size) <= mostCopied;
  int protection = copies ? PROT_READ | PROT_WRITE : PROT_READ;
  int flags = copies ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void *mapped = mmap(nullptr, info.st_size, protection, flags, copies ? -1 : fd, 0);
  if (mapped == MAP_FAILED)
    return failedCall(path, copies ? "does not fit memory" : "cannot be mapped");
  memory = mapped;
  size = static_cast<size_t>(info.st_size);
  changed[0] = info.st_mtim.tv_sec;
  changed[1] = info.st_mtim.tv_nsec;
  return copies ? read(path) : Failure();
}

Failure FileBytes::unchanged(const std::string &path) const {
  struct stat info;
  if (fd < 0)
    return {};
  if (fstat(fd, &info) != 0)
    return failedCall(path, "cannot be looked at");
  if (static_cast<size_t>(info.st_size) != size || info.st_mtim.tv_sec != changed[0] ||
      info.st_mtim.tv_nsec != changed[1])
    return fail(path, "was changed while it was read");
  return {};
}
