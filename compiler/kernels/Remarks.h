//===- Remarks.h - What was put together, and what was not ----------------===//

#ifndef AFT_COMPILER_KERNELS_REMARKS_H
#define AFT_COMPILER_KERNELS_REMARKS_H

#include "mlir/IR/Operation.h"

namespace aft {

struct CompileReport;

/// Tells the report that `pass` put a producer together with what reads it, or,
/// where there is a reason, that it did not.
void remark(CompileReport &report, llvm::StringRef pass, mlir::Operation *producer,
            mlir::Operation *consumer, llvm::StringRef reason);

/// Tells that it did, and something that is worth knowing about it.
void remarkDone(CompileReport &report, llvm::StringRef pass, mlir::Operation *producer,
                mlir::Operation *consumer, llvm::StringRef note);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_REMARKS_H
