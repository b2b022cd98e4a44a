//===- DescribeProgram.h - Kernels, launches and memory for the report ----===//

#ifndef AFT_COMPILER_REPORT_DESCRIBEPROGRAM_H
#define AFT_COMPILER_REPORT_DESCRIBEPROGRAM_H

#include "compiler/kernels/HostEmitter.h"
#include "compiler/report/CompileReport.h"

namespace aft {

/// The kernels and launches of a module that the kernels phase has finished.
void describeProgram(mlir::ModuleOp module, CompileReport &report);

/// The arena of one entry, once its temporaries have their places.
void describeArena(HostPlan &plan, CompileReport &report);

} // namespace aft

#endif // AFT_COMPILER_REPORT_DESCRIBEPROGRAM_H
