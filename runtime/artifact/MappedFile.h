//===- MappedFile.h - A file as read-only memory --------------------------===//

#ifndef AFT_RUNTIME_ARTIFACT_MAPPEDFILE_H
#define AFT_RUNTIME_ARTIFACT_MAPPEDFILE_H

#include "runtime/artifact/Failure.h"
#include "runtime/core/InternalApi.h"

#include <string_view>

namespace aft {

/// Its pages are those of the system's cache of files: processes share them.
class AFT_INTERNAL MappedFile {
public:
  MappedFile() = default;
  ~MappedFile();
  MappedFile(MappedFile &&other) noexcept { *this = std::move(other); }
  MappedFile &operator=(MappedFile &&other) noexcept;

  /// Maps a regular file.
  Failure open(const std::string &path);

  std::string_view bytes() const { return {static_cast<const char *>(memory), size}; }
  /// Open as long as the mapping.
  int descriptor() const { return fd; }

private:
  int fd = -1;
  void *memory = nullptr;
  size_t size = 0;
};

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_MAPPEDFILE_H
