//===- Cache.cpp - Compiled programs on disk ------------------------------===//

#include "runtime/jit/Cache.h"

#include "runtime/artifact/Sha256.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace aft;

static constexpr char kMagic[] = "AFT-CACHE-1\n";
static constexpr size_t kMagicBytes = sizeof(kMagic) - 1;
static constexpr size_t kHashDigits = 64;
/// Larger files are no entries.
static constexpr off_t kMostBytes = off_t(1) << 30;

std::string aft::hashOf(const std::string &bytes) { return Sha256::hexOf(bytes); }

std::string aft::compilerIdentity() {
  Dl_info library;
  struct stat file;
  if (!dladdr(reinterpret_cast<void *>(&compilerIdentity), &library) ||
      stat(library.dli_fname, &file) != 0)
    return "unknown";
  return std::to_string(file.st_size) + " " + std::to_string(file.st_mtim.tv_sec) + "." +
         std::to_string(file.st_mtim.tv_nsec);
}

static std::string defaultFolder() {
  if (const char *named = std::getenv("AFT_CACHE_DIR"))
    return named;
  if (const char *base = std::getenv("XDG_CACHE_HOME"); base && *base == '/')
    return std::string(base) + "/aft";
  const char *home = std::getenv("HOME");
  if (!home || *home != '/')
    if (const passwd *user = getpwuid(getuid()))
      home = user->pw_dir;
  return home && *home == '/' ? std::string(home) + "/.cache/aft" : "";
}

/// Makes a folder and those above it, the last one for this user only.
static void makeFolder(const std::string &folder) {
  for (size_t slash = folder.find('/', 1); slash != std::string::npos;
       slash = folder.find('/', slash + 1))
    mkdir(folder.substr(0, slash).c_str(), 0700);
  mkdir(folder.c_str(), 0700);
}

/// Opens the folder if it is a real one that only this user can write to; else says in `why` what
/// is wrong.
static int openFolder(const std::string &folder, std::string &why) {
  int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat info;
  if (fd < 0) {
    why = std::strerror(errno);
    if (lstat(folder.c_str(), &info) == 0 && S_ISLNK(info.st_mode))
      why = "expected a folder, found a link";
    return -1;
  }
  if (fstat(fd, &info) == 0 && info.st_uid == geteuid() && (info.st_mode & 0022) == 0)
    return fd;
  close(fd);
  char found[64];
  std::snprintf(found, sizeof found, "found owner %u and mode %04o",
                static_cast<unsigned>(info.st_uid), static_cast<unsigned>(info.st_mode & 07777));
  why = std::string("expected a folder that only its owner, this user, can write to, ") + found;
  return -1;
}

Cache::Cache(const std::string &wanted) : folder(wanted == "default" ? defaultFolder() : wanted) {}

static bool readAll(int fd, std::string &bytes) {
  char buffer[1 << 16];
  for (;;) {
    ssize_t got = read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      return got == 0;
    bytes.append(buffer, static_cast<size_t>(got));
  }
}

static bool writeAll(int fd, const std::string &bytes) {
  for (size_t done = 0; done < bytes.size();) {
    ssize_t put = write(fd, bytes.data() + done, bytes.size() - done);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return false;
    done += static_cast<size_t>(put);
  }
  return true;
}

std::optional<std::string> Cache::load(const std::string &key) const {
  std::string why;
  int directory = enabled() ? openFolder(folder, why) : -1;
  if (directory < 0)
    return std::nullopt;
  int fd = openat(directory, key.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  close(directory);
  if (fd < 0)
    return std::nullopt;
  struct stat info;
  std::string bytes;
  bool good = fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
              info.st_size <= kMostBytes && readAll(fd, bytes);
  close(fd);
  if (!good || bytes.size() < kMagicBytes + kHashDigits ||
      bytes.compare(0, kMagicBytes, kMagic) != 0)
    return std::nullopt;
  std::string content = bytes.substr(kMagicBytes + kHashDigits);
  if (bytes.compare(kMagicBytes, kHashDigits, hashOf(key + content)) != 0)
    return std::nullopt;
  return content;
}

bool Cache::has(const std::string &key) const {
  std::string why;
  int directory = enabled() ? openFolder(folder, why) : -1;
  if (directory < 0)
    return false;
  struct stat info;
  bool found = fstatat(directory, key.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
  close(directory);
  return found;
}

Status Cache::store(const std::string &key, const std::string &content) const {
  if (!enabled())
    return {"there is no cache"};
  makeFolder(folder);
  std::string why;
  int directory = openFolder(folder, why);
  if (directory < 0)
    return {folder + ": " + why};
  // A reader sees the old entry or the new one, never a half.
  static thread_local unsigned counter = 0;
  std::string temporary = key + "." + std::to_string(getpid()) + "." +
                          std::to_string(reinterpret_cast<uintptr_t>(&counter)) + "." +
                          std::to_string(counter++) + ".tmp";
  int fd = openat(directory, temporary.c_str(),
                  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  bool good = fd >= 0 && writeAll(fd, kMagic + hashOf(key + content) + content);
  int error = errno;
  if (fd >= 0 && close(fd) != 0 && good) {
    good = false;
    error = errno;
  }
  if (good && renameat(directory, temporary.c_str(), directory, key.c_str()) != 0) {
    good = false;
    error = errno;
  }
  if (!good && fd >= 0)
    unlinkat(directory, temporary.c_str(), 0);
  close(directory);
  return {good ? "" : folder + ": cannot be written: " + std::strerror(error)};
}
