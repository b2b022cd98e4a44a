//===- Outline.h - Moves a group of operations into a kernel function -----===//

#ifndef AFT_COMPILER_KERNELS_OUTLINE_H
#define AFT_COMPILER_KERNELS_OUTLINE_H

#include "compiler/kernels/Groups.h"

namespace aft {

/// Makes a private function in destination form of a group and puts a launch
/// in the place of its last operation. The operations stay, without uses from
/// outside the group. Fails with an error when the group needs a scalar that
/// does not follow from tensors.
mlir::LogicalResult outline(const KernelGroup &group, ShapeAnalysis &shapes,
                            mlir::func::FuncOp host,
                            mlir::SymbolTable &symbols);

/// What an operation's result is written to: the tensor.empty behind a fill,
/// or the destination itself.
mlir::Value destinationOf(mlir::OpResult result);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_OUTLINE_H
