//===- Buffers.h - Where every tensor of an entry lives -------------------===//

#ifndef AFT_COMPILER_KERNELS_BUFFERS_H
#define AFT_COMPILER_KERNELS_BUFFERS_H

#include "compiler/kernels/Groups.h"
#include "compiler/kernels/Interface.h"
#include "dialect/ir/AFT.h"

namespace aft {

/// Memory of one or more tensors that follow each other in place.
struct HostBuffer {
  enum Kind { argument, output, arena } kind = arena;
  unsigned index = 0; ///< of the argument or output
  mlir::Value value;  ///< the first tensor in it, for type and extents
  /// Positions of the first write and the last use.
  int64_t first = 0, last = 0;
};

/// A copy that makes room for an update in place or fills a result.
struct HostCopy {
  mlir::Value from;        ///< null: the buffer `stage`
  unsigned to;             ///< buffer
  mlir::Operation *before; ///< a launch, or the return
  mlir::Value like;        ///< a tensor with the type of the copy
  unsigned stage = 0;
};

class BufferAssignment {
public:
  BufferAssignment(mlir::func::FuncOp function,
                   const EntryInterface &interface);

  llvm::ArrayRef<HostBuffer> buffers() const { return list; }
  /// In the order in which they must happen.
  llvm::ArrayRef<HostCopy> copies() const { return copyList; }
  /// The buffer of a tensor or of what it views.
  unsigned bufferOf(mlir::Value tensor);

private:
  void visitLaunch(LaunchOp launch);
  void findChains();
  void placeResults();
  bool placeResult(unsigned number);
  void computeLiveness();
  unsigned newBuffer(mlir::Value value, int64_t first);
  int64_t position(mlir::Operation *op) { return positions.lookup(op); }
  bool readAfter(mlir::Value root, mlir::OpOperand &update);
  bool argumentUsedFrom(unsigned argument, int64_t from);

  mlir::func::FuncOp function;
  const EntryInterface &interface;
  llvm::DenseMap<mlir::Operation *, int64_t> positions;
  llvm::DenseMap<mlir::Value, unsigned> byValue;
  /// Results on the way from an argument to the result that updates it.
  llvm::DenseMap<mlir::Value, unsigned> updates;
  llvm::SmallVector<HostBuffer> list;
  llvm::SmallVector<HostCopy> copyList;
};

} // namespace aft

#endif // AFT_COMPILER_KERNELS_BUFFERS_H
