//===- HostEmitter.h - Host functions on memrefs, and their plans ---------===//

#ifndef AFT_COMPILER_KERNELS_HOSTEMITTER_H
#define AFT_COMPILER_KERNELS_HOSTEMITTER_H

#include "compiler/kernels/Arena.h"
#include "compiler/kernels/Buffers.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace aft {

/// Recomputes extents of the tensor function in another function.
class ExtentCloner {
public:
  /// Gives the extent of an argument in the new function.
  using ArgumentExtent =
      std::function<mlir::Value(mlir::BlockArgument, int64_t dim)>;

  ExtentCloner(mlir::ImplicitLocOpBuilder &builder, ShapeAnalysis &shapes,
               ArgumentExtent argumentExtent)
      : b(builder), shapes(shapes), argumentExtent(std::move(argumentExtent)) {}

  /// Null, after an error, when the extent depends on the contents of tensors.
  mlir::Value get(mlir::OpFoldResult extent);
  /// The same without merging classes: what a check compares.
  mlir::Value exact(mlir::Value value);

private:
  mlir::ImplicitLocOpBuilder &b;
  ShapeAnalysis &shapes;
  ArgumentExtent argumentExtent;
  llvm::DenseMap<mlir::Value, mlir::Value> known;
};

/// What is known about an entry when its memory is planned.
struct HostPlan {
  mlir::func::FuncOp source;
  ShapeAnalysis &shapes;
  BufferAssignment &assignment;
  EntryInterface interface;
  /// Per buffer: its temporary, or -1; and the regions they lie in.
  llvm::SmallVector<int64_t> temporaryOf;
  llvm::SmallVector<Temporary> temporaries;
  llvm::SmallVector<ArenaRegion> regions;
};

/// Fills in the temporaries of a plan.
void planArena(HostPlan &plan);

/// The bytes of every region in order.
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
regionBytes(mlir::ImplicitLocOpBuilder &b, HostPlan &plan,
            ExtentCloner &extents);

/// The number of units of a region: the product of its factors, rounded up.
mlir::Value regionUnits(mlir::ImplicitLocOpBuilder &b, const ArenaRegion &region,
                        ExtentCloner &extents);

/// Whether one of the sums and products of a block, in which the builder is at the end, does not
/// fit 64 bits; null where there are none.
mlir::Value emitOverflow(mlir::ImplicitLocOpBuilder &b, mlir::Block &block);

/// Makes @name.plan. `messages` collects the shape checks of the module.
mlir::LogicalResult emitPlan(HostPlan &plan,
                             llvm::SmallVectorImpl<std::string> &messages);

/// Makes the function on memrefs; copyKernel gives a kernel that copies a
/// tensor of a type.
mlir::FailureOr<mlir::func::FuncOp>
emitHost(HostPlan &plan,
         llvm::function_ref<mlir::FlatSymbolRefAttr(mlir::RankedTensorType)>
             copyKernel);

} // namespace aft

#endif // AFT_COMPILER_KERNELS_HOSTEMITTER_H
