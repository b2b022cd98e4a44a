//===- LinkArtifact.h - From object files to a shared object --------------===//

#ifndef AFT_COMPILER_BINARY_LINKARTIFACT_H
#define AFT_COMPILER_BINARY_LINKARTIFACT_H

#include "compiler/Pipeline.h"

#include <string>
#include <vector>

namespace aft {

/// Links the objects of a program with the table of its entries (aft/abi.h), the only
/// symbol of the result, which needs nothing but libc and libm. `codeId`: 64 digits.
/// Calls a linker: AFT_LINKER, ld.lld or ld. Empty `error`: success.
std::string linkArtifact(const std::vector<NamedObject> &objects,
                         const std::vector<std::string> &entries, const std::string &codeId,
                         const Target &target, std::string &error);

} // namespace aft

#endif // AFT_COMPILER_BINARY_LINKARTIFACT_H
