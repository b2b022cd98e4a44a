//===- GenericEmission.h - Vector code of any linalg operation ------------===//

#ifndef AFT_COMPILER_VECTOR_GENERICEMISSION_H
#define AFT_COMPILER_VECTOR_GENERICEMISSION_H

#include "compiler/kernels/ScanForm.h"
#include "compiler/vector/Emitter.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

namespace mlir {
class IRMapping;
} // namespace mlir

namespace aft {

enum class Access { Uniform, Contiguous, Irregular };

/// One linalg operation on memrefs on its way to loops. A loop dimension is "fixed" once
/// it has an index; `vectorDim` is the one that runs through the lanes.
class GenericEmitter {
public:
  GenericEmitter(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder, unsigned vectorBits)
      : op(op), e(builder, op->getLoc()), vectorBits(vectorBits),
        iterators(op.getIteratorTypesArray()), indices(iterators.size()) {}
  /// Loops in one thread.
  mlir::LogicalResult run();

protected:
  /// Finds extents and what outputs are reduced with; an error where it cannot.
  mlir::LogicalResult prepare();
  bool isParallel(int64_t dim) const {
    return iterators[dim] == mlir::utils::IteratorType::parallel;
  }
  mlir::Value extentOf(int64_t dim);
  Access accessOf(mlir::OpOperand &operand, int64_t dim);
  bool canVectorize(int64_t dim);
  bool varies(mlir::Value value, int64_t dim);
  bool bodyCanVectorize(int64_t dim);
  void chooseVectorDim();
  int64_t lanes();

  void emitParallel(mlir::ArrayRef<int64_t> dims);
  bool isDeep();
  void emitVectorBlocks();
  void emitPoint(int64_t lanes);
  mlir::SmallVector<mlir::Value> reduceOver(mlir::ArrayRef<int64_t> dims,
                                            mlir::ValueRange accumulators, int64_t lanes);
  mlir::SmallVector<mlir::Value> reduceLanes(mlir::ValueRange accumulators);
  /// Two partial results of an output as one.
  mlir::Value combine(mlir::Operation *combiner, mlir::Value a, mlir::Value b);

  mlir::SmallVector<mlir::Value> addressOf(mlir::OpOperand &operand);
  mlir::Value load(mlir::OpOperand &operand, int64_t lanes);
  void store(mlir::OpOperand &operand, mlir::Value value, int64_t lanes);
  mlir::SmallVector<mlir::Value> loadOutputs(int64_t lanes);
  mlir::SmallVector<mlir::Value> cloneBody(mlir::ValueRange accumulators, int64_t lanes);
  mlir::Value loadIfAny(mlir::memref::LoadOp load, mlir::Type type,
                        llvm::function_ref<mlir::Value()> read);
  mlir::Value cloneOperation(mlir::Operation &inner, mlir::IRMapping &map, int64_t lanes);
  mlir::Value widened(mlir::Value value, int64_t lanes);

  mlir::linalg::LinalgOp op;
  Emitter e;
  unsigned vectorBits;
  mlir::SmallVector<mlir::utils::IteratorType> iterators;
  mlir::SmallVector<mlir::Value> indices, extents;
  mlir::SmallVector<mlir::Operation *> combiners; ///< one per output, null if parallel
  mlir::SmallVector<int64_t> reductions;          ///< all but the vector dimension
  int64_t vectorDim = -1;
  /// A reduced dimension of which only every so many-th index is taken: others share it.
  int64_t sharedDim = -1, sharedStep = 1;
  mlir::Value sharedStart;
  /// It is the vector dimension as well: sums are vectors until they are combined.
  bool vectorIsShared = false;
};

/// Emits loops for a linalg operation on memrefs in front of it. The loop
/// dimension along which memory is contiguous is vectorised; an operation that
/// has none, or whose body cannot be vectorised, becomes scalar loops.
mlir::LogicalResult emitGeneric(mlir::linalg::LinalgOp op, mlir::OpBuilder &builder,
                                unsigned vectorBits);

/// The same for a running sum, walked once.
mlir::LogicalResult emitScan(mlir::linalg::LinalgOp op, const ScanForm &form,
                             mlir::OpBuilder &builder, unsigned vectorBits);

/// Copies become linalg operations, so that one path emits everything.
void expandCopies(mlir::func::FuncOp function);

} // namespace aft

#endif // AFT_COMPILER_VECTOR_GENERICEMISSION_H
