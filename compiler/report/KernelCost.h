//===- KernelCost.h - The work and the traffic of a kernel ----------------===//

#ifndef AFT_COMPILER_REPORT_KERNELCOST_H
#define AFT_COMPILER_REPORT_KERNELCOST_H

#include "compiler/report/ExtentReader.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace aft {

/// What one launch of a kernel does. The symbols are the extents of the
/// kernel's operands in order, as aft_kernel_t gets them.
struct KernelCost {
  /// Floating-point operations: additions, subtractions, multiplications,
  /// divisions, comparisons, minima and maxima; an exponential or another
  /// function counts as one, a fused multiplication and addition as two. A
  /// mixer counts what it cannot avoid, whichever way it takes: per visible
  /// weighted pair and channel one multiplication and addition for the numerator
  /// and one for the denominator, and eight operations per element of the result.
  Expression flops;
  /// Bytes that have to move when nothing is in a cache and nothing is moved
  /// twice: what is read of the inputs, and the results (twice where their old
  /// contents are read). Gathered rows count as often as they are gathered.
  Expression bytes;
};

/// The cost of a kernel on tensors, as the kernels phase leaves it.
KernelCost costOf(mlir::func::FuncOp kernel);

/// The operations of one mixer or one of its derivatives (twice those of the
/// mixer); null for other operations.
Expression mixerFlops(mlir::Operation *op, ExtentReader &extents);

} // namespace aft

#endif // AFT_COMPILER_REPORT_KERNELCOST_H
