//===- Save.h - From a package to an artifact -----------------------------===//

#ifndef AFT_RUNTIME_JIT_SAVE_H
#define AFT_RUNTIME_JIT_SAVE_H

#include "compiler/Pipeline.h"
#include "runtime/artifact/Manifest.h"
#include "runtime/core/InternalApi.h"
#include "runtime/jit/Package.h"

namespace aft {

/// What an artifact says of a package: the entries with the roles of their values. An
/// error where a weight does not fit the input that it is for.
AFT_INTERNAL Status describePackage(const Package &package, const PipelineOptions &options,
                                    const SaveOptions &save, Manifest &manifest);

/// Where the weights of an artifact go that are beside it: "folder/model.safetensors" for
/// "folder/model.so".
AFT_INTERNAL std::string besidePath(const std::string &path);

/// Links a package and writes PATH, and the weights beside it where they go there.
AFT_INTERNAL Status savePackage(const Package &package, const PipelineOptions &options,
                                const std::string &path, const SaveOptions &save);

} // namespace aft

#endif // AFT_RUNTIME_JIT_SAVE_H
