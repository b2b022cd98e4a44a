//===- Descriptors.cpp - Memrefs made of bare pointers --------------------===//

#include "compiler/llvm/Descriptors.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace aft;

DescriptorBuilder::DescriptorBuilder(OpBuilder &builder, Location loc)
    : builder(builder), loc(loc), converter(builder.getContext()) {}

Type DescriptorBuilder::pointerType() const {
  return LLVM::LLVMPointerType::get(builder.getContext());
}

Type DescriptorBuilder::integerType() const { return builder.getI64Type(); }

Value DescriptorBuilder::constant(int64_t value) {
  return builder.create<LLVM::ConstantOp>(loc, integerType(),
                                          builder.getI64IntegerAttr(value));
}

Value DescriptorBuilder::elementAddress(Value array, int64_t index) {
  return builder.create<LLVM::GEPOp>(loc, pointerType(), integerType(), array,
                                     ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
}

Value DescriptorBuilder::loadPointer(Value array, int64_t index) {
  return builder.create<LLVM::LoadOp>(loc, pointerType(), elementAddress(array, index));
}

Value DescriptorBuilder::loadInteger(Value array, int64_t index) {
  return builder.create<LLVM::LoadOp>(loc, integerType(), elementAddress(array, index));
}

void DescriptorBuilder::store(Value value, Value array, int64_t index) {
  builder.create<LLVM::StoreOp>(loc, value, elementAddress(array, index));
}

Value DescriptorBuilder::stackArray(int64_t count) {
  return builder.create<LLVM::AllocaOp>(loc, pointerType(), integerType(),
                                        constant(std::max<int64_t>(count, 1)));
}

Value DescriptorBuilder::memref(MemRefType type, Value pointer, ArrayRef<Value> extents) {
  int64_t rank = type.getRank();
  SmallVector<Value> sizes, strides(rank);
  for (int64_t dim = 0; dim < rank; ++dim)
    sizes.push_back(type.isDynamicDim(dim) ? extents[dim] : constant(type.getDimSize(dim)));
  Value stride = constant(1);
  for (int64_t dim = rank - 1; dim >= 0; --dim) {
    strides[dim] = stride;
    if (dim > 0)
      stride = builder.create<LLVM::MulOp>(loc, stride, sizes[dim]);
  }
  SmallVector<Value> fields = {pointer, pointer, constant(0)};
  llvm::append_range(fields, sizes);
  llvm::append_range(fields, strides);
  Value descriptor = MemRefDescriptor::pack(builder, loc, converter, type, fields);
  return builder.create<UnrealizedConversionCastOp>(loc, type, descriptor).getResult(0);
}
