//===- Passes.h - Passes of the kernels phase ---------------------------------===//

#ifndef AFT_COMPILER_KERNELS_PASSES_H
#define AFT_COMPILER_KERNELS_PASSES_H

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Pass/Pass.h"

namespace aft {

#define GEN_PASS_DECL
#include "compiler/kernels/Passes.h.inc"

struct CompileReport;

/// With a report that the pass tells of its decisions; null: none.
std::unique_ptr<mlir::Pass> createFuseElementwise(CompileReport *report);
std::unique_ptr<mlir::Pass> createFormKernels(bool libraryProducts, CompileReport *report);
std::unique_ptr<mlir::Pass> createPlanMemory(CompileReport *report);

#define GEN_PASS_REGISTRATION
#include "compiler/kernels/Passes.h.inc"

} // namespace aft

#endif // AFT_COMPILER_KERNELS_PASSES_H
