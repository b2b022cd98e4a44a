//===- LaunchTable.h - The launches of an entry as data -------------------===//
// A training step has hundreds of launches, each with a dozen pointers and
// extents. As straight-line code they cost more to compile than all kernels
// together; as a table that one short loop walks they cost nothing.

#ifndef AFT_COMPILER_LLVM_LAUNCHTABLE_H
#define AFT_COMPILER_LLVM_LAUNCHTABLE_H

#include "dialect/ir/AFT.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/MapVector.h"

namespace aft {

/// Replaces the launches of one entry, whose block begins with its new arguments
/// (buffers, dims, arena, runtime) and ends with the memrefs that these stand for.
///
/// The table is a list of 32-bit numbers, per launch
///
///     kernel, pointers, pointers and extents, then a code for each of these
///
/// A code is 4 * index + bank. The banks are the entry's buffers, its dims,
/// constants, and values that the entry computes before the first launch.
class LaunchTable {
public:
  explicit LaunchTable(mlir::func::FuncOp entry);

  /// Fails with an error at a launch that does not stand in the entry's block.
  mlir::LogicalResult lower();

private:
  enum Bank : unsigned { Buffers, Dims, Constants, Computed };
  static int32_t code(Bank bank, size_t index) { return index << 2 | bank; }

  void add(LaunchOp launch);
  int32_t pointerCode(mlir::Value memref);
  int32_t extentCode(mlir::Value memref, int64_t dim);
  int32_t valueCode(mlir::Value index);
  int32_t constantCode(int64_t value);
  int32_t computed(mlir::Value value);
  mlir::Value addressOf(mlir::Value memref);
  /// The number of an old argument; nothing for other values.
  std::optional<unsigned> argumentNumber(mlir::Value memref) const;

  mlir::Value constantArray(mlir::StringRef suffix, mlir::DenseElementsAttr values);
  mlir::Value kernelArray();
  mlir::LLVM::LLVMFuncOp walker();
  void callWalker();

  mlir::func::FuncOp entry;
  mlir::ModuleOp module;
  mlir::OpBuilder builder;
  mlir::Block &block;
  mlir::Value slots;
  unsigned arguments; ///< the entry's memrefs, the arena included
  llvm::SmallVector<int64_t> firstDim;
  llvm::SmallVector<int32_t> table;
  llvm::MapVector<mlir::StringAttr, int32_t> kernels;
  llvm::MapVector<int64_t, int32_t> constants;
  llvm::DenseMap<mlir::Value, int32_t> pointerCodes, valueCodes;
  size_t launches = 0, mostValues = 0, slotCount = 0;
};

} // namespace aft

#endif // AFT_COMPILER_LLVM_LAUNCHTABLE_H
