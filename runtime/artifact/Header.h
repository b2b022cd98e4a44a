//===- Header.h - A typed C header of an artifact -------------------------===//

#ifndef AFT_RUNTIME_ARTIFACT_HEADER_H
#define AFT_RUNTIME_ARTIFACT_HEADER_H

#include "runtime/artifact/Manifest.h"
#include "runtime/core/InternalApi.h"

namespace aft {

/// C declarations on top of aft/aft.h: per entry a function with a parameter per argument
/// and result, typed, with the extents that are free. `prefix` begins all names.
AFT_INTERNAL std::string headerText(const Manifest &manifest, const std::string &prefix);

/// "my_model" for "folder/my-model.h".
AFT_INTERNAL std::string headerPrefix(const std::string &path);

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_HEADER_H
