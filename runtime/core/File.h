//===- File.h - Writing files as a whole ----------------------------------===//

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

} // namespace aft

#endif // AFT_RUNTIME_CORE_FILE_H
