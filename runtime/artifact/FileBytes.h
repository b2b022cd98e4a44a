//===- FileBytes.h - A file as read-only memory ---------------------------===//
// A file that is mapped stays with whoever may write to it: a process that touches
// a part that another one has cut off is ended by SIGBUS, and what was verified can
// change. So files are read into memory of the process where that costs little, and
// mapped only above a size.

#ifndef AFT_RUNTIME_ARTIFACT_FILEBYTES_H
#define AFT_RUNTIME_ARTIFACT_FILEBYTES_H

#include "runtime/artifact/Failure.h"
#include "runtime/core/InternalApi.h"

#include <optional>
#include <string_view>

namespace aft {

class AFT_INTERNAL FileBytes {
public:
  /// Larger files are mapped: their pages are those of the system's cache of files,
  /// which processes share.
  static constexpr size_t kMostCopied = size_t(1) << 26;

  FileBytes() = default;
  ~FileBytes();
  FileBytes(FileBytes &&other) noexcept { *this = std::move(other); }
  FileBytes &operator=(FileBytes &&other) noexcept;

  /// Reads a regular file of at most `mostCopied` bytes, and maps a larger one. One of another size
  /// than `expected` is AFT_ERROR_FORMAT before memory is taken for it.
  Failure open(const std::string &path, size_t mostCopied = kMostCopied,
               std::optional<uint64_t> expected = {});

  /// At the beginning of a page.
  std::string_view bytes() const { return {static_cast<const char *>(memory), size}; }
  /// An error where a file that is mapped is not as it was when it was opened.
  Failure unchanged(const std::string &path) const;

private:
  Failure read(const std::string &path);

  int fd = -1; ///< of a file that is mapped
  void *memory = nullptr;
  size_t size = 0;
  int64_t changed[2] = {}; ///< when: seconds and nanoseconds
};

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_FILEBYTES_H
