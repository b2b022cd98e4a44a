//===- HostEmitter.cpp - Host functions on memrefs ------------------------===//

#include "compiler/kernels/HostEmitter.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace aft;

namespace {

class Emitter {
public:
  Emitter(HostPlan &plan, ImplicitLocOpBuilder &builder, func::FuncOp host)
      : plan(plan), b(builder), host(host),
        extents(builder, plan.shapes,
                [this](BlockArgument argument, int64_t dim) -> Value {
                  Value memref =
                      this->host.getArgument(argument.getArgNumber());
                  return b.createOrFold<memref::DimOp>(memref, dim);
                }) {}

  LogicalResult computeRegions();
  LogicalResult emitLaunch(LaunchOp launch);
  LogicalResult emitCopy(const HostCopy &copy, FlatSymbolRefAttr kernel);

private:
  Value memrefOf(Value tensor);
  Value viewOf(unsigned buffer, Value like, Value elements);
  Value elementsBefore(Value tensor);
  FailureOr<SmallVector<Value>> dynamicExtents(Value tensor);

  HostPlan &plan;
  ImplicitLocOpBuilder &b;
  func::FuncOp host;
  ExtentCloner extents;
  SmallVector<Value> regionStart, regionUnit;
  llvm::DenseMap<Value, Value> memrefs;
};

} // namespace

static MemRefType memrefType(Type tensor) {
  auto type = cast<RankedTensorType>(tensor);
  return MemRefType::get(type.getShape(), type.getElementType());
}

LogicalResult Emitter::computeRegions() {
  FailureOr<SmallVector<Value>> bytes = regionBytes(b, plan, extents);
  if (failed(bytes))
    return failure();
  Value start = b.create<arith::ConstantIndexOp>(0);
  for (auto [region, size] : llvm::zip_equal(plan.regions, *bytes)) {
    regionStart.push_back(start);
    regionUnit.push_back(regionUnits(b, region, extents));
    start = b.createOrFold<arith::AddIOp>(start, size);
  }
  return success();
}

FailureOr<SmallVector<Value>> Emitter::dynamicExtents(Value tensor) {
  SmallVector<Value> sizes;
  auto type = cast<RankedTensorType>(tensor.getType());
  for (auto [dim, extent] : llvm::enumerate(plan.shapes.shape(tensor))) {
    if (!type.isDynamicDim(dim))
      continue;
    sizes.push_back(extents.get(extent));
    if (!sizes.back())
      return failure();
  }
  return sizes;
}

/// How many elements of its buffer lie before a view; null: none.
Value Emitter::elementsBefore(Value tensor) {
  Value total;
  while (Operation *def = tensor.getDefiningOp()) {
    if (!isa<tensor::CollapseShapeOp, tensor::ExpandShapeOp, tensor::CastOp,
             tensor::ExtractSliceOp>(def))
      break;
    tensor = def->getOperand(0);
    auto slice = dyn_cast<tensor::ExtractSliceOp>(def);
    if (!slice)
      continue;
    Extents shape = plan.shapes.shape(tensor);
    Value stride = b.create<arith::ConstantIndexOp>(1);
    for (int64_t dim = shape.size() - 1; dim >= 0; --dim) {
      int64_t offset = *getConstantIntValue(slice.getMixedOffsets()[dim]);
      if (offset != 0) {
        Value part = b.createOrFold<arith::MulIOp>(
            stride, b.create<arith::ConstantIndexOp>(offset));
        total = total ? b.createOrFold<arith::AddIOp>(total, part) : part;
      }
      stride = b.createOrFold<arith::MulIOp>(stride, extents.get(shape[dim]));
    }
  }
  return total;
}

/// A buffer, seen with the type and the extents of `like`.
Value Emitter::viewOf(unsigned number, Value like, Value elements) {
  const HostBuffer &buffer = plan.assignment.buffers()[number];
  MemRefType type = memrefType(like.getType());
  FailureOr<SmallVector<Value>> sizes = dynamicExtents(like);
  if (failed(sizes))
    return Value();
  if (buffer.kind == HostBuffer::arena) {
    const Temporary &temporary = plan.temporaries[plan.temporaryOf[number]];
    Value offset = b.createOrFold<arith::MulIOp>(
        regionUnit[temporary.region],
        b.create<arith::ConstantIndexOp>(temporary.offset));
    offset =
        b.createOrFold<arith::AddIOp>(regionStart[temporary.region], offset);
    if (elements) {
      int64_t width =
          llvm::divideCeil(type.getElementType().getIntOrFloatBitWidth(), 8);
      Value bytes = b.createOrFold<arith::MulIOp>(
          elements, b.create<arith::ConstantIndexOp>(width));
      offset = b.createOrFold<arith::AddIOp>(offset, bytes);
    }
    return b.create<memref::ViewOp>(type, host.getArguments().back(), offset,
                                    *sizes);
  }
  unsigned position =
      buffer.index + (buffer.kind == HostBuffer::output
                          ? plan.interface.inputs.size()
                          : 0);
  Value argument = host.getArgument(position);
  // The extents of an output are not passed to the entry: they are computed.
  bool known = buffer.kind == HostBuffer::argument || type.hasStaticShape();
  if (argument.getType() == type && known)
    return argument;
  SmallVector<OpFoldResult> shape = getMixedValues(type.getShape(), *sizes, b),
                            strides(type.getRank());
  OpFoldResult stride = b.getIndexAttr(1);
  for (int64_t dim = type.getRank() - 1; dim >= 0; --dim) {
    strides[dim] = stride;
    std::optional<int64_t> size = getConstantIntValue(shape[dim]),
                           step = getConstantIntValue(stride);
    if (size && step) {
      stride = b.getIndexAttr(*size * *step);
      continue;
    }
    Value l = getValueOrCreateConstantIndexOp(b, b.getLoc(), stride);
    Value r = getValueOrCreateConstantIndexOp(b, b.getLoc(), shape[dim]);
    stride = b.createOrFold<arith::MulIOp>(l, r);
  }
  return b.create<memref::ReinterpretCastOp>(
      type, argument, OpFoldResult(b.getIndexAttr(0)), shape, strides);
}

Value Emitter::memrefOf(Value tensor) {
  auto [it, isNew] = memrefs.try_emplace(tensor);
  if (!isNew)
    return it->second;
  Value view = viewOf(plan.assignment.bufferOf(tensor), tensor,
                      elementsBefore(tensor));
  memrefs[tensor] = view;
  return view;
}

LogicalResult Emitter::emitLaunch(LaunchOp launch) {
  b.setLoc(launch.getLoc());
  SmallVector<Value> inputs, outs;
  for (Value input : launch.getInputs())
    inputs.push_back(memrefOf(input));
  for (Value result : launch->getResults())
    outs.push_back(memrefOf(result));
  if (llvm::is_contained(inputs, Value()) || llvm::is_contained(outs, Value()))
    return failure();
  b.create<LaunchOp>(TypeRange(), launch.getKernelAttr(), inputs, outs);
  return success();
}

LogicalResult Emitter::emitCopy(const HostCopy &copy,
                                FlatSymbolRefAttr kernel) {
  b.setLoc(copy.before->getLoc());
  Value from = copy.from ? memrefOf(copy.from)
                         : viewOf(copy.stage, copy.like, Value());
  Value to = viewOf(copy.to, copy.like, Value());
  if (!from || !to)
    return failure();
  b.create<LaunchOp>(TypeRange(), kernel, ValueRange{from}, ValueRange{to});
  return success();
}

FailureOr<func::FuncOp>
aft::emitHost(HostPlan &plan,
              llvm::function_ref<FlatSymbolRefAttr(RankedTensorType)>
                  copyKernel) {
  func::FuncOp source = plan.source;
  ImplicitLocOpBuilder b(source.getLoc(), source.getContext());
  b.setInsertionPoint(source);
  SmallVector<Type> types;
  for (const InterfaceValue &input : plan.interface.inputs)
    types.push_back(memrefType(input.type));
  for (const InterfaceValue &output : plan.interface.outputs)
    types.push_back(memrefType(output.type));
  types.push_back(MemRefType::get({ShapedType::kDynamic}, b.getI8Type()));
  auto host =
      b.create<func::FuncOp>(source.getName(), b.getFunctionType(types, {}));
  host->setAttr(entryAttrName, b.getUnitAttr());
  writeInterface(host, plan.interface);
  b.setInsertionPointToStart(host.addEntryBlock());

  Emitter emitter(plan, b, host);
  auto copiesBefore = [&](Operation *op) -> LogicalResult {
    for (const HostCopy &copy : plan.assignment.copies()) {
      auto type = cast<RankedTensorType>(copy.like.getType());
      if (copy.before == op && failed(emitter.emitCopy(copy, copyKernel(type))))
        return failure();
    }
    return success();
  };
  if (failed(emitter.computeRegions()))
    return failure();
  for (auto launch : source.getOps<LaunchOp>())
    if (failed(copiesBefore(launch)) || failed(emitter.emitLaunch(launch)))
      return failure();
  if (failed(copiesBefore(source.front().getTerminator())))
    return failure();
  b.setLoc(source.getLoc());
  b.create<func::ReturnOp>();
  return host;
}
