//===- Lifetimes.h - How long the tensors of a function are needed --------===//
// Measured in compute operations (see Groups.h): views, extents and empty
// tensors take no memory of their own.

#ifndef AFT_COMPILER_KERNELS_LIFETIMES_H
#define AFT_COMPILER_KERNELS_LIFETIMES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/MapVector.h"

namespace aft {

/// A use of a tensor, perhaps through views of it.
struct TensorUse {
  mlir::OpOperand *operand;
  int64_t position;
};

struct Lifetime {
  int64_t made = 0, last = 0;
  int64_t bytes = 0;                 ///< for typical extents
  bool returned = false;             ///< a result of the function
  llvm::SmallVector<TensorUse> uses; ///< by position
};

class Lifetimes {
public:
  explicit Lifetimes(mlir::func::FuncOp function);

  /// What compute operations make, in program order.
  const llvm::MapVector<mlir::Value, Lifetime> &all() const { return lives; }
  /// Null for arguments, constants and views.
  const Lifetime *of(mlir::Value tensor) const;
  int64_t position(mlir::Operation *op) const { return positions.lookup(op); }
  /// The first position at which most bytes are alive.
  int64_t peak() const;

private:
  void number(mlir::func::FuncOp function);
  void collectUses(mlir::Value value, Lifetime &life);

  llvm::DenseMap<mlir::Operation *, int64_t> positions;
  llvm::MapVector<mlir::Value, Lifetime> lives;
  mlir::Block *block;
  int64_t count = 0;
};

/// The bytes of a tensor. All dynamic extents together count as one of
/// moderate size: B and T are outer loops of everything that is large.
int64_t typicalBytes(mlir::Type tensor);

/// Whether a tensor is so small (a number, a factor of an update) that it may be
/// made early and kept.
bool isTiny(mlir::Type tensor);

/// Makes `use`, perhaps of a view, one of `replacement` in place of `original`;
/// views are repeated in front of the user.
void redirectUse(mlir::OpOperand &use, mlir::Value original, mlir::Value replacement);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_LIFETIMES_H
