//===- Descriptors.h - Memrefs made of bare pointers ----------------------===//

#ifndef AFT_COMPILER_LLVM_DESCRIPTORS_H
#define AFT_COMPILER_LLVM_DESCRIPTORS_H

#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/IR/Builders.h"

namespace aft {

/// Builds memrefs from pointers and loads the arguments that callers pass in
/// arrays.
class DescriptorBuilder {
public:
  DescriptorBuilder(mlir::OpBuilder &builder, mlir::Location loc);

  /// A contiguous row-major memref at `pointer`; `extents` are i64, one per
  /// dimension (those of static dimensions are not looked at).
  mlir::Value memref(mlir::MemRefType type, mlir::Value pointer,
                     mlir::ArrayRef<mlir::Value> extents);

  mlir::Value constant(int64_t value);
  /// Element `index` of an array of pointers or of 64-bit integers.
  mlir::Value loadPointer(mlir::Value array, int64_t index);
  mlir::Value loadInteger(mlir::Value array, int64_t index);
  void store(mlir::Value value, mlir::Value array, int64_t index);
  /// An array of `count` 8-byte elements on the stack.
  mlir::Value stackArray(int64_t count);

  mlir::Type pointerType() const;
  mlir::Type integerType() const;

private:
  mlir::Value elementAddress(mlir::Value array, int64_t index);
  mlir::OpBuilder &builder;
  mlir::Location loc;
  mlir::LLVMTypeConverter converter;
};

} // namespace aft

#endif // AFT_COMPILER_LLVM_DESCRIPTORS_H
