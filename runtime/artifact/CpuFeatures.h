//===- CpuFeatures.h - What the CPU of this process can do ----------------===//

#ifndef AFT_RUNTIME_ARTIFACT_CPUFEATURES_H
#define AFT_RUNTIME_ARTIFACT_CPUFEATURES_H

#include "runtime/core/InternalApi.h"

#include <string>
#include <vector>

namespace aft {

/// "x86_64", "aarch64", …
AFT_INTERNAL std::string cpuArchitecture();

/// The features, by LLVM's names, that generated code may use and that this library
/// can look for. Others (random numbers, virtualisation) no code is generated for.
AFT_INTERNAL const std::vector<std::string> &knownCpuFeatures();

/// Whether the CPU has a feature and the system lets it be used; false for names that
/// are unknown here. Of features with tiles (AMX) the first question asks the system for
/// them, for all of the process.
AFT_INTERNAL bool cpuHas(const std::string &feature);

} // namespace aft

#endif // AFT_RUNTIME_ARTIFACT_CPUFEATURES_H
