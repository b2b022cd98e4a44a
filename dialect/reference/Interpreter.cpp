//===- Interpreter.cpp - Programs evaluated in double precision -----------===//

#include "dialect/reference/Interpreter.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "llvm/Support/SaveAndRestore.h"

using namespace mlir;
using namespace aft;

RTensor ReferenceTensor::zeros(ArrayRef<int64_t> shape, bool isFloat) {
  RTensor tensor;
  tensor.shape.assign(shape.begin(), shape.end());
  tensor.isFloat = isFloat;
  if (isFloat)
    tensor.reals.assign(tensor.size(), 0.0);
  else
    tensor.integers.assign(tensor.size(), 0);
  return tensor;
}

int64_t Frame::index(OpFoldResult value) const {
  if (std::optional<int64_t> constant = getConstantIntValue(value))
    return *constant;
  return cell(cast<Value>(value)).integer;
}

SmallVector<int64_t> Frame::indices(ArrayRef<OpFoldResult> values) const {
  SmallVector<int64_t> result;
  for (OpFoldResult value : values)
    result.push_back(index(value));
  return result;
}

RTensors Frame::operands(Operation *op) const {
  RTensors result;
  for (Value operand : op->getOperands())
    result.push_back(get(operand));
  return result;
}

SmallVector<int64_t> aft::stridesOf(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t dim = static_cast<int64_t>(shape.size()) - 2; dim >= 0; --dim)
    strides[dim] = strides[dim + 1] * shape[dim + 1];
  return strides;
}

void aft::forEachIndex(ArrayRef<int64_t> shape,
                       llvm::function_ref<void(ArrayRef<int64_t>)> body) {
  if (llvm::is_contained(shape, 0))
    return;
  SmallVector<int64_t> index(shape.size(), 0);
  for (;;) {
    body(index);
    int64_t dim = static_cast<int64_t>(shape.size()) - 1;
    while (dim >= 0 && ++index[dim] == shape[dim])
      index[dim--] = 0;
    if (dim < 0)
      return;
  }
}

static FailureOr<RTensors> unsupported(Operation *op) {
  op->emitError() << "'" << op->getName() << "' is not supported by the reference interpreter";
  return failure();
}

static constexpr int kMostCalls = 256;

static FailureOr<RTensors> evaluateConstant(arith::ConstantOp constant) {
  Attribute value = constant.getValue();
  if (auto real = dyn_cast<FloatAttr>(value)) {
    RTensor tensor = RTensor::zeros({});
    tensor.reals[0] = real.getValueAsDouble();
    return RTensors{tensor};
  }
  if (auto integer = dyn_cast<IntegerAttr>(value)) {
    RTensor tensor = RTensor::zeros({}, false);
    tensor.integers[0] = integer.getType().isInteger(1) ? integer.getValue().getZExtValue()
                                                        : integer.getValue().getSExtValue();
    return RTensors{tensor};
  }
  auto elements = dyn_cast<DenseElementsAttr>(value);
  if (!elements)
    return unsupported(constant);
  Type element = elements.getElementType();
  RTensor tensor = RTensor::zeros(elements.getType().getShape(), isa<FloatType>(element));
  int64_t next = 0;
  if (tensor.isFloat)
    for (APFloat number : elements.getValues<APFloat>()) {
      bool loses;
      number.convert(APFloat::IEEEdouble(), APFloat::rmNearestTiesToEven, &loses);
      tensor.reals[next++] = number.convertToDouble();
    }
  else
    for (const APInt &number : elements.getValues<APInt>())
      tensor.integers[next++] =
          element.isInteger(1) ? number.getZExtValue() : number.getSExtValue();
  return RTensors{tensor};
}

static FailureOr<RTensors> evaluateFunction(func::FuncOp function, ArrayRef<RTensor> inputs) {
  // Calls nest in the native stack.
  static thread_local int depth = 0;
  llvm::SaveAndRestore<int> deeper(depth, depth + 1);
  if (depth > kMostCalls)
    return function.emitError() << "calls nest deeper than " << kMostCalls
                                << ", the reference interpreter's limit";
  Frame frame;
  for (auto [argument, input] : llvm::zip_equal(function.getArguments(), inputs))
    frame.set(argument, input);
  Block &body = function.getBody().front();
  if (failed(evaluateBlock(body, frame)))
    return failure();
  return frame.operands(body.getTerminator());
}

static FailureOr<RTensors> evaluateRegion(Region &region, const Frame &outer,
                                          ArrayRef<RTensor> arguments) {
  Frame frame(&outer);
  Block &body = region.front();
  for (auto [argument, value] : llvm::zip_equal(body.getArguments(), arguments))
    frame.set(argument, value);
  if (failed(evaluateBlock(body, frame)))
    return failure();
  return frame.operands(body.getTerminator());
}

static FailureOr<RTensors> evaluateLoop(scf::ForOp loop, const Frame &frame) {
  RTensors carried;
  for (Value init : loop.getInitArgs())
    carried.push_back(frame.get(init));
  int64_t first = frame.index(OpFoldResult(loop.getLowerBound())),
          last = frame.index(OpFoldResult(loop.getUpperBound())),
          step = frame.index(OpFoldResult(loop.getStep()));
  if (step < 1)
    return loop.emitError() << "the step of a loop must be positive, found " << step;
  for (int64_t i = first; i < last; i += step) {
    RTensor index = RTensor::zeros({}, false);
    index.integers[0] = i;
    RTensors arguments = {index};
    arguments.append(carried.begin(), carried.end());
    FailureOr<RTensors> next = evaluateRegion(loop.getRegion(), frame, arguments);
    if (failed(next))
      return failure();
    carried = *next;
  }
  return carried;
}

static Evaluated evaluateControl(Operation *op, const Frame &frame) {
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return evaluateConstant(constant);
  if (auto call = dyn_cast<func::CallOp>(op)) {
    auto callee = SymbolTable::lookupNearestSymbolFrom<func::FuncOp>(op, call.getCalleeAttr());
    if (!callee || callee.isExternal() || !llvm::hasSingleElement(callee.getBody()))
      return unsupported(op);
    return evaluateFunction(callee, frame.operands(op));
  }
  if (auto branch = dyn_cast<scf::IfOp>(op)) {
    Region &region = frame.cell(branch.getCondition()).integer ? branch.getThenRegion()
                                                               : branch.getElseRegion();
    if (region.empty())
      return FailureOr<RTensors>(RTensors());
    return evaluateRegion(region, frame, {});
  }
  if (auto loop = dyn_cast<scf::ForOp>(op))
    return evaluateLoop(loop, frame);
  return std::nullopt;
}

LogicalResult aft::evaluateBlock(Block &block, Frame &frame) {
  for (Operation &op : block.without_terminator()) {
    if (failed(checkShapes(&op, frame)))
      return failure();
    Evaluated result;
    for (auto evaluate : {evaluateControl, evaluateStructured, evaluateShape, evaluateMixer,
                          evaluateMixerGrad, evaluateOnline, evaluateModel}) {
      result = evaluate(&op, frame);
      if (result)
        break;
    }
    if (!result)
      result = unsupported(&op);
    if (failed(*result))
      return failure();
    for (auto [value, tensor] : llvm::zip_equal(op.getResults(), **result))
      frame.set(value, std::move(tensor));
  }
  return success();
}

LogicalResult aft::evaluateReference(ModuleOp module, StringRef entry, ArrayRef<RTensor> inputs,
                                     SmallVectorImpl<RTensor> &outputs) {
  auto function = module.lookupSymbol<func::FuncOp>(entry);
  if (!function || function.isExternal() || !llvm::hasSingleElement(function.getBody()))
    return module.emitError() << "no function '" << entry << "' of one block to evaluate";
  if (inputs.size() != function.getNumArguments())
    return function.emitError() << "'" << entry << "' takes " << function.getNumArguments()
                                << " inputs, found " << inputs.size();
  for (auto [number, type, input] : llvm::enumerate(function.getArgumentTypes(), inputs)) {
    auto shaped = dyn_cast<RankedTensorType>(type);
    bool fits = shaped && shaped.getRank() == static_cast<int64_t>(input.shape.size());
    for (int64_t dim = 0; fits && dim < shaped.getRank(); ++dim)
      fits = shaped.isDynamicDim(dim) || shaped.getDimSize(dim) == input.shape[dim];
    if (!fits)
      return function.emitError() << "entry '" << entry << "': input " << number << " must be "
                                  << type << ", found the shape ["
                                  << llvm::make_range(input.shape.begin(), input.shape.end())
                                  << "]";
    auto limits = function.getArgAttrOfType<DenseI64ArrayAttr>(number, "aft.limits");
    for (int64_t dim = 0; limits && 2 * dim + 1 < limits.size() && dim < shaped.getRank(); ++dim)
      if (input.shape[dim] < limits[2 * dim] || input.shape[dim] > limits[2 * dim + 1])
        return function.emitError()
               << "entry '" << entry << "': input " << number << " must have an extent from "
               << limits[2 * dim] << " to " << limits[2 * dim + 1] << " in dimension " << dim
               << ", found " << input.shape[dim];
  }
  FailureOr<RTensors> results = evaluateFunction(function, inputs);
  if (failed(results))
    return failure();
  outputs.assign(results->begin(), results->end());
  return success();
}
