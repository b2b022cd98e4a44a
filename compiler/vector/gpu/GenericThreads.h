//===- GenericThreads.h - linalg operations by the threads of a block -----===//

#ifndef AFT_COMPILER_VECTOR_GPU_GENERICTHREADS_H
#define AFT_COMPILER_VECTOR_GPU_GENERICTHREADS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace aft {

/// Emits any linalg operation on memrefs in front of it. Points of the parallel loops are
/// shared out, neighbours in memory to neighbouring threads, 16 bytes at once where rows are
/// long enough. Where these are few, several threads share the sum of one: each makes a
/// partial one, which are combined in a fixed order.
mlir::LogicalResult emitGenericThreads(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder);

/// Emits a matrix product of a tile of C, as large as chooseBlockTile says, in front of it.
/// `overwrites`: C = A * B instead of C += A * B.
void emitMatmulThreads(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder, bool overwrites);

/// The same by tensor cores, of a tile that chooseWarpTile may have chosen. False, and
/// nothing, where they do not multiply such numbers or the tile is not known to be small
/// enough. `tf32`: they multiply f32, too, rounded.
bool emitMatmulTensorCores(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder, bool overwrites,
                           bool tf32);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GPU_GENERICTHREADS_H
