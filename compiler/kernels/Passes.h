//===- Passes.h - Passes of the kernels phase ---------------------------------===//

#ifndef AFT_COMPILER_KERNELS_PASSES_H
#define AFT_COMPILER_KERNELS_PASSES_H

#include "mlir/Pass/Pass.h"

namespace aft {

#define GEN_PASS_DECL
#include "compiler/kernels/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/kernels/Passes.h.inc"

} // namespace aft

#endif // AFT_COMPILER_KERNELS_PASSES_H
