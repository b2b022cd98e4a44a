//===- Register.h - All dialects, passes and pipelines of the project -----===//

#ifndef AFT_COMPILER_REGISTER_H
#define AFT_COMPILER_REGISTER_H

#include "runtime/core/InternalApi.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace aft {

/// Adds the aft dialect, MLIR's own dialects and all interface models.
AFT_INTERNAL void registerDialects(mlir::DialectRegistry &registry);

/// Adds only what compiling a program needs: start-up time counts there.
void registerCompilerDialects(mlir::DialectRegistry &registry);

/// Adds the project's passes and pipelines, and MLIR's.
AFT_INTERNAL void registerPasses();

} // namespace aft

#endif // AFT_COMPILER_REGISTER_H
