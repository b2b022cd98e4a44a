//===- File.h - Reading and writing files as a whole ----------------------===//

#ifndef AFT_RUNTIME_CORE_FILE_H
#define AFT_RUNTIME_CORE_FILE_H

#include "aft/program.h"
#include "runtime/core/InternalApi.h"

#include <string_view>

namespace aft {

/// Writes a file of these parts, one after the other, under a temporary name
/// and renames it, so that a failure leaves no half file. A link stays one, and
/// what is no file (a pipe, a device) is written to as it is.
AFT_INTERNAL Status writeFile(const std::string &path, const std::vector<std::string_view> &parts);

struct FileParts {
  std::string path;
  std::vector<std::string_view> parts;
};
/// Files that belong together: none gets its name before all are written.
AFT_INTERNAL Status writeFiles(const std::vector<FileParts> &files);

/// An error where there is a folder, a pipe or a device in place of a file, whose opening could
/// wait for ever. A name that nothing has is none yet.
AFT_INTERNAL Status expectFile(const std::string &path);

/// Reads a file or a pipe to its end. A device is an error, for some never end, and so are more
/// bytes than `most`.
AFT_INTERNAL Status readFile(const std::string &path, size_t most, std::string &bytes);

/// Of a program as text, with constants in it.
constexpr size_t kLongestProgram = size_t(1) << 30;

} // namespace aft

#endif // AFT_RUNTIME_CORE_FILE_H
