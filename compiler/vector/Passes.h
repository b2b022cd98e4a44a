//===- Passes.h - Passes of the vector phase ---------------------------------===//

#ifndef AFT_COMPILER_VECTOR_PASSES_H
#define AFT_COMPILER_VECTOR_PASSES_H

#include "compiler/binary/Target.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Pass/Pass.h"

namespace aft {

#define GEN_PASS_DECL
#include "compiler/vector/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "compiler/vector/Passes.h.inc"

} // namespace aft

#endif // AFT_COMPILER_VECTOR_PASSES_H
