//===- Groups.h - Which operations share a kernel -------------------------===//

#ifndef AFT_COMPILER_KERNELS_GROUPS_H
#define AFT_COMPILER_KERNELS_GROUPS_H

#include "compiler/kernels/Shapes.h"

namespace aft {

struct CompileReport;

/// The operations of one kernel in program order. Only the results of the last
/// one are used outside: it is the one to tile, the others are fused into its
/// tiles. Kinds, from which the tile phase chooses:
///
///   matmul       a matmul, perhaps with an elementwise generic after it
///   elementwise  generics without reductions; all loops can be tiled
///   rows         generics that reduce along their last loop, and elementwise
///                ones: only the first loop of the last operation is tiled, a
///                row is computed as a whole
///   columns      a generic whose first loop is a reduction: its parallel loops
///                are tiled
///   sum          a generic without parallel loops
///   scan         a running sum (ScanForm.h)
///   full, band,  … one aft operation
///   fill         a linalg.fill on its own
struct KernelGroup {
  llvm::SmallVector<mlir::Operation *> ops;
  std::string kind;
};

/// Whether an operation computes a tensor (as opposed to viewing, allocating
/// or measuring one).
bool isComputeOp(mlir::Operation *op);

/// Whether a slice is a part of its source's memory that the host can hand to
/// a kernel: its elements lie one after the other, and it starts where the
/// source starts unless the source is computed.
bool isHostView(mlir::tensor::ExtractSliceOp slice, ShapeAnalysis &shapes);

/// The tensor behind collapse_shape, expand_shape, cast and extract_slice.
mlir::Value viewedTensor(mlir::Value value);

/// Partitions the compute operations of a function; tells the report, if there
/// is one, what joined and what kept the others apart. `libraryProducts`: a matmul
/// takes in only what a library's product does, too (see ProductForm.h).
llvm::SmallVector<KernelGroup> formGroups(mlir::func::FuncOp function, bool libraryProducts,
                                          CompileReport *report = nullptr);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_GROUPS_H
