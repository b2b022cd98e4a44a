//===- LaunchTable.cpp - The launches of an entry as data -----------------===//

#include "compiler/llvm/LaunchTable.h"

#include "compiler/llvm/Descriptors.h"
#include "compiler/llvm/Symbols.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/Parser/Parser.h"

using namespace mlir;
using namespace aft;

/// Arguments before the old ones: buffers, dims, arena, runtime.
static constexpr unsigned kBuffers = 0, kDims = 1, kArena = 2, kRuntime = 3, kFirst = 4;

/// Walks a table: gathers the pointers and extents of each launch and calls
/// back aft_runtime_t's parallel_for.
static constexpr const char *kWalkerName = "aft.launches";
static constexpr const char *kWalker = R"(
llvm.func internal @aft.launches(%runtime: !llvm.ptr, %banks: !llvm.ptr, %table: !llvm.ptr,
                                 %kernels: !llvm.ptr, %values: !llvm.ptr, %launches: i64) {
  %zero = llvm.mlir.constant(0 : i64) : i64
  %one = llvm.mlir.constant(1 : i64) : i64
  %two = llvm.mlir.constant(2 : i64) : i64
  %three = llvm.mlir.constant(3 : i64) : i64
  %self = llvm.load %runtime : !llvm.ptr -> !llvm.ptr
  %callback.at = llvm.getelementptr %runtime[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %callback = llvm.load %callback.at : !llvm.ptr -> !llvm.ptr
  llvm.br ^next(%table, %zero : !llvm.ptr, i64)
^next(%row: !llvm.ptr, %done: i64):
  %more = llvm.icmp "ult" %done, %launches : i64
  llvm.cond_br %more, ^launch, ^end
^launch:
  %kernel.32 = llvm.load %row : !llvm.ptr -> i32
  %kernel = llvm.zext %kernel.32 : i32 to i64
  %pointers.at = llvm.getelementptr %row[1] : (!llvm.ptr) -> !llvm.ptr, i32
  %pointers.32 = llvm.load %pointers.at : !llvm.ptr -> i32
  %pointers = llvm.zext %pointers.32 : i32 to i64
  %count.at = llvm.getelementptr %row[2] : (!llvm.ptr) -> !llvm.ptr, i32
  %count.32 = llvm.load %count.at : !llvm.ptr -> i32
  %count = llvm.zext %count.32 : i32 to i64
  %codes = llvm.getelementptr %row[3] : (!llvm.ptr) -> !llvm.ptr, i32
  llvm.br ^gather(%zero : i64)
^gather(%i: i64):
  %wanted = llvm.icmp "ult" %i, %count : i64
  llvm.cond_br %wanted, ^value, ^call
^value:
  %code.at = llvm.getelementptr %codes[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i32
  %code.32 = llvm.load %code.at : !llvm.ptr -> i32
  %code = llvm.zext %code.32 : i32 to i64
  %bank.number = llvm.and %code, %three : i64
  %index = llvm.lshr %code, %two : i64
  %bank.at = llvm.getelementptr %banks[%bank.number] : (!llvm.ptr, i64) -> !llvm.ptr, !llvm.ptr
  %bank = llvm.load %bank.at : !llvm.ptr -> !llvm.ptr
  %from = llvm.getelementptr %bank[%index] : (!llvm.ptr, i64) -> !llvm.ptr, i64
  %value = llvm.load %from : !llvm.ptr -> i64
  %to = llvm.getelementptr %values[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i64
  llvm.store %value, %to : i64, !llvm.ptr
  %i.next = llvm.add %i, %one : i64
  llvm.br ^gather(%i.next : i64)
^call:
  %pair = llvm.mul %kernel, %two : i64
  %kernel.at = llvm.getelementptr %kernels[%pair] : (!llvm.ptr, i64) -> !llvm.ptr, !llvm.ptr
  %function = llvm.load %kernel.at : !llvm.ptr -> !llvm.ptr
  %name.at = llvm.getelementptr %kernel.at[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
  %name = llvm.load %name.at : !llvm.ptr -> !llvm.ptr
  %extents = llvm.getelementptr %values[%pointers] : (!llvm.ptr, i64) -> !llvm.ptr, i64
  llvm.call %callback(%self, %function, %values, %extents, %name)
      : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr, !llvm.ptr) -> ()
  %row.next = llvm.getelementptr %codes[%count] : (!llvm.ptr, i64) -> !llvm.ptr, i32
  %done.next = llvm.add %done, %one : i64
  llvm.br ^next(%row.next, %done.next : !llvm.ptr, i64)
^end:
  llvm.return
}
)";

LaunchTable::LaunchTable(func::FuncOp entry)
    : entry(entry), module(entry->getParentOfType<ModuleOp>()), builder(entry.getContext()),
      block(entry.front()), arguments(block.getNumArguments() - kFirst) {
  int64_t dims = 0;
  for (unsigned i = 0; i < arguments; ++i) {
    firstDim.push_back(dims);
    dims += cast<MemRefType>(block.getArgument(kFirst + i).getType()).getRank();
  }
}

LogicalResult LaunchTable::lower() {
  SmallVector<LaunchOp> list;
  WalkResult result = entry.walk([&](LaunchOp launch) {
    list.push_back(launch);
    if (launch->getBlock() == &block)
      return WalkResult::advance();
    launch.emitOpError("not supported yet: a launch inside another operation");
    return WalkResult::interrupt();
  });
  if (result.wasInterrupted())
    return failure();
  if (list.empty())
    return success();
  // How many slots there are is known at the end.
  builder.setInsertionPointToStart(&block);
  slots = DescriptorBuilder(builder, entry.getLoc()).stackArray(1);
  builder.setInsertionPoint(block.getTerminator());
  for (LaunchOp launch : list)
    add(launch);
  callWalker();
  for (LaunchOp launch : list)
    launch.erase();
  return success();
}

void LaunchTable::add(LaunchOp launch) {
  auto [kernel, isNew] =
      kernels.insert({launch.getKernelAttr().getAttr(), static_cast<int32_t>(kernels.size())});
  size_t start = table.size();
  table.append({kernel->second, static_cast<int32_t>(launch->getNumOperands()), 0});
  for (Value operand : launch.getOperands())
    table.push_back(pointerCode(operand));
  for (Value operand : launch.getOperands())
    for (int64_t dim = 0; dim < cast<MemRefType>(operand.getType()).getRank(); ++dim)
      table.push_back(extentCode(operand, dim));
  size_t values = table.size() - start - 3;
  table[start + 2] = static_cast<int32_t>(values);
  mostValues = std::max(mostValues, values);
  ++launches;
}

//===----------------------------------------------------------------------===//
// Codes
//===----------------------------------------------------------------------===//

std::optional<unsigned> LaunchTable::argumentNumber(Value memref) const {
  auto argument = dyn_cast<BlockArgument>(memref);
  if (!argument || argument.getOwner() != &block || argument.getArgNumber() < kFirst)
    return std::nullopt;
  return argument.getArgNumber() - kFirst;
}

int32_t LaunchTable::computed(Value value) {
  DescriptorBuilder(builder, value.getLoc()).store(value, slots, slotCount);
  return code(Computed, slotCount++);
}

int32_t LaunchTable::constantCode(int64_t value) {
  auto [it, isNew] = constants.insert({value, static_cast<int32_t>(constants.size())});
  return code(Constants, it->second);
}

/// The code of an index.
int32_t LaunchTable::valueCode(Value index) {
  if (std::optional<int64_t> constant = getConstantIntValue(index))
    return constantCode(*constant);
  if (auto dim = index.getDefiningOp<memref::DimOp>())
    if (auto number = argumentNumber(dim.getSource()))
      if (std::optional<int64_t> position = dim.getConstantIndex())
        return code(Dims, firstDim[*number] + *position);
  auto [it, isNew] = valueCodes.try_emplace(index);
  if (isNew)
    it->second = computed(
        builder.create<arith::IndexCastOp>(index.getLoc(), builder.getI64Type(), index));
  return it->second;
}

int32_t LaunchTable::extentCode(Value memref, int64_t dim) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.isDynamicDim(dim))
    return constantCode(type.getDimSize(dim));
  if (std::optional<unsigned> number = argumentNumber(memref))
    return code(Dims, firstDim[*number] + dim);
  if (auto view = memref.getDefiningOp<memref::ViewOp>())
    return valueCode(view.getSizes()[type.getDynamicDimIndex(dim)]);
  if (auto cast = memref.getDefiningOp<memref::ReinterpretCastOp>())
    return valueCode(cast.getDynamicSize(dim));
  return valueCode(builder.create<memref::DimOp>(memref.getLoc(), memref, dim));
}

int32_t LaunchTable::pointerCode(Value memref) {
  auto known = pointerCodes.find(memref);
  if (known != pointerCodes.end())
    return known->second;
  Value source = memref;
  while (auto view = source.getDefiningOp<ViewLikeOpInterface>()) {
    if (isa<memref::ViewOp>(*view) ||
        !cast<MemRefType>(source.getType()).getLayout().isIdentity())
      break;
    source = view.getViewSource();
  }
  std::optional<unsigned> number = argumentNumber(source);
  bool isBuffer = number && *number + 1 < arguments;
  int32_t result = isBuffer ? code(Buffers, *number) : computed(addressOf(memref));
  return pointerCodes[memref] = result;
}

/// The address of the first element, an offset of the memref included.
Value LaunchTable::addressOf(Value memref) {
  Location loc = memref.getLoc();
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  // MLIR 19 takes the address of a memref.view for that of its source: the
  // shift is added here.
  Value source = memref, shift;
  auto add = [&](Value bytes) {
    shift = shift ? builder.create<arith::AddIOp>(loc, shift, bytes).getResult() : bytes;
  };
  while (auto view = source.getDefiningOp<ViewLikeOpInterface>()) {
    if (auto bytes = dyn_cast<memref::ViewOp>(*view))
      add(bytes.getByteShift());
    source = view.getViewSource();
  }
  auto type = cast<MemRefType>(memref.getType());
  if (!type.getLayout().isIdentity()) {
    auto metadata = builder.create<memref::ExtractStridedMetadataOp>(loc, memref);
    int64_t width = std::max<int64_t>(1, type.getElementTypeBitWidth() / 8);
    Value scale = builder.create<arith::ConstantIndexOp>(loc, width);
    add(builder.create<arith::MulIOp>(loc, metadata.getOffset(), scale));
  }
  Value base;
  std::optional<unsigned> number = argumentNumber(source);
  if (number && *number + 1 == arguments) {
    base = block.getArgument(kArena);
  } else if (number) {
    base = DescriptorBuilder(builder, loc).loadPointer(block.getArgument(kBuffers), *number);
  } else {
    Value index = builder.create<memref::ExtractAlignedPointerAsIndexOp>(loc, source);
    Value integer = builder.create<arith::IndexCastOp>(loc, builder.getI64Type(), index);
    base = builder.create<LLVM::IntToPtrOp>(loc, pointer, integer);
  }
  if (!shift)
    return base;
  Value bytes = builder.create<arith::IndexCastOp>(loc, builder.getI64Type(), shift);
  return builder.create<LLVM::GEPOp>(loc, pointer, builder.getI8Type(), base,
                                     ArrayRef<LLVM::GEPArg>{bytes});
}

//===----------------------------------------------------------------------===//
// Globals and the call
//===----------------------------------------------------------------------===//

/// A private array beside the entry.
Value LaunchTable::constantArray(StringRef suffix, DenseElementsAttr values) {
  OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
  auto type = LLVM::LLVMArrayType::get(values.getElementType(), values.getNumElements());
  auto global = top.create<LLVM::GlobalOp>(entry.getLoc(), type, /*isConstant=*/true,
                                           LLVM::Linkage::Internal,
                                           (entry.getName() + suffix).str(), values);
  return builder.create<LLVM::AddressOfOp>(entry.getLoc(), global);
}

/// The kernels that the table counts, each with its name as a string.
Value LaunchTable::kernelArray() {
  Location loc = entry.getLoc();
  OpBuilder top = OpBuilder::atBlockBegin(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext()), index = builder.getIndexType();
  auto type = LLVM::LLVMArrayType::get(pointer, 2 * kernels.size());
  SmallVector<LLVM::GlobalOp> names;
  for (auto [kernel, number] : kernels) {
    std::string symbol = kernel.str() + ".name", text = functionOf(kernel).str() + '\0';
    auto global = module.lookupSymbol<LLVM::GlobalOp>(symbol);
    if (!global)
      global = top.create<LLVM::GlobalOp>(
          loc, LLVM::LLVMArrayType::get(top.getI8Type(), text.size()), /*isConstant=*/true,
          LLVM::Linkage::Internal, symbol, top.getStringAttr(text));
    names.push_back(global);
  }
  auto array = top.create<LLVM::GlobalOp>(loc, type, /*isConstant=*/true, LLVM::Linkage::Internal,
                                          (entry.getName() + ".kernels").str(), Attribute());
  OpBuilder inner = OpBuilder::atBlockBegin(&array.getInitializerRegion().emplaceBlock());
  Value all = inner.create<LLVM::UndefOp>(loc, type);
  auto signature = builder.getFunctionType({pointer, pointer, index, index}, {index});
  for (auto [entry, name] : llvm::zip_equal(kernels, names)) {
    Value function = inner.create<func::ConstantOp>(loc, signature,
                                                    FlatSymbolRefAttr::get(entry.first));
    Value address =
        inner.create<UnrealizedConversionCastOp>(loc, pointer, function).getResult(0);
    all = inner.create<LLVM::InsertValueOp>(loc, all, address, 2 * entry.second);
    all = inner.create<LLVM::InsertValueOp>(loc, all, inner.create<LLVM::AddressOfOp>(loc, name),
                                            2 * entry.second + 1);
  }
  inner.create<LLVM::ReturnOp>(loc, ValueRange{all});
  return builder.create<LLVM::AddressOfOp>(loc, array);
}

LLVM::LLVMFuncOp LaunchTable::walker() {
  if (auto known = module.lookupSymbol<LLVM::LLVMFuncOp>(kWalkerName))
    return known;
  OwningOpRef<ModuleOp> parsed =
      parseSourceString<ModuleOp>(kWalker, ParserConfig(builder.getContext()));
  auto function = *parsed->getOps<LLVM::LLVMFuncOp>().begin();
  function->moveBefore(module.getBody(), module.getBody()->end());
  return function;
}

void LaunchTable::callWalker() {
  Location loc = entry.getLoc();
  DescriptorBuilder descriptors(builder, loc);
  SmallVector<int64_t> numbers;
  for (auto [value, number] : constants)
    numbers.push_back(value);
  Value bank[] = {block.getArgument(kBuffers), block.getArgument(kDims),
                  numbers.empty() ? block.getArgument(kDims)
                                  : constantArray(".constants", builder.getI64TensorAttr(numbers)),
                  slots};
  Value codes = constantArray(".table", builder.getI32TensorAttr(table)), pairs = kernelArray();
  // On the stack: the four banks, the values of one launch, the slots.
  OpBuilder top = OpBuilder::atBlockBegin(&block);
  DescriptorBuilder arrays(top, loc);
  Value banks = arrays.stackArray(std::size(bank)), values = arrays.stackArray(mostValues);
  auto slotArray = slots.getDefiningOp<LLVM::AllocaOp>();
  slotArray.getArraySize().getDefiningOp<LLVM::ConstantOp>().setValueAttr(
      builder.getI64IntegerAttr(std::max<int64_t>(slotCount, 1)));
  for (auto [number, value] : llvm::enumerate(bank))
    descriptors.store(value, banks, number);
  builder.create<LLVM::CallOp>(loc, walker(),
                               ValueRange{block.getArgument(kRuntime), banks, codes, pairs, values,
                                          descriptors.constant(launches)});
}
