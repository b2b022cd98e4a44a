//===- Passes.h - Passes of the nvvm phase ---------------------------------===//

#ifndef AFT_COMPILER_NVVM_PASSES_H
#define AFT_COMPILER_NVVM_PASSES_H

#include "mlir/Pass/Pass.h"

namespace aft {

#define GEN_PASS_DECL
#include "compiler/nvvm/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/nvvm/Passes.h.inc"

} // namespace aft

#endif // AFT_COMPILER_NVVM_PASSES_H
