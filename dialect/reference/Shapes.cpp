//===- Shapes.cpp - Operations on shapes in double ------------------------===//

#include "dialect/reference/Interpreter.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace aft;

static void copyElement(const RTensor &from, int64_t source, RTensor &to, int64_t target) {
  if (from.isFloat)
    to.reals[target] = from.reals[source];
  else
    to.integers[target] = from.integers[source];
}

static int64_t offsetOf(ArrayRef<int64_t> index, ArrayRef<int64_t> strides) {
  int64_t offset = 0;
  for (auto [i, stride] : llvm::zip_equal(index, strides))
    offset += i * stride;
  return offset;
}

static FailureOr<RTensors> outside(Operation *op) {
  op->emitError("takes elements outside of its tensor");
  return failure();
}

/// Calls `body(whole, part)` with the offsets of each element of a slice.
static LogicalResult forEachOfSlice(ArrayRef<int64_t> shape, ArrayRef<int64_t> offsets,
                                    ArrayRef<int64_t> sizes, ArrayRef<int64_t> steps,
                                    llvm::function_ref<void(int64_t, int64_t)> body) {
  for (size_t dim = 0; dim < shape.size(); ++dim)
    if (offsets[dim] < 0 || sizes[dim] < 0 ||
        (sizes[dim] > 0 && offsets[dim] + (sizes[dim] - 1) * steps[dim] >= shape[dim]))
      return failure();
  SmallVector<int64_t> strides = stridesOf(shape);
  int64_t part = 0;
  forEachIndex(sizes, [&](ArrayRef<int64_t> index) {
    int64_t whole = 0;
    for (size_t dim = 0; dim < shape.size(); ++dim)
      whole += (offsets[dim] + index[dim] * steps[dim]) * strides[dim];
    body(whole, part++);
  });
  return success();
}

static FailureOr<RTensors> extractSlice(tensor::ExtractSliceOp op, const Frame &frame) {
  const RTensor &source = frame.get(op.getSource());
  SmallVector<int64_t> sizes = frame.indices(op.getMixedSizes()), shape;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (size_t dim = 0; dim < sizes.size(); ++dim)
    if (!dropped[dim])
      shape.push_back(sizes[dim]);
  for (int64_t size : sizes)
    if (size < 0)
      return outside(op);
  RTensor result = RTensor::zeros(shape, source.isFloat);
  if (failed(forEachOfSlice(source.shape, frame.indices(op.getMixedOffsets()), sizes,
                            frame.indices(op.getMixedStrides()),
                            [&](int64_t whole, int64_t part) {
                              copyElement(source, whole, result, part);
                            })))
    return outside(op);
  return RTensors{result};
}

static FailureOr<RTensors> insertSlice(tensor::InsertSliceOp op, const Frame &frame) {
  const RTensor &source = frame.get(op.getSource());
  RTensor result = frame.get(op.getDest());
  if (failed(forEachOfSlice(result.shape, frame.indices(op.getMixedOffsets()),
                            frame.indices(op.getMixedSizes()),
                            frame.indices(op.getMixedStrides()),
                            [&](int64_t whole, int64_t part) {
                              copyElement(source, part, result, whole);
                            })))
    return outside(op);
  return RTensors{result};
}

static FailureOr<RTensors> concat(tensor::ConcatOp op, const Frame &frame) {
  RTensors parts = frame.operands(op);
  int64_t dim = op.getDim(), start = 0;
  SmallVector<int64_t> shape = parts[0].shape;
  shape[dim] = 0;
  for (const RTensor &part : parts)
    shape[dim] += part.shape[dim];
  RTensor result = RTensor::zeros(shape, parts[0].isFloat);
  SmallVector<int64_t> steps(shape.size(), 1);
  for (const RTensor &part : parts) {
    SmallVector<int64_t> offsets(shape.size(), 0);
    offsets[dim] = start;
    if (failed(forEachOfSlice(shape, offsets, part.shape, steps, [&](int64_t whole, int64_t own) {
          copyElement(part, own, result, whole);
        })))
      return outside(op);
    start += part.shape[dim];
  }
  return RTensors{result};
}

static FailureOr<RTensors> pad(tensor::PadOp op, const Frame &frame) {
  const RTensor &source = frame.get(op.getSource());
  SmallVector<int64_t> low = frame.indices(op.getMixedLowPad()),
                       high = frame.indices(op.getMixedHighPad()), shape;
  for (size_t dim = 0; dim < low.size(); ++dim)
    shape.push_back(low[dim] + source.shape[dim] + high[dim]);
  RTensor result = RTensor::zeros(shape, source.isFloat);
  ScalarProgram body;
  if (failed(body.build(op.getRegion().front(), frame)))
    return failure();
  SmallVector<int64_t> strides = stridesOf(shape);
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    SmallVector<Cell> arguments;
    for (int64_t i : index)
      arguments.push_back({0, i});
    Cell value;
    body.run(arguments, index, value);
    if (result.isFloat)
      result.reals[offsetOf(index, strides)] = value.real;
    else
      result.integers[offsetOf(index, strides)] = value.integer;
  });
  SmallVector<int64_t> steps(shape.size(), 1);
  if (failed(forEachOfSlice(shape, low, source.shape, steps, [&](int64_t whole, int64_t own) {
        copyElement(source, own, result, whole);
      })))
    return outside(op);
  return RTensors{result};
}

static FailureOr<RTensors> generate(tensor::GenerateOp op, const Frame &frame) {
  auto type = cast<RankedTensorType>(op.getType());
  SmallVector<int64_t> shape(type.getShape());
  unsigned next = 0;
  for (int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = frame.index(OpFoldResult(op.getDynamicExtents()[next++]));
  RTensor result = RTensor::zeros(shape, isFloatType(type));
  ScalarProgram body;
  if (failed(body.build(op.getRegion().front(), frame)))
    return failure();
  int64_t place = 0;
  forEachIndex(shape, [&](ArrayRef<int64_t> index) {
    SmallVector<Cell> arguments;
    for (int64_t i : index)
      arguments.push_back({0, i});
    Cell value;
    body.run(arguments, index, value);
    if (result.isFloat)
      result.reals[place++] = value.real;
    else
      result.integers[place++] = value.integer;
  });
  return RTensors{result};
}

static FailureOr<RTensors> reshaped(const RTensor &source, SmallVector<int64_t> shape,
                                    Operation *op) {
  RTensor result = source;
  result.shape = std::move(shape);
  if (result.size() != source.size()) {
    op->emitError() << "has " << result.size() << " elements where its operand has "
                    << source.size();
    return failure();
  }
  return RTensors{result};
}

static FailureOr<RTensors> collapse(tensor::CollapseShapeOp op, const Frame &frame) {
  const RTensor &source = frame.get(op.getSrc());
  SmallVector<int64_t> shape;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    shape.push_back(1);
    for (int64_t dim : group)
      shape.back() *= source.shape[dim];
  }
  return reshaped(source, shape, op);
}

static FailureOr<RTensors> expand(tensor::ExpandShapeOp op, const Frame &frame) {
  SmallVector<int64_t> shape(op.getStaticOutputShape());
  unsigned next = 0;
  for (int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = frame.index(OpFoldResult(op.getOutputShape()[next++]));
  return reshaped(frame.get(op.getSrc()), shape, op);
}

static FailureOr<RTensors> fromElements(tensor::FromElementsOp op, const Frame &frame) {
  RTensor result = RTensor::zeros(cast<RankedTensorType>(op.getType()).getShape(),
                                  isFloatType(op.getType()));
  for (auto [place, element] : llvm::enumerate(op.getElements()))
    copyElement(frame.get(element), 0, result, place);
  return RTensors{result};
}

static FailureOr<RTensors> splat(tensor::SplatOp op, const Frame &frame) {
  const RTensor &value = frame.get(op.getInput());
  SmallVector<int64_t> shape(op.getType().getShape());
  unsigned next = 0;
  for (int64_t &extent : shape)
    if (ShapedType::isDynamic(extent))
      extent = frame.index(OpFoldResult(op.getDynamicSizes()[next++]));
  RTensor result = RTensor::zeros(shape, value.isFloat);
  for (int64_t i = 0, count = result.size(); i < count; ++i)
    copyElement(value, 0, result, i);
  return RTensors{result};
}

static FailureOr<RTensors> extract(tensor::ExtractOp op, const Frame &frame) {
  const RTensor &source = frame.get(op.getTensor());
  int64_t offset = 0;
  for (auto [dim, index] : llvm::enumerate(op.getIndices())) {
    int64_t place = frame.index(OpFoldResult(index));
    if (place < 0 || place >= source.shape[dim])
      return outside(op);
    offset = offset * source.shape[dim] + place;
  }
  RTensor result = RTensor::zeros({}, source.isFloat);
  copyElement(source, offset, result, 0);
  return RTensors{result};
}

static FailureOr<RTensors> insert(tensor::InsertOp op, const Frame &frame) {
  RTensor result = frame.get(op.getDest());
  int64_t offset = 0;
  for (auto [dim, index] : llvm::enumerate(op.getIndices())) {
    int64_t place = frame.index(OpFoldResult(index));
    if (place < 0 || place >= result.shape[dim])
      return outside(op);
    offset = offset * result.shape[dim] + place;
  }
  copyElement(frame.get(op.getScalar()), 0, result, offset);
  return RTensors{result};
}

static FailureOr<RTensors> castTo(tensor::CastOp op, const RTensor &source) {
  auto type = dyn_cast<RankedTensorType>(op.getType());
  bool fits = !type || type.getRank() == static_cast<int64_t>(source.shape.size());
  for (size_t dim = 0; type && fits && dim < source.shape.size(); ++dim)
    fits = type.isDynamicDim(dim) || type.getDimSize(dim) == source.shape[dim];
  if (!fits)
    return op.emitError() << "cannot make " << type << " of the shape ["
                          << llvm::make_range(source.shape.begin(), source.shape.end()) << "]";
  return RTensors{source};
}

Evaluated aft::evaluateShape(Operation *op, const Frame &frame) {
  return llvm::TypeSwitch<Operation *, Evaluated>(op)
      .Case<tensor::EmptyOp>([&](tensor::EmptyOp empty) {
        return FailureOr<RTensors>(RTensors{RTensor::zeros(
            frame.indices(empty.getMixedSizes()), isFloatType(empty.getType()))});
      })
      .Case<tensor::DimOp>([&](tensor::DimOp dim) {
        RTensor result = RTensor::zeros({}, false);
        const RTensor &source = frame.get(dim.getSource());
        int64_t place = frame.index(OpFoldResult(dim.getIndex()));
        if (place < 0 || place >= static_cast<int64_t>(source.shape.size()))
          return outside(op);
        result.integers[0] = source.shape[place];
        return FailureOr<RTensors>(RTensors{result});
      })
      .Case<tensor::CastOp>([&](tensor::CastOp cast) {
        return castTo(cast, frame.get(cast.getSource()));
      })
      .Case<tensor::ExtractSliceOp>([&](auto slice) { return extractSlice(slice, frame); })
      .Case<tensor::InsertSliceOp>([&](auto slice) { return insertSlice(slice, frame); })
      .Case<tensor::ConcatOp>([&](auto join) { return concat(join, frame); })
      .Case<tensor::PadOp>([&](auto padded) { return pad(padded, frame); })
      .Case<tensor::GenerateOp>([&](auto made) { return generate(made, frame); })
      .Case<tensor::CollapseShapeOp>([&](auto view) { return collapse(view, frame); })
      .Case<tensor::ExpandShapeOp>([&](auto view) { return expand(view, frame); })
      .Case<tensor::FromElementsOp>([&](auto made) { return fromElements(made, frame); })
      .Case<tensor::SplatOp>([&](auto made) { return splat(made, frame); })
      .Case<tensor::ExtractOp>([&](auto element) { return extract(element, frame); })
      .Case<tensor::InsertOp>([&](auto element) { return insert(element, frame); })
      .Default([](Operation *) { return Evaluated(); });
}
