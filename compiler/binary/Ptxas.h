//===- Ptxas.h - From PTX to code for one GPU -----------------------------===//
// ptxas is NVIDIA's assembler, a part of the CUDA toolkit. It is never needed: the driver
// compiles PTX, too, but when a program is loaded.

#ifndef AFT_COMPILER_BINARY_PTXAS_H
#define AFT_COMPILER_BINARY_PTXAS_H

#include "compiler/nvvm/Device.h"
#include "runtime/core/InternalApi.h"

namespace aft {

/// The path of ptxas: what AFT_PTXAS names (empty: none), else bin/ptxas in the folders
/// CUDA_HOME and CUDA_PATH, in PATH, in /usr/local/cuda. Empty where there is none;
/// `error` says where AFT_PTXAS names no program.
AFT_INTERNAL std::string findPtxas(std::string &error);

/// Which file that is, by path, size and time, for keys of caches; "none".
AFT_INTERNAL std::string ptxasIdentity();

/// Where ptxas was looked for in vain, for messages.
AFT_INTERNAL std::string ptxasMissing();

/// Has ptxas make the cubin of `code`, and notes the registers that it gives each kernel.
/// Empty: success, also without ptxas; else what ptxas says, with the kernel's name.
std::string assembleDevice(DeviceCode &code);

} // namespace aft

#endif // AFT_COMPILER_BINARY_PTXAS_H
